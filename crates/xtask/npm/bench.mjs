// What the benchmark does to the world and asks of it; called by `cargo xtask bench`.
//   bench.mjs sign-in LOGIN          → {"cookie": "…"}
//   bench.mjs deployments FROM TO    makes stopped deployments FROM..TO-1
//   bench.mjs applied LOGIN COUNT    → {"applied": [ms…], "direct": [ms…]}
import { readFileSync } from "node:fs";
import https from "node:https";

const world = JSON.parse(readFileSync(process.env.GATEHOUSE_WORLD, "utf8"));
const console_ = process.env.GATEHOUSE_URL;
const cluster = world.clusters[0];
const NAMESPACE = "research-dev";
const CONNECTIONS = 8;

const kubeconfig = JSON.parse(readFileSync(cluster.admin_kubeconfig, "utf8"));
const user = kubeconfig.users[0].user;
const agent = new https.Agent({
  keepAlive: true,
  maxSockets: CONNECTIONS * 2,
  ca: readFileSync(cluster.ca),
  cert: user["client-certificate-data"] && Buffer.from(user["client-certificate-data"], "base64"),
  key: user["client-key-data"] && Buffer.from(user["client-key-data"], "base64"),
});

/** One request to the API server, past every proxy. */
function api(method, path, body, type = "application/json") {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": type, accept: "application/json" };
    if (user.token) headers.authorization = `Bearer ${user.token}`;
    const request = https.request(new URL(path, cluster.direct_server), { method, agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part)).on("end", () => {
        if (answer.statusCode < 300) resolve(JSON.parse(text));
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 500)}`));
      });
    });
    request.on("error", reject).end(body && JSON.stringify(body));
  });
}

const services = `/apis/serving.kserve.io/v1beta1/namespaces/${NAMESPACE}/inferenceservices`;

function service(index, name = `bench-${String(index).padStart(5, "0")}`, stopped = true) {
  return {
    apiVersion: "serving.kserve.io/v1beta1",
    kind: "InferenceService",
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { "gatehouse.dev/bench": "true" },
      // Stopped: the object and its status are real, and no pods are needed.
      annotations: {
        "serving.kserve.io/deploymentMode": "Standard",
        // Not "false" otherwise: whoever sets a field owns it, and the console takes none away.
        ...(stopped && { "serving.kserve.io/stop": "true" }),
      },
    },
    spec: {
      predictor: {
        minReplicas: 1,
        maxReplicas: 1,
        model: {
          modelFormat: { name: "sklearn" },
          storageUri: `pvc://models/bench/${index}`,
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { cpu: "1", memory: "1Gi" } },
        },
      },
    },
  };
}

async function deployments(from, to) {
  let next = from;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (next < to) {
      const index = next++;
      await api("POST", services, service(index)).catch((error) => {
        // Left from a run that was cut off: it is what we want.
        if (!String(error).includes(" 409 ")) throw error;
      });
    }
  }));
}

/** A browser's cookies, for as much of it as signing in needs. */
class Browser {
  jars = new Map();

  async go(method, url, form) {
    for (let hops = 0; hops < 20; hops++) {
      const jar = this.jars.get(new URL(url).host) ?? new Map();
      this.jars.set(new URL(url).host, jar);
      const headers = { cookie: [...jar].map((pair) => pair.join("=")).join("; "), accept: "text/html" };
      if (method === "POST") Object.assign(headers, { origin: new URL(url).origin, "sec-fetch-site": "same-origin" });
      const answer = await fetch(url, { method, headers, body: form && new URLSearchParams(form), redirect: "manual" });
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(";");
        const at = pair.indexOf("=");
        const gone = /max-age=0\b|expires=thu, 01 jan 1970/i.test(line);
        if (gone) jar.delete(pair.slice(0, at));
        else jar.set(pair.slice(0, at), pair.slice(at + 1));
      }
      const to = answer.headers.get("location");
      if (!to) return { url, status: answer.status, text: await answer.text() };
      await answer.arrayBuffer();
      url = new URL(to, url).href;
      if (answer.status !== 307 && answer.status !== 308) [method, form] = ["GET", undefined];
    }
    throw new Error(`${url}: too many redirects`);
  }

  cookie(url) {
    return [...(this.jars.get(new URL(url).host) ?? [])].map((pair) => pair.join("=")).join("; ");
  }
}

