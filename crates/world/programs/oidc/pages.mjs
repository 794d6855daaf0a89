// The provider's own pages: sign-in, sign-out, errors. Plain HTML that works without JavaScript.
const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => ENTITIES[c]);

const page = (title, body) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid GrayText; }
td:last-child { text-align: right; }
label { display: block; margin: .5rem 0; }
input, button { font: inherit; padding: .3rem .6rem; }
label input { display: block; width: 100%; max-width: 20rem; box-sizing: border-box; }
[role=alert] { border-left: .3rem solid #b1380b; padding: .3rem .8rem; }
form { margin: 0; }
</style>
</head>
<body><main>
<h1>${escape(title)}</h1>
${body}
</main></body></html>`;

const hidden = (name, value) => `<input type="hidden" name="${name}" value="${escape(value)}">`;

export function signIn({ action, abort, accounts, client, error, typed }) {
  const rows = accounts.map((account) => `<tr>
<th scope="row">${escape(account.name)}</th>
<td>${escape(account.role)}</td>
<td><form method="post" action="${escape(action)}">${hidden('login', account.login)}${hidden('password', account.password)}
<button type="submit">Sign in as ${escape(account.login)}</button></form></td>
</tr>`).join('\n');
  return page('Sign in', `<p>The world's OpenID provider. <strong>${escape(client)}</strong> asks who you are.
These are the accounts of a world to try things in; the password of each is <code>gatehouse</code>.</p>
${error ? `<p role="alert">${escape(error)}</p>` : ''}
<form method="post" action="${escape(action)}">
<label>Login <input name="login" autocomplete="username" value="${escape(typed)}" required></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<button type="submit">Sign in</button>
</form>
<h2>Who can sign in</h2>
<table><thead><tr><th scope="col">Person</th><th scope="col">Role</th><th scope="col">Sign in</th></tr></thead>
<tbody>
${rows}
</tbody></table>
<p><a href="${escape(abort)}">Cancel and go back</a></p>`);
}

// `form` is oidc-provider's own form with its token against forged requests.
export function signOut(form) {
  return page('Sign out', `${form}
<p>You are being signed out here and wherever this session is used.</p>
<p><button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button></p>
<script>
const form = document.getElementById('op.logoutForm');
form.insertAdjacentHTML('beforeend', '<input type="hidden" name="logout" value="yes">');
form.submit();
</script>`);
}

export const signedOut = () => page('Signed out', '<p>You are signed out.</p>');

export const problem = (title, text) => page(title, `<p role="alert">${escape(text)}</p>`);
