// What the benchmark does to the world and asks of it; called by `cargo xtask bench`.
//   bench.mjs sign-in LOGIN          → {"cookie": "…"}
//   bench.mjs deployments FROM TO    makes stopped deployments FROM..TO-1
//   bench.mjs applied LOGIN COUNT    → {"applied": [ms…], "direct": [ms…]}
import { readFileSync } from "node:fs";
import https from "node:https";
import { address, signIn, words, world } from "./people.mjs";

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
    const url = new URL(`/deployments/${cluster.name}/${NAMESPACE}/${name}/stop`, address).href;
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

/** Waits until the console's watch has the object. */
async function seen(browser, name) {
  const url = new URL(`/deployments/${cluster.name}/${NAMESPACE}/${name}`, address).href;
  for (let tries = 0; tries < 200; tries++) {
    if ((await browser.go("GET", url)).status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${name}: the console does not see it`);
}

const [command, ...args] = process.argv.slice(2);
if (command === "sign-in") console.log(JSON.stringify({ cookie: (await signIn(args[0])).cookie(address) }));
else if (command === "deployments") await deployments(Number(args[0]), Number(args[1]));
else if (command === "applied") console.log(JSON.stringify(await applied(args[0], Number(args[1]))));
else throw new Error(`unknown command ${command}`);
agent.destroy();
