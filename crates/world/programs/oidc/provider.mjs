// The OpenID provider of the world: node-oidc-provider, a certified implementation, with accounts
// named by role. Started as `node provider.mjs <config.json>`; the configuration is written by the
// world (crates/world/src/provider.rs) and holds issuer, port, client, accounts and secrets.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Provider } from 'oidc-provider';
import { admin } from './admin.mjs';
import { spoil } from './misbehave.mjs';
import * as pages from './pages.mjs';
import { Store, adapter } from './store.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const keysFile = join(config.state_dir, 'keys.json');
const store = new Store(join(config.state_dir, 'store.json'));

const LIFETIMES = {
  access_token: 600, id_token: 600, refresh_token: 14 * 86400, session: 14 * 86400,
};

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: randomBytes(8).toString('hex'),
  };
}

function saveKeys(keys) {
  writeFileSync(keysFile, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}

// Everything that the admin endpoint can change.
const world = {
  config,
  accounts: new Map(),
  lifetimes: {},
  misbehave: undefined,
  backchannel: [],
  keys: existsSync(keysFile) ? JSON.parse(readFileSync(keysFile, 'utf8')) : saveKeys([newKey()]),

  reset() {
    this.accounts = new Map(config.accounts.map((account) => [account.login, structuredClone(account)]));
    this.lifetimes = { ...LIFETIMES };
    this.misbehave = undefined;
    this.backchannel.length = 0;
  },

  rotateKeys(retire) {
    this.keys = saveKeys([newKey(), ...(retire ? [] : this.keys)]);
    open();
  },

  bySub(sub) {
    return [...this.accounts.values()].find((account) => account.sub === sub);
  },

  // Takes the planned wrong answer if it is meant for this place, once.
  takeCase(where, grant) {
    const plan = this.misbehave;
    if (!plan || plan.where !== where || (plan.grant && plan.grant !== grant)) return undefined;
    plan.times -= 1;
    if (plan.times <= 0) this.misbehave = undefined;
    return plan.case;
  },

  async signOut(account) {
    const ended = [];
    for (const [id, payload] of store.all('Session')) {
      if (payload.accountId === account.sub) {
        const session = await provider.Session.find(id);
        for (const clientId of Object.keys(session?.authorizations ?? {})) {
          const client = await provider.Client.find(clientId);
          await client.backchannelLogout(account.sub, session.sidFor(clientId))
            .then(() => ended.push({ client: clientId, told: true }))
            .catch((error) => ended.push({ client: clientId, told: false, error: error.message }));
        }
        await session?.destroy();
      }
    }
    this.revoke(account);
    return { ended };
  },

  revoke(account) {
    let revoked = 0;
    for (const model of ['RefreshToken', 'AccessToken', 'Grant']) {
      for (const [id, payload] of store.all(model)) {
        if (payload.accountId === account.sub) {
          store.delete(`${model}:${id}`);
          revoked += 1;
        }
      }
    }
    return { revoked };
  },
};
world.reset();

const claimsOf = (account) => ({
  sub: account.sub,
  preferred_username: account.login,
  name: account.name,
  email: account.email,
  email_verified: true,
  groups: account.groups,
  employee_number: account.employee_number,
});

// oidc-provider refuses connections to loopback addresses, which is right for a provider on the
// internet and wrong for a world on one machine: its dispatcher is left out.
function plainFetch(url, { dispatcher, ...options }) {
  const logoutToken = options.body instanceof URLSearchParams && options.body.get('logout_token');
  if (logoutToken) {
    const kind = world.takeCase('logout_token');
    if (kind) {
      options.body.set('logout_token', spoil(kind, logoutToken, { keys: world.keys, clientSecret: config.client.secret }));
    }
  }
  return fetch(url, options);
}

function configuration() {
  const lifetime = (name) => () => world.lifetimes[name];
  return {
    adapter: adapter(store),
    clients: [{
      client_id: config.client.id,
      client_secret: config.client.secret,
      client_name: 'Gatehouse',
      redirect_uris: config.client.redirect_uris,
      post_logout_redirect_uris: config.client.post_logout_redirect_uris,
      backchannel_logout_uri: config.client.backchannel_logout_uri,
      backchannel_logout_session_required: true,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    jwks: { keys: world.keys },
    cookies: { keys: config.cookie_keys },
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'employee_number'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    scopes: ['openid', 'offline_access', 'profile', 'email', 'groups'],
    // The ID token carries what the scopes ask for, as most companies' providers do it.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => { ctx.body = pages.signOut(form); },
        postLogoutSuccessSource: async (ctx) => { ctx.body = pages.signedOut(); },
      },
    },
    ttl: {
      AccessToken: lifetime('access_token'),
      AuthorizationCode: 60,
      IdToken: lifetime('id_token'),
      Interaction: 3600,
      RefreshToken: lifetime('refresh_token'),
      Grant: lifetime('session'),
      Session: lifetime('session'),
    },
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: () => true,
    fetch: plainFetch,
    findAccount: async (ctx, sub) => {
      const account = world.bySub(sub);
      if (!account || account.disabled) return undefined;
      return { accountId: sub, claims: async () => claimsOf(account) };
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    // Nobody is asked for consent: the one client is the organisation's own.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope('openid offline_access profile email groups');
      grant.addOIDCClaims(Object.keys(claimsOf({})));
      await grant.save();
      return grant;
    },
    renderError: async (ctx, out) => {
      ctx.type = 'html';
      ctx.body = pages.problem('The sign-in did not work', `${out.error}: ${out.error_description ?? ''}`);
    },
  };
}

let provider;
let handle;

function open() {
  provider = new Provider(config.issuer, configuration());
  provider.use(wrongAnswers);
  provider.on('server_error', (ctx, error) => console.error('server error', error));
  for (const event of ['backchannel.success', 'backchannel.error']) {
    provider.on(event, (ctx, ...rest) => {
      const error = rest.find((value) => value instanceof Error);
      world.backchannel.push({ event, error: error?.message });
      if (error) console.error(event, error.message);
    });
  }
  handle = provider.callback();
}

async function wrongAnswers(ctx, next) {
  await next();
  const route = ctx.oidc?.route;
  if (route === 'token') {
    const kind = world.takeCase('id_token', ctx.oidc.params?.grant_type);
    if (!kind) return;
    if (kind === 'token-error') {
      ctx.status = 500;
      ctx.body = { error: 'server_error', error_description: 'planned' };
    } else if (kind === 'token-hang') {
      await new Promise((resolve) => { setTimeout(resolve, 120000).unref(); });
    } else if (ctx.body?.id_token) {
      ctx.body = { ...ctx.body, id_token: spoil(kind, ctx.body.id_token, { keys: world.keys, clientSecret: config.client.secret }) };
    }
  } else if (route === 'userinfo' && world.misbehave?.case === 'userinfo-invalid-sub') {
    world.takeCase(world.misbehave.where);
    ctx.body = { ...ctx.body, sub: 'somebody-else' };
  } else if (route === 'discovery' && world.misbehave?.case === 'discovery-issuer-mismatch') {
    world.takeCase(world.misbehave.where);
    ctx.body = { ...ctx.body, issuer: 'https://somebody-else.example' };
  }
}

async function form(req) {
  let text = '';
  for await (const chunk of req) {
    text += chunk;
    if (text.length > 16384) throw new Error('the form is too large');
  }
  return new URLSearchParams(text);
}

async function interaction(req, res) {
  const html = (status, body) => {
    res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
    res.end(body);
  };
  const { pathname } = new URL(req.url, config.issuer);
  let details;
  try {
    details = await provider.interactionDetails(req, res);
  } catch {
    return html(400, pages.problem('This sign-in has ended', 'It took too long or was opened in another window. Go back to the console and sign in again.'));
  }
  const base = `/interaction/${details.uid}`;
  if (pathname === `${base}/abort`) {
    return provider.interactionFinished(req, res, {
      error: 'access_denied', error_description: 'The sign-in was cancelled.',
    }, { mergeWithLastSubmission: false });
  }
  if (details.prompt.name === 'consent') {
    return provider.interactionFinished(req, res, { consent: {} }, { mergeWithLastSubmission: true });
  }
  const show = (status, error, typed) => html(status, pages.signIn({
    action: `${base}/login`,
    abort: `${base}/abort`,
    accounts: [...world.accounts.values()].filter((account) => !account.disabled),
    client: 'Gatehouse',
    error,
    typed,
  }));
  if (req.method !== 'POST') return show(200, undefined, details.params.login_hint);
  const given = await form(req);
  const login = given.get('login')?.trim();
  const account = world.accounts.get(login);
  if (!account || account.disabled || account.password !== given.get('password')) {
    return show(422, 'This login and password do not belong together.', login);
  }
  return provider.interactionFinished(req, res, { login: { accountId: account.sub } }, { mergeWithLastSubmission: false });
}

open();

const server = createServer((req, res) => {
  const failed = (error) => {
    console.error(error);
    if (!res.headersSent) res.writeHead(500, { 'content-type': 'text/plain' });
    res.end('The provider failed; its log says why.\n');
  };
  if (req.url === '/admin' || req.url.startsWith('/admin/')) admin(world, req, res).catch(failed);
  else if (req.url.startsWith('/interaction/')) interaction(req, res).catch(failed);
  else if (req.url === '/healthz') res.end('ok\n');
  else handle(req, res);
});
server.listen(config.port, '127.0.0.1', () => console.log(`listening on ${config.port} as ${config.issuer}`));

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    store.save();
    process.exit(0);
  });
}
