// Who asks does not decide: with another account neither, and not by going past the page.
import { ask, decide, emptyDraft, manifest, saveYaml, standing, withdrawAll } from "../support/actions.ts";
import { expect, test } from "../support/fixtures.ts";
import type { Page } from "@playwright/test";

const NAMESPACE = "retail-dev";

// Several people and drafts in each.
test.describe.configure({ timeout: 120_000 });

/** A name of its own for each project. */
const named = (what: string, javascript: boolean) => `${what}-${javascript ? "js" : "plain"}`;

/** Sends a decision on the first revision past the page, with the hash that its content has. */
async function decideByHand(page: Page, change: string, hash: string) {
  return page.request.post(`${change}/decide`, {
    form: { outcome: "approve", reason: "Past the page", revision: "1", hash },
    headers: { origin: new URL(page.url()).origin },
    maxRedirects: 0,
  });
}

/** The whole content hash that the page shows. */
async function hashOf(page: Page) {
  return (await page.getByText(/^sha256:[0-9a-f]{64}$/).first().innerText()).trim();
}

test.beforeEach(async ({ as }) => {
  for (const login of ["ai", "devops"]) await withdrawAll(await as(login));
});

test("neither the requester nor the same person's other account can decide", async ({ as, javascript, accessible }) => {
  const requester = await as("ai");
  const change = await ask(requester, named("same-person", javascript), NAMESPACE, "Four eyes");
  const hash = await hashOf(requester);
  await expect(requester.getByText("You asked for this change, so somebody else has to decide it.")).toBeVisible();
  await expect(requester.getByRole("button", { name: "Approve" })).toHaveCount(0);
  await accessible(requester);
  expect((await decideByHand(requester, change, hash)).status()).toBe(403);

  const other = await as("ai-approver");
  await expect(other.getByRole("link", { name: "Decide next" })).toHaveCount(0);
  await other.goto(change);
  await expect(other.getByText("This holds for every account of yours.")).toBeVisible();
  await expect(other.getByRole("button", { name: "Approve" })).toHaveCount(0);
  expect((await decideByHand(other, change, hash)).status()).toBe(403);

  // Without any right there: not even that it exists.
  const stranger = await as("approver-logistics");
  expect((await stranger.goto(change))?.status()).toBe(404);
  await expect(stranger.getByRole("heading", { level: 1 })).toHaveText("Not found");
  await expect(stranger.locator("body")).not.toContainText("Four eyes");
  expect((await decideByHand(stranger, change, hash)).status()).toBe(404);

  await requester.goto(change);
  await expect(standing(requester)).toContainText("Waits for a decision");
  await expect(requester.getByText("Nobody has decided yet.")).toBeVisible();
  await requester.getByRole("button", { name: "Withdraw" }).click();
  await expect(standing(requester)).toContainText("Withdrawn");
  const approver = await as("approver-retail", change);
  await expect(approver.getByRole("button", { name: "Approve" })).toHaveCount(0);
});

