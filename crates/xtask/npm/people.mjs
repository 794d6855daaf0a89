// People at the console: who they are, how they sign in, what they send. Used by the scripts beside it.
import { readFileSync } from "node:fs";

export const world = JSON.parse(readFileSync(process.env.GATEHOUSE_WORLD, "utf8"));
export const address = process.env.GATEHOUSE_URL;

/** A browser's cookies, for as much of it as signing in and sending forms needs. */
export class Browser {
  jars = new Map();

  async go(method, url, form) {
    for (let hops = 0; hops < 20; hops++) {
      const answer = await this.send(method, url, { accept: "text/html" }, form && new URLSearchParams(form));
      const to = answer.headers.get("location");
      if (!to) return { url, status: answer.status, text: await answer.text() };
      await answer.arrayBuffer();
      url = new URL(to, url).href;
      if (answer.status !== 307 && answer.status !== 308) [method, form] = ["GET", undefined];
    }
    throw new Error(`${url}: too many redirects`);
  }

  /** One call of the console's API; the answer, or what its problem says. */
  async api(method, path, body) {
    const headers = { accept: "application/json", ...(body && { "content-type": "application/json" }) };
    const answer = await this.send(method, new URL(path, address).href, headers, body && JSON.stringify(body));
    const text = await answer.text();
    if (answer.ok) return JSON.parse(text);
    throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${problem(text)}`), { status: answer.status });
  }

  /** One request, with the cookies of its host. */
  async send(method, url, headers, body) {
    const { host, origin } = new URL(url);
    const jar = this.jars.get(host) ?? new Map();
    this.jars.set(host, jar);
    headers.cookie = this.cookie(url);
    if (method === "POST") Object.assign(headers, { origin, "sec-fetch-site": "same-origin" });
    const answer = await fetch(url, { method, headers, body, redirect: "manual", signal: AbortSignal.timeout(60_000) });
    for (const line of answer.headers.getSetCookie()) {
      const [pair] = line.split(";");
      const at = pair.indexOf("=");
      const gone = /max-age=0\b|expires=thu, 01 jan 1970/i.test(line);
      if (gone) jar.delete(pair.slice(0, at));
      else jar.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  }

  cookie(url) {
    return [...(this.jars.get(new URL(url).host) ?? [])].map((pair) => pair.join("=")).join("; ");
  }
}

export async function signIn(login) {
  const account = world.provider.accounts.find((one) => one.login === login);
  const browser = new Browser();
  let page = await browser.go("GET", address);
  if (!page.url.startsWith(world.provider.issuer)) {
    const link = /<a[^>]+href="([^"]*(?:sign-?in|login)[^"]*)"/i.exec(page.text);
    if (!link) throw new Error(`${page.url} leads to no sign-in`);
    page = await browser.go("GET", new URL(link[1].replaceAll("&amp;", "&"), page.url).href);
  }
  const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1].replaceAll("&amp;", "&");
  if (!action) throw new Error(`${page.url} has no sign-in form`);
  page = await browser.go("POST", new URL(action, page.url).href, { login, password: account.password });
  if (!page.url.startsWith(address) || page.status !== 200) throw new Error(`signing in ended at ${page.url} with ${page.status}`);
  return browser;
}

/** The object as somebody who edits it writes it: without what others keep on it. */
export function written({ apiVersion, kind, metadata, spec }) {
  const { name, namespace, labels, annotations = {} } = metadata;
  delete annotations["kubectl.kubernetes.io/last-applied-configuration"];
  return { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec };
}

/** The part of a page that says what is wrong. */
export function words(html) {
  const main = /<main[\s\S]*<\/main>/.exec(html)?.[0] ?? html;
  return main.replace(/<(script|style)[\s\S]*?<\/\1>/g, " ").replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 1000);
}

/** What an answer of the API says is wrong. */
function problem(text) {
  try {
    const { detail, remedy, fields = [] } = JSON.parse(text);
    return [detail, remedy, ...fields.map((one) => `${one.field}: ${one.message}`)].filter(Boolean).join(" ");
  } catch {
    return text.slice(0, 300);
  }
}
