// Kill -9 of the console at each boundary between decided and applied: one effect, one end.
// The specs start the console themselves, one after the other on one database: first one that
// takes the request, then one that kills itself at the boundary, then one that finishes.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ask, decide, kubectl, remove, standing, stands } from "../support/actions.ts";
import { expect, test, world } from "../support/fixtures.ts";

const CLUSTER = "cloud-1";
const NAMESPACE = "logistics-dev";
const APPROVER = "approver-logistics";
const NAME = "killed-on-the-way";

const BOUNDARIES = ["hold-over", "queued", "claimed", "checked", "intent", "effect", "recorded"];

test.describe.configure({ timeout: 120_000 });
// Pages that are open while their console dies say so.
test.use({ expectedErrors: ["net::ERR_"] });

let running: ChildProcess | undefined;

/** Starts the console and waits until it answers; with a boundary it kills itself there. */
async function start(url: string, dieAt?: string) {
  const program = process.env[dieAt ? "GATEHOUSE_DIES_AT_BIN" : "GATEHOUSE_BIN"];
  const config = process.env.GATEHOUSE_CONFIG;
  if (!program || !config) throw new Error("start with `cargo xtask test --only browser`");
  running = spawn(program, dieAt ? [] : ["--config", config], {
    stdio: "ignore",
    env: {
      ...process.env,
      GATEHOUSE_DECISIONS__HOLD_SECONDS: "1",
      GATEHOUSE_DECISIONS__APPLY_LEASE_SECONDS: "5",
      GATEHOUSE_TEST_DIE_AT: dieAt,
    },
  });
  await expect(async () => expect((await fetch(`${url}/readyz`)).status).toBe(200)).toPass({ timeout: 30_000 });
}

async function kill() {
  if (!running || running.exitCode !== null || running.signalCode !== null) return;
  const ended = once(running, "exit");
  running.kill("SIGKILL");
  await ended;
}

/** What was written to the deployment, as the API server itself tells: dry runs are no writes. */
function writes(name: string) {
  const log = world().clusters.find((one) => one.name === CLUSTER)?.audit_log ?? "";
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.includes(`"name":"${name}"`))
    .map((line) => JSON.parse(line))
    .filter(({ requestURI, verb, objectRef, responseStatus }) =>
      verb === "patch" && objectRef.resource === "inferenceservices" && !objectRef.subresource
      && requestURI.includes("fieldManager=gatehouse") && !requestURI.includes("dryRun") && responseStatus.code < 300);
}

test.afterEach(kill);

for (const [index, boundary] of BOUNDARIES.entries()) {
  // Without the boundary's name: the log is searched for words that one of them is.
  const name = `${NAME}-${index}-${process.env.GATEHOUSE_DATABASE}`;

  test(`killed at “${boundary}”: one effect, one end`, async ({ as, baseURL }) => {
    const url = baseURL ?? "";
    remove(CLUSTER, NAMESPACE, name);
    await start(url);
    const change = await ask(await as("ai"), name, NAMESPACE, `Killed at ${boundary}`);
    await kill();

    await start(url, boundary);
    const dying = running as ChildProcess;
    const died = once(dying, "exit");
    const approver = await as(APPROVER, change);
    await decide(approver, "Approve", "Whatever happens on the way");
    await expect(standing(approver)).toContainText(/can still be undone|Approved|Being applied/);
    expect((await died)[1]).toBe("SIGKILL");
    const before = writes(name).length;
    expect(before).toBe(["effect", "recorded"].includes(boundary) ? 1 : 0);

    await start(url);
    const page = await as("ai");
    await stands(page, change, "Applied and read back", 60_000);
    expect(writes(name)).toHaveLength(1);
    const object = JSON.parse(kubectl(CLUSTER, "--namespace", NAMESPACE, "get", "inferenceservice", name, "--output", "json"));
    expect(object.metadata.generation).toBe(1);

    // The log has an end for every beginning, and one success.
    const auditor = await as("auditor", `/audit?object=${encodeURIComponent(`deployment:${CLUSTER}/${NAMESPACE}/${name}`)}`);
    const records = await auditor.getByRole("row").filter({ hasText: "item.apply" }).allInnerTexts();
    const intents = records.filter((text) => /\bintent\b/.test(text));
    expect(intents.length).toBeGreaterThan(0);
    expect(records).toHaveLength(2 * intents.length);
    expect(records.filter((text) => /\bsuccess\b/.test(text))).toHaveLength(1);
    remove(CLUSTER, NAMESPACE, name);
  });
}