test("an edit makes a new revision and voids what was decided", async ({ as, javascript, accessible }) => {
  const requester = await as("ai");
  const name = named("edited", javascript);
  const change = await ask(requester, name, NAMESPACE, "Before the edit");

  // It is applied with the requester's rights: a colleague with the same rights asks for one of their own.
  const colleague = await as("devops", change);
  await expect(colleague.getByRole("button", { name: "Edit" })).toHaveCount(0);

  // Two pages of one approver: the second stays at the first revision.
  const approver = await as("approver-retail", change);
  const late = await approver.context().newPage();
  const idle = await approver.context().newPage();
  for (const page of [late, idle]) await page.goto(change);
  await late.getByLabel("Reason").fill("For the content that I saw");

  await requester.getByRole("button", { name: "Edit" }).click();
  await requester.waitForURL(/\/deploy\//);
  const draft = new URL(requester.url()).pathname.replace(/\/[^/]+$/, "");
  await requester.goto(`${draft}/review`);
  await saveYaml(requester, await manifest(name, NAMESPACE, "    timeout: 120\n"));
  await expect(requester.getByRole("row", { name: /timeout/ }).or(requester.getByText("timeout: 120")).first()).toBeVisible();

  // While the decision can still be undone, the requester edits.
  await decide(approver, "Approve", "Good as it was");
  await expect(standing(approver)).toContainText("can still be undone");
  await requester.getByRole("button", { name: "Submit for approval" }).click();
  await requester.waitForURL(new RegExp(`${change}$`));
  await expect(standing(requester)).toContainText("Waits for a decision");
  await expect(requester.getByRole("region", { name: "Decisions" })).toContainText("void: edited since");

  // A page that is open does not put the new revision under the hand that is about to decide.
  if (javascript) {
    for (const page of [late, idle]) await expect(page.getByText("Revision 2 by")).toBeVisible();
    await expect(idle.getByRole("button", { name: "Approve" })).toHaveCount(0);
    await expect(late.getByLabel("Reason")).toHaveValue("For the content that I saw");
    await accessible(idle);
    await idle.getByRole("link", { name: "Show revision 2" }).click();
    await expect(idle.getByRole("button", { name: "Approve" })).toBeVisible();
    await expect(idle.getByText("timeout")).not.toHaveCount(0);
  }
  await idle.close();
  await late.getByRole("button", { name: "Approve" }).click();
  await expect(late.getByText("The change was edited after this page was shown; nothing was decided.")).toBeVisible();
  await expect(late.getByLabel("Reason")).toHaveValue("For the content that I saw");
  await accessible(late);
  await accessible(requester);

  await requester.getByRole("button", { name: "Withdraw" }).click();
  await expect(standing(requester)).toContainText("Withdrawn");
  await late.close();
});

test("of two approvers at once one decides and the other is told", async ({ as, javascript, accessible }) => {
  const requester = await as("devops");
  const change = await ask(requester, named("at-once", javascript), NAMESPACE, "Two at once");
  const first = await as("approver-retail", change);
  const second = await as("ai-approver", change);

  await second.getByLabel("Reason").fill("Fine with me");
  await decide(first, "Reject", "Not now");
  await expect(standing(first)).toContainText("can still be undone");
  await second.getByRole("button", { name: "Approve" }).click();
  await expect(second.getByText(/It no longer waits for a decision/).first()).toBeVisible();
  await expect(second.getByRole("region", { name: "Decisions" })).toContainText("Not now");
  await expect(second.getByRole("region", { name: "Decisions" })).not.toContainText("Fine with me");
  await accessible(second);

  await expect(async () => {
    await requester.goto(change);
    await expect(standing(requester)).toContainText("Rejected", { timeout: 250 });
  }).toPass({ timeout: 30_000 });
  await expect(standing(requester)).toContainText("Not now");
  await accessible(requester);
});

test("a decision without a reason is refused, and one for unknown content too", async ({ as, javascript }) => {
  const requester = await as("ai");
  const change = await ask(requester, named("no-reason", javascript), NAMESPACE, "Reasons are evidence");
  const hash = await hashOf(requester);
  const approver = await as("approver-retail", change);
  const send = (form: Record<string, string>) =>
    approver.request.post(`${change}/decide`, { form: { revision: "1", ...form }, headers: { origin: new URL(approver.url()).origin }, maxRedirects: 0 });
  expect((await send({ outcome: "approve", reason: "  ", hash })).status()).toBe(422);
  expect((await send({ outcome: "approve", reason: "x", hash: `sha256:${"0".repeat(64)}` })).status()).toBe(409);
  expect((await send({ outcome: "approve", reason: "x", revision: "2", hash })).status()).toBe(409);
  expect((await send({ outcome: "approve", reason: "x", revision: "", hash })).status()).toBe(422);
  expect((await send({ outcome: "maybe", reason: "x", hash })).status()).toBe(422);
  await requester.getByRole("button", { name: "Withdraw" }).click();
  await expect(standing(requester)).toContainText("Withdrawn");
});

test("a draft belongs to one person", async ({ as }) => {
  const mine = await as("ai");
  const draft = await emptyDraft(mine, "Mine alone");
  const other = await as("devops");
  expect((await other.goto(`${draft}/review`))?.status()).toBe(404);
  // The same person's other account has the right to its own drafts only where its roles allow asking.
  await mine.goto("/requests");
  await mine.getByRole("row", { name: /Unnamed deployment/ }).first().getByRole("button", { name: "Discard" }).click();
  expect((await mine.goto(`${draft}/review`))?.status()).toBe(404);
});
