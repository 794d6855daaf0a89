// What the benchmark does to the world and asks of it; called by `cargo xtask bench`.
//   bench.mjs sign-in LOGIN          → {"cookie": "…"}
//   bench.mjs deployments FROM TO    makes stopped deployments FROM..TO-1
//   bench.mjs draft LOGIN            begins a draft → {"path": "/deploy/…"}
//   bench.mjs applied COUNT          → {"applied": [ms…], "direct": [ms…]}
import { readFileSync } from "node:fs";
import https from "node:https";
import { address, signIn, words, world, written } from "./people.mjs";

const cluster = world.clusters[0];
const NAMESPACE = "research-dev";
/** The deployment that changes are asked for: one of the seed's, made of what the catalogue knows. */
const CHANGED = "iris";
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

function service(index) {
  return {
    apiVersion: "serving.kserve.io/v1beta1",
    kind: "InferenceService",
    metadata: {
      name: `bench-${String(index).padStart(5, "0")}`,
      namespace: NAMESPACE,
      labels: { "gatehouse.dev/bench": "true" },
      // Stopped: the object and its status are real, and no pods are needed.
      annotations: {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/stop": "true",
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

/** Asks again and again until there is an answer. */
async function until(what, pause, ask) {
  for (const end = performance.now() + 30_000; ; ) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`${what}: waited 30 s in vain`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Begins a draft that changes the deployment; it is of whoever signs in. */
async function draft(login) {
  const browser = await signIn(login);
  const page = await browser.go("POST", new URL("/deploy", address).href, { deployment: `${cluster.name}/${NAMESPACE}/${CHANGED}` });
  const path = /^\/deploy\/[^/]+/.exec(new URL(page.url).pathname)?.[0];
  if (page.status !== 200 || !path) throw new Error(`POST /deploy ended at ${page.url} with ${page.status}: ${words(page.text)}`);
  return { path };
}

const USE = { purpose: "Measures how long an approved change takes", owner: "Benchmark", risk_tier: "low", data_class: "public", exposure: "one team" };

/** A server-side apply by this script alone. */
function apply(manifest) {
  return api("PATCH", `${services}/${manifest.metadata.name}?fieldManager=bench`, manifest, "application/apply-patch+yaml");
}

/**
 * What a change takes from the sending of its approval until the API server has the new content: the
 * decision, the end of its hold (of no seconds: the console is configured so), the queue, the worker's
 * checks, its dry run and its apply. And the same apply by this script alone, to an object of the same
 * content: the API server's part of it.
 */
async function applied(count) {
  const [asker, approver] = [await signIn("ai"), await signIn("approver-research")];
  const deployment = `/api/v1/deployments/${cluster.name}/${NAMESPACE}/${CHANGED}`;
  const path = `${services}/${CHANGED}`;
  const copy = `bench-live-${Date.now().toString(36)}`;
  const result = { applied: [], direct: [] };
  // What the console shows of the deployment. One that has just been started may not have seen it yet.
  const shown = async () => {
    const seen = await asker.api("GET", deployment).catch((error) => {
      if (error.status !== 404 && error.status !== 503) throw error;
    });
    return seen?.live.object;
  };
  // A change keeps what was known of its model when it was asked for: the catalogue comes first.
  await until("the first sync of the registry", 500, async () => {
    const { rows } = await asker.api("GET", "/api/v1/registries");
    return rows.some((one) => one.name === "main" && one.status.last_success);
  });
  let object = await until(CHANGED, 100, shown);
  try {
    await apply(renamed(written(object), copy));
    for (let index = 0; index < count; index++) {
      const manifest = written(object);
      const timeout = (manifest.spec.predictor.timeout ?? 60) + 1;
      manifest.spec.predictor.timeout = timeout;

      let begun = performance.now();
      await apply(renamed(manifest, copy));
      result.direct.push(performance.now() - begun);

      const asked = { kind: "update", cluster: cluster.name, namespace: NAMESPACE, ...USE, comment: `Timeout ${timeout} s`, manifest };
      const { change } = await asker.api("POST", "/api/v1/changes", asked);
      const about = `/api/v1/changes/${change.id}`;
      const { revision } = await approver.api("GET", about);
      const decision = { outcome: "approve", reason: "benchmark", revision: revision.number, content_hash: revision.content_hash };
      begun = performance.now();
      const there = until(`${CHANGED} with a timeout of ${timeout} s`, 2, async () => {
        const now = await api("GET", path);
        return now.spec.predictor.timeout === timeout && performance.now();
      });
      const [at] = await Promise.all([there, approver.api("POST", `${about}/decisions`, decision)]);
      result.applied.push(at - begun);

      // The next one begins from what the console shows when this one has ended.
      await until(`the end of change ${change.id}`, 25, async () => {
        const seen = await asker.api("GET", about);
        if (["waiting", "held", "queued", "applying"].includes(seen.change.state)) return false;
        if (seen.change.state !== "applied") throw new Error(`${CHANGED}: ${seen.change.state}: ${seen.change.end_reason}`);
        return true;
      });
      object = await until(`${CHANGED} as it was changed`, 25, async () => {
        const now = await shown();
        return now?.spec.predictor.timeout === timeout && now;
      });
    }
  } finally {
    await api("DELETE", `${services}/${copy}`).catch(() => {});
  }
  return result;
}

/** The same under another name. */
function renamed(manifest, name) {
  return { ...manifest, metadata: { ...manifest.metadata, name } };
}

const [command, ...args] = process.argv.slice(2);
if (command === "sign-in") console.log(JSON.stringify({ cookie: (await signIn(args[0])).cookie(address) }));
else if (command === "deployments") await deployments(Number(args[0]), Number(args[1]));
else if (command === "draft") console.log(JSON.stringify(await draft(args[0])));
else if (command === "applied") console.log(JSON.stringify(await applied(Number(args[0]))));
else throw new Error(`unknown command ${command}`);
agent.destroy();
