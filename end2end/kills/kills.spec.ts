// Kill -9 of the console at each boundary between decided and applied: one effect, one end.
// The specs start the console themselves, one after the other on one database: first one that
// takes the request, then one that kills itself at the boundary, then one that finishes.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ask, decide, kubectl, remove, standing, stands } from "../support/actions.ts";
import { expect, test, world } from "../support/fixtures.ts";
import type { Page } from "@playwright/test";

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

/** What was done to the deployment, as the API server itself tells: dry runs are no writes. */
function writes(name: string, verb = "patch") {
  const log = world().clusters.find((one) => one.name === CLUSTER)?.audit_log ?? "";
  return readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line.includes(`"name":"${name}"`))
    .map((line) => JSON.parse(line))
    .filter((entry) =>
      entry.verb === verb && entry.objectRef.resource === "inferenceservices" && !entry.objectRef.subresource
      && !entry.requestURI.includes("dryRun") && entry.responseStatus.code < 300
      && (verb === "delete" ? entry.userAgent === "gatehouse" : entry.requestURI.includes("fieldManager=gatehouse")));
}

type As = (login: string, path?: string) => Promise<Page>;

/** A console takes the request, one that kills itself at the boundary the decision, and a third finishes it. */
async function killedAt(boundary: string, url: string, as: As, asked: (requester: Page) => Promise<string>) {
  await start(url);
  const change = await asked(await as("ai"));
  await kill();

  await start(url, boundary);
  const died = once(running as ChildProcess, "exit");
  const approver = await as(APPROVER, change);
  await decide(approver, "Approve", "Whatever happens on the way");
  await expect(standing(approver)).toContainText(/can still be undone|Approved|Being applied/);
  expect((await died)[1]).toBe("SIGKILL");
  return change;
}

/** The change is applied by a console that lives; its page. */
async function finished(url: string, as: As, change: string) {
  await start(url);
  const page = await as("ai");
  await stands(page, change, "Applied and read back", 60_000);
  return page;
}

/** The log has an end for every beginning, and as many successes. */
async function ends(as: As, change: string, successes: number) {
  const auditor = await as("auditor", `/audit?change=${change.split("/").at(-1)}`);
  const records = await auditor.getByRole("row").filter({ hasText: "item.apply" }).allInnerTexts();
  const intents = records.filter((text) => /\bintent\b/.test(text));
  expect(intents.length).toBeGreaterThan(0);
  expect(records).toHaveLength(2 * intents.length);
  expect(records.filter((text) => /\bsuccess\b/.test(text))).toHaveLength(successes);
}

function stored(name: string) {
  return JSON.parse(kubectl(CLUSTER, "--namespace", NAMESPACE, "get", "inferenceservice", name, "--output", "json"));
}

test.afterEach(kill);

for (const [index, boundary] of BOUNDARIES.entries()) {
  // Without the boundary's name: the log is searched for words that one of them is.
  const name = `${NAME}-${index}-${process.env.GATEHOUSE_DATABASE}`;

  test(`killed at “${boundary}”: one effect, one end`, async ({ as, baseURL }) => {
    const url = baseURL ?? "";
    remove(CLUSTER, NAMESPACE, name);
    const change = await killedAt(boundary, url, as, (requester) => ask(requester, name, NAMESPACE, `Killed at ${boundary}`));
    expect(writes(name)).toHaveLength(["effect", "recorded"].includes(boundary) ? 1 : 0);
    await finished(url, as, change);
    expect(writes(name)).toHaveLength(1);
    expect(stored(name).metadata.generation).toBe(1);
    await ends(as, change, 1);
    remove(CLUSTER, NAMESPACE, name);
  });
}

// Every boundary has its own test above, on both databases; these two are one for each.
for (const [index, boundary] of [process.env.GATEHOUSE_DATABASE === "postgres" ? "effect" : "intent"].entries()) {
  const name = `${NAME}-again-${index}-${process.env.GATEHOUSE_DATABASE}`;
  const deployment = `/deployments/${CLUSTER}/${NAMESPACE}/${name}`;

  test(`an update and a deletion killed at “${boundary}”: one effect and one end each`, async ({ as, baseURL }) => {
    test.setTimeout(240_000);
    const url = baseURL ?? "";
    remove(CLUSTER, NAMESPACE, name);
    await start(url);
    const create = await ask(await as("ai"), name, NAMESPACE, `Changed and killed at ${boundary}`);
    await decide(await as(APPROVER, create), "Approve", "It has to be there first");
    await stands(await as("ai"), create, "Applied and read back", 60_000);
    await kill();

    const update = await killedAt(boundary, url, as, async (requester) => {
      await opened(requester, `${deployment}/scale`);
      await requester.getByLabel("Smallest number of replicas").fill("2");
      await requester.getByLabel("Largest number of replicas").fill("2");
      await requester.getByRole("button", { name: "Ask for it" }).click();
      return changeOf(requester);
    });
    expect(writes(name)).toHaveLength(boundary === "effect" ? 2 : 1);
    await finished(url, as, update);
    expect(writes(name)).toHaveLength(2);
    expect(stored(name).metadata.generation).toBe(2);
    await ends(as, update, 1);
    await kill();

    const deletion = await killedAt(boundary, url, as, async (requester) => {
      await opened(requester, `${deployment}/delete`);
      await requester.getByRole("button", { name: "Ask for the deletion" }).click();
      return changeOf(requester);
    });
    expect(writes(name, "delete")).toHaveLength(boundary === "effect" ? 1 : 0);
    await finished(url, as, deletion);
    expect(writes(name, "delete")).toHaveLength(1);
    expect(kubectl(CLUSTER, "--namespace", NAMESPACE, "get", "inferenceservice", name, "--ignore-not-found").trim()).toBe("");
    // Who found it gone cannot know by whom, and does not say that it was this change.
    await ends(as, deletion, boundary === "effect" ? 0 : 1);
  });
}

/** Opens a page of the deployment: a console that has just been started may not have seen it yet. */
async function opened(page: Page, path: string) {
  await expect(async () => expect((await page.goto(path))?.status()).toBe(200)).toPass({ timeout: 30_000 });
}

/** The change that was just asked for. */
async function changeOf(page: Page) {
  await page.waitForURL(/\/changes\/[^/]+$/);
  return new URL(page.url()).pathname;
}
