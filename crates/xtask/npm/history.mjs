// Gives a fresh world a past: what its people asked for and decided, done at the console as they do
// it, with their own sign-ins. Called by `cargo xtask run`; called again, it goes on where it was.
//   history.mjs WANTED               removes the file WANTED at its end; the last line says what was done
import { rmSync } from "node:fs";
import { signIn, written } from "./people.mjs";

/** The longest that is waited for anything. */
const LIMIT = 90_000;

const use = (purpose, owner, risk_tier, data_class, exposure) => ({ purpose, owner, risk_tier, data_class, exposure });
const approve = (reason) => ({ outcome: "approve", reason });
const reject = (reason) => ({ outcome: "reject", reason });
const TAKEN_OVER = "What runs already: asked for so that it is approved.";

/** A step: who asks, why, what becomes other in the object (nothing: what runs), what is decided (nothing: it waits). */
const as = (by, comment, decision, edit) => ({ by, comment, decision, edit });

const forecast = use("Orders of perishable goods for the shops, for the next fourteen days", "Retail supply team", "medium", "internal", "one team");

/** What a deployment is used for, and what was asked of it, in this order. The rest of what runs nobody ever approved. */
const PAST = [
  {
    at: "onprem-1/retail-prod/product-chat",
    use: use("Answers customers’ questions about products", "Retail web team", "high", "internal", "customers"),
    steps: [as("ai", TAKEN_OVER, approve("Signed by us, clean scan, and the answers were tested with the web team."))],
  },
  {
    at: "onprem-1/retail-prod/search-embeddings",
    use: use("Finds products by meaning in the shop’s search", "Retail search team", "low", "public", "customers"),
    steps: [as("ai", TAKEN_OVER, approve("It ranks products and writes nothing: low risk."))],
  },
  {
    at: "onprem-1/retail-prod/demand-forecast",
    use: forecast,
    steps: [
      as("ai", TAKEN_OVER, approve("The model of November. A person confirms each large order.")),
      as(
        "devops",
        "One thread a replica: each has one processor, and threads that share it answer more slowly.",
        approve("Same model, same answers, only the number of threads."),
        (object) => (object.spec.predictor.model.env = [{ name: "OMP_NUM_THREADS", value: "1" }]),
      ),
    ],
  },
  {
    at: "onprem-1/retail-staging/product-chat",
    use: use("Tries the smaller FP8 weights with a fifth of the test traffic before customers get them", "Retail web team", "low", "internal", "one team"),
    steps: [as("ai", "Stable and canary as they run: FP8 answers a fifth of the requests.", approve("Staging only; compare the answers before you ask for production."))],
  },
  {
    at: "cloud-1/retail-prod/product-chat",
    use: use("Answers customers’ questions about products when the data centre is busy", "Retail web team", "high", "internal", "customers"),
    steps: [as("ai", TAKEN_OVER, approve("The same model as on premises, with FP8 weights that were compared in staging."))],
  },
  {
    at: "cloud-1/retail-staging/nim-assistant",
    use: use("Compares NVIDIA’s packaged server with vLLM", "Retail platform team", "low", "internal", "one team"),
    steps: [as("devops", TAKEN_OVER, approve("A trial without customers, until the end of the quarter."))],
  },
  {
    at: "onprem-1/logistics-prod/route-planner",
    use: use("Explains planned tours to dispatchers and drivers", "Logistics planning team", "medium", "internal", "one team"),
    steps: [
      as("ai", TAKEN_OVER, approve("It explains tours and does not make them.")),
      as(
        "devops",
        "Explanations of long tours are cut off after a minute: two minutes for an answer.",
        undefined,
        (object) => (object.spec.predictor.timeout = 120),
      ),
    ],
  },
  {
    at: "onprem-1/logistics-prod/arrival-times",
    use: use("Tells customers when their parcel arrives", "Logistics planning team", "low", "internal", "customers"),
    steps: [as("ai", TAKEN_OVER, approve("A wrong time costs a call and no more. Renew the model before spring."))],
  },
  {
    at: "onprem-1/logistics-staging/delivery-notes",
    use: use("Reads drivers’ notes and suggests what happened to a parcel", "Logistics customer service", "medium", "confidential", "one team"),
    steps: [as("ai", "It does not start yet: memory. What it may do is to be approved all the same.", approve("Good for staging. It runs out of memory: mend that before production."))],
  },
  {
    at: "onprem-1/logistics-dev/label-reader",
    use: use("Reads damaged labels from photographs", "Logistics sorting team", "low", "internal", "one team"),
    steps: [as("devops", "Stopped until the cameras are there; to be started as it is.", approve("Start it when the cameras are there."))],
  },
  {
    at: "cloud-1/logistics-prod/support-chat",
    use: use("Answers drivers’ questions about their tours", "Logistics customer service", "medium", "internal", "whole organisation"),
    steps: [as("ai", TAKEN_OVER, approve("One to four replicas are within the budget."))],
  },
  {
    at: "onprem-1/research-staging/transcriber",
    use: use("Writes down interviews whose participants agreed", "Research interviews group", "medium", "confidential", "one team"),
    steps: [as("ai", TAKEN_OVER, approve("Consent is on file for each interview; recordings are deleted after 30 days."))],
  },
  {
    at: "onprem-1/research-dev/iris",
    use: use("Teaches new colleagues how a deployment works", "Research platform group", "low", "public", "one team"),
    steps: [
      as("ai", TAKEN_OVER, approve("Public data, development only.")),
      as(
        "ai",
        "Names the runtime that serves it, so that another one does not take its place by itself.",
        approve("The same runtime as before, now said."),
        (object) => (object.spec.predictor.model.runtime = "kserve-sklearnserver"),
      ),
    ],
  },
  {
    at: "cloud-1/research-prod/long-documents",
    use: use("Summarises long reports for researchers", "Research library", "medium", "confidential", "whole organisation"),
    steps: [as("ai", TAKEN_OVER, approve("Summaries are marked as such, and the report stands beside each."))],
  },
  {
    at: "cloud-1/retail-dev/review-sentiment",
    use: use("Says whether a review of a product is friendly", "Retail web team", "low", "public", "one team"),
    steps: [as("ai", TAKEN_OVER, reject("Found on a forum, signed by nobody, and its pickle runs a command when it is loaded. Stop it and train one of our own."))],
  },
  {
    at: "cloud-1/retail-prod/returns-forecast",
    use: use("Estimates how many ordered articles come back, so that shops can plan their staff", "Retail supply team", "medium", "internal", "one team"),
    steps: [
      as("ai", "The forecast of November, asked about returns; one replica is enough for a night’s run.", undefined, (object) => {
        delete object.spec.predictor.model.env;
        Object.assign(object.spec.predictor, { minReplicas: 1, maxReplicas: 1 });
      }),
    ],
    like: "onprem-1/retail-prod/demand-forecast",
  },
  {
    at: "cloud-1/research-staging/paper-chat",
    use: use("Answers questions about papers that a group uploads", "Research library", "low", "internal", "one team"),
    steps: [as("ai", TAKEN_OVER)],
  },
];