async function signIn(login) {
  const account = world.provider.accounts.find((one) => one.login === login);
  const browser = new Browser();
  let page = await browser.go("GET", console_);
  if (!page.url.startsWith(world.provider.issuer)) {
    const link = /<a[^>]+href="([^"]*(?:sign-?in|login)[^"]*)"/i.exec(page.text);
    if (!link) throw new Error(`${page.url} leads to no sign-in`);
    page = await browser.go("GET", new URL(link[1].replaceAll("&amp;", "&"), page.url).href);
  }
  const action = /<form method="post" action="([^"]+)"/.exec(page.text)?.[1].replaceAll("&amp;", "&");
  if (!action) throw new Error(`${page.url} has no sign-in form`);
  page = await browser.go("POST", new URL(action, page.url).href, { login, password: account.password });
  if (!page.url.startsWith(console_) || page.status !== 200) throw new Error(`signing in ended at ${page.url} with ${page.status}`);
  return browser;
}

/**
 * What a change takes from the click to the applied object, and the API server's part of it.
 * Stopping is the change that is decided at once: it needs a right and no approval.
 */
async function applied(login, count) {
  const browser = await signIn(login);
  const result = { applied: [], direct: [] };
  const round = Date.now().toString(36);
  for (let index = 0; index < count; index++) {
    const name = `bench-live-${round}-${index}`;
    const path = `${services}/${name}`;
    await api("POST", services, service(index, name, false));

    // A change of the same size made directly: the baseline.
    const metadata = { name, annotations: { "gatehouse.dev/bench": round } };
    const patch = { apiVersion: "serving.kserve.io/v1beta1", kind: "InferenceService", metadata };
    let begun = performance.now();
    await api("PATCH", `${path}?fieldManager=bench`, patch, "application/apply-patch+yaml");
    result.direct.push(performance.now() - begun);

    await seen(browser, name);
    begun = performance.now();
    const url = new URL(`/deployments/${cluster.name}/${NAMESPACE}/${name}/stop`, console_).href;
    const page = await browser.go("POST", url, { comment: "benchmark" });
    if (page.status >= 400) throw new Error(`POST ${url}: ${page.status} ${words(page.text)}`);
    for (;;) {
      const now = await api("GET", path);
      if (now.metadata.annotations?.["serving.kserve.io/stop"] === "true") break;
      if (performance.now() - begun > 30_000) throw new Error(`${name}: not applied within 30 s`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    result.applied.push(performance.now() - begun);
    await api("DELETE", path);
  }
  return result;
}

/** The part of a page that says what is wrong. */
function words(html) {
  const main = /<main[\s\S]*<\/main>/.exec(html)?.[0] ?? html;
  return main.replace(/<(script|style)[\s\S]*?<\/\1>/g, " ").replace(/<[^>]+>/g, " ").replace(/\s+/g, " ").slice(0, 1000);
}

/** Waits until the console's watch has the object. */
async function seen(browser, name) {
  const url = new URL(`/deployments/${cluster.name}/${NAMESPACE}/${name}`, console_).href;
  for (let tries = 0; tries < 200; tries++) {
    if ((await browser.go("GET", url)).status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name}: the console does not see it`);
}

const [command, ...args] = process.argv.slice(2);
if (command === "sign-in") console.log(JSON.stringify({ cookie: (await signIn(args[0])).cookie(console_) }));
else if (command === "deployments") await deployments(Number(args[0]), Number(args[1]));
else if (command === "applied") console.log(JSON.stringify(await applied(args[0], Number(args[1]))));
else throw new Error(`unknown command ${command}`);
agent.destroy();
