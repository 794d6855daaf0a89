// Every kind of page, in both themes and widths: no finding of axe, nothing wider than the window, and pictures to
// look at where `GATEHOUSE_SHOTS` names a folder.
import { ask, CRASHING, decide, HEALTHY, opens, standing, stands, withdrawAll } from "../support/actions.ts";
import { expect, test } from "../support/fixtures.ts";

test.describe.configure({ timeout: 600_000 });

test("the pages of what is there", async ({ as, picture }) => {
  const page = await as("platform");
  await opens(page, "/catalog");
  const model = await page.getByRole("link", { name: "Iris classifier", exact: true }).getAttribute("href");
  await opens(page, model ?? "");
  const version = await page.getByRole("link", { name: "Newest version" }).getAttribute("href");
  const registry = await (async () => {
    await opens(page, "/registries");
    return page.locator("main a[href^='/registries/']:not([href$='/new'])").first().getAttribute("href");
  })();
  await opens(page, "/audit");
  const record = await page.locator("main td a[href^='/audit/']").first().getAttribute("href");
  const pages = {
    overview: "/",
    catalogue: "/catalog",
    model: model ?? "",
    version: version ?? "",
    registries: "/registries",
    registry: registry ?? "",
    "new-registry": "/registries/new",
    deployments: "/deployments",
    deployment: HEALTHY,
    "deployment-crashing": CRASHING,
    "deployment-pods": `${CRASHING}?tab=pods`,
    "deployment-revisions": `${HEALTHY}?tab=revisions`,
    "deployment-changes": `${HEALTHY}?tab=changes`,
    "deployment-yaml": `${HEALTHY}?tab=yaml`,
    scale: `${HEALTHY}/scale`,
    stop: `${HEALTHY}/stop`,
    delete: `${HEALTHY}/delete`,
    approvals: "/approvals",
    changes: "/changes",
    clusters: "/clusters",
    cluster: "/clusters/onprem-1",
    audit: "/audit",
    record: record ?? "",
  };
  for (const [name, path] of Object.entries(pages)) {
    await test.step(name, async () => {
      await opens(page, path);
      await picture(page, name);
    });
  }
});

test("the wizard's steps", async ({ as, picture }) => {
  const page = await as("ai", "/catalog?q=llama-3.1-8b");
  await page.getByRole("link", { name: /Llama 3.1 8B/ }).first().click();
  await page.getByRole("button", { name: "Deploy", exact: true }).first().click();
  await page.waitForURL(/\/review$/);
  const draft = new URL(page.url()).pathname.replace(/\/review$/, "");
  for (const step of ["review", "use", "source", "target", "resources"]) {
    await opens(page, `${draft}/${step}`);
    await picture(page, `wizard-${step}`);
  }
  const headers = { origin: new URL(page.url()).origin };
  expect((await page.request.post(`${draft}/discard`, { headers, maxRedirects: 0 })).status()).toBe(303);
});

test("a change from asked to rejected, and one that is withdrawn", async ({ as, picture, javascript }) => {
  const requester = await as("ai");
  await withdrawAll(requester);
  const name = `pictured-${javascript ? "js" : "plain"}`;
  const change = await ask(requester, name, "retail-dev", "To be looked at");
  await picture(requester, "change-asked");
  const approver = await as("approver-retail", change);
  await picture(approver, "decision");
  await opens(approver, "/approvals");
  await picture(approver, "approvals-waiting");
  await opens(approver, change);
  await approver.getByLabel("Reason").fill("x".repeat(4_001));
  await approver.getByRole("button", { name: "Reject", exact: true }).click();
  await expect(approver.getByRole("alert").first()).toBeVisible();
  await picture(approver, "decision-refused");
  await opens(approver, change);
  await decide(approver, "Reject", "Only a picture of it was wanted");
  await expect(standing(approver)).toContainText("can still be undone");
  await picture(approver, "change-held");
  await stands(approver, change, "Rejected");
  await picture(approver, "change-rejected");

  const other = await ask(requester, `${name}-2`, "retail-dev", "To be withdrawn");
  await opens(requester, "/requests");
  await picture(requester, "requests");
  await opens(requester, other);
  await requester.getByRole("button", { name: "Withdraw" }).click();
  await expect(standing(requester)).toContainText("Withdrawn");
  await picture(requester, "change-withdrawn");
});

test("pages that say no", async ({ as, picture }) => {
  const page = await as("approver-retail");
  for (const [name, path] of Object.entries({ "not-found": "/no-such-page", "not-allowed": "/clusters", unusable: "/changes?after=nonsense" })) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBeGreaterThanOrEqual(400);
    await picture(page, `error-${name}`);
  }
});

test("the pages without a session", async ({ page, picture }) => {
  await page.goto("/signin?return_to=%2Fcatalog");
  await picture(page, "signin");
  await page.goto("/signed-out");
  await picture(page, "signed-out");
});