const people = new Map();
/**
 * Everybody signs in once, and nobody signs out: what waits is applied, some day, by the groups of
 * who asked for it, and those are asked for with the tokens of their session.
 */
function person(login) {
  if (!people.has(login)) people.set(login, signIn(login));
  return people.get(login);
}

/** Asks again and again until there is an answer. */
async function until(what, ask) {
  for (const end = Date.now() + LIMIT; ; ) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`${what}: waited ${LIMIT / 1000} s in vain`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function ask({ at, use, like = at }, { by, comment, edit }) {
  const asker = await person(by);
  const [cluster, namespace, name] = at.split("/");
  const tried = async () => {
    const seen = await asker.api("GET", `/api/v1/deployments/${like}`);
    const manifest = written(seen.live.object);
    Object.assign(manifest.metadata, { name, namespace });
    edit?.(manifest);
    const kind = like === at ? "update" : "create";
    return asker.api("POST", "/api/v1/changes", { kind, cluster, namespace, ...use, comment, manifest });
  };
  // A console that has just been started may not have seen the cluster, or the deployment, yet.
  const early = (error) => {
    if (error.status !== 404 && error.status !== 503) throw error;
  };
  return until(at, () => tried().catch(early));
}

/** The approver of the unit opens the change, and decides the content that it shows. */
async function decide(id, unit, { outcome, reason }) {
  const decider = await person(`approver-${unit}`);
  const seen = await decider.api("GET", `/api/v1/changes/${id}`);
  if (seen.change.state !== "waiting") return;
  await decider.api("POST", `/api/v1/changes/${id}/decisions`, { outcome, reason, revision: seen.revision.number, content_hash: seen.revision.content_hash });
}

/** Waits until a change is at its end. */
async function ended(id, at, wanted) {
  const reader = await person("ai");
  const change = await until(`the change of ${at}`, async () => {
    const seen = await reader.api("GET", `/api/v1/changes/${id}`);
    return !["waiting", "held", "queued", "applying"].includes(seen.change.state) && seen.change;
  });
  if (change.state !== wanted) throw new Error(`${at}: ${change.state}, not ${wanted}: ${change.end_reason}`);
}

let queue = Promise.resolve();
/** One after the other: each has the cluster check what is asked, and somebody looks at the console meanwhile. */
function inTurn(work) {
  const done = queue.then(work);
  queue = done.catch(() => {});
  return done;
}

const count = { asked: 0, decided: 0 };

async function follow(past, rows) {
  const { at, use, steps } = past;
  const [cluster, namespace, name] = at.split("/");
  const [unit] = namespace.split("-");
  // What an earlier call of this script asked for, oldest first.
  const known = rows
    .map((row) => row.change)
    .filter(({ place, object, usage }) => place.cluster_name === cluster && place.namespace === namespace && object.name === name && usage.purpose === use.purpose)
    .reverse();
  for (const [index, step] of steps.entries()) {
    const change = known[index] ?? (await inTurn(() => ask(past, step))).change;
    count.asked += 1;
    console.log(`${at}: ${known[index] ? "was" : "is"} asked for`);
    if (!step.decision) continue;
    await decide(change.id, unit, step.decision);
    const wanted = step.decision.outcome === "approve" ? "applied" : "rejected";
    await ended(change.id, at, wanted);
    count.decided += 1;
    console.log(`${at}: ${wanted}`);
  }
}

const reader = await person("ai");
// A change keeps what was known of its model when it was asked for: the catalogue comes first.
await until("the first sync of the registry", async () => {
  const { rows } = await reader.api("GET", "/api/v1/registries");
  return rows.length > 0 && rows.every((one) => one.status.last_success);
});
const { rows } = await reader.api("GET", "/api/v1/changes?limit=200");
const results = await Promise.allSettled(PAST.map((past) => follow(past, rows)));
const failed = results.filter((one) => one.status === "rejected");
for (const one of failed) console.error(one.reason.message);
// Whatever became of it, it was done; only one that was broken off goes on at the next start.
rmSync(process.argv[2], { force: true });
console.log(`${count.asked} changes asked for, ${count.decided} of them decided`);
if (failed.length > 0) process.exitCode = 1;
