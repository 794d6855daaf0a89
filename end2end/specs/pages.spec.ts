// Every page for every role: seen by those who may, not found for others, accessible, and no wider than a phone.
import { CRASHING, HEALTHY, opens } from "../support/actions.ts";
import { expect, test, world } from "../support/fixtures.ts";

test.describe.configure({ timeout: 600_000 });

// The pages are made of the same parts for everybody: axe looks at them with the most, the least, and what an approver has.
const LOOKED_AT = ["platform", "appdev", "approver-retail"];
// Everybody reads in the log what they did themselves.
const PLAIN = ["/", "/catalog", "/deployments", "/approvals", "/requests", "/changes", "/audit"];
const ROLES: Record<string, { sees: string[]; not: string[] }> = {
  platform: { sees: [...PLAIN, "/registries", "/registries/new", "/clusters"], not: [] },
  ai: { sees: [...PLAIN, "/registries", "/clusters"], not: ["/registries/new"] },
  appdev: { sees: PLAIN, not: ["/registries", "/registries/new", "/clusters", "/clusters/onprem-1"] },
  devops: { sees: [...PLAIN, "/registries", "/clusters"], not: ["/registries/new"] },
  security: { sees: [...PLAIN, "/registries", "/clusters"], not: ["/registries/new"] },
  "approver-retail": { sees: PLAIN, not: ["/registries", "/clusters", "/clusters/onprem-1"] },
  auditor: { sees: [...PLAIN, "/registries", "/clusters"], not: ["/registries/new"] },
};

for (const [login, { sees, not }] of Object.entries(ROLES)) {
  test(`${login} sees what the role may, and nothing else`, async ({ as, accessible, fits }) => {
    const page = await as(login);
    for (const path of sees) {
      await opens(page, path);
      if (LOOKED_AT.includes(login)) await accessible(page);
      await page.setViewportSize({ width: 390, height: 844 });
      await fits(page);
      await page.setViewportSize({ width: 1440, height: 900 });
    }
    for (const path of not) {
      const answer = await page.goto(path);
      expect([403, 404], `${path}: ${answer?.status()}`).toContain(answer?.status());
      await expect(page.getByRole("heading", { level: 1 })).toHaveText(/Not (found|allowed)/);
      await expect(page.getByRole("table")).toHaveCount(0);
    }
    // The navigation offers what opens.
    await page.goto("/");
    const hrefs = await page.locator("nav[aria-label=Main] a").evaluateAll((links) => links.map((a) => a.getAttribute("href") ?? ""));
    for (const href of hrefs) expect((await page.request.get(href)).status(), `${login}: ${href} of the navigation`).toBe(200);
  });
}

test("what may not be seen is not found, not told", async ({ as }) => {
  const page = await as("approver-retail");
  // It is there, but in another unit's namespace; the other is nowhere.
  const texts = [];
  for (const path of [CRASHING, "/deployments/onprem-1/logistics-staging/no-such-deployment"]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBe(404);
    texts.push(await page.locator("main").innerText());
  }
  expect(texts[0]).toBe(texts[1]);
  await opens(page, "/deployments?cluster=onprem-1");
  await expect(page.getByRole("link", { name: "product-chat" }).first()).toBeVisible();
  await expect(page.locator("main")).not.toContainText("logistics");
  await opens(page, "/");
  await expect(page.locator("main")).not.toContainText("delivery-notes");

  // Whoever may look but not ask is offered nothing that asks, and asking past the page is refused.
  const reader = await as("appdev", HEALTHY);
  await expect(reader.getByRole("button", { name: /Roll back/ })).toHaveCount(0);
  for (const name of ["Scale", "Stop", "Delete"]) await expect(reader.getByRole("link", { name, exact: true })).toHaveCount(0);
  await expect(reader.getByRole("button", { name: "Update" })).toHaveCount(0);
  const headers = { origin: new URL(reader.url()).origin };
  for (const ask of ["stop", "delete", "scale"]) {
    const answer = await reader.request.post(`${HEALTHY}/${ask}`, { form: { min: "9", max: "9" }, headers, maxRedirects: 0 });
    expect([403, 404], `${ask}: ${answer.status()}`).toContain(answer.status());
  }
  expect((await reader.request.post("/deploy", { form: { blank: "1" }, headers, maxRedirects: 0 })).status()).toBe(403);
});

test("pages that are nowhere say so", async ({ as, accessible }) => {
  const page = await as("auditor");
  for (const path of ["/no-such-page", "/catalog/models/nonsense", "/changes/01900000-0000-7000-8000-000000000000", "/audit/999999999", "/clusters/nowhere", "/deployments/a/b/c"]) {
    const answer = await page.goto(path);
    expect([404, 422], `${path}: ${answer?.status()}`).toContain(answer?.status());
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await accessible(page);
  }
});

test("the landing page tells the cause of what is unhealthy in plain words", async ({ as, steps }) => {
  const page = await as("devops");
  const row = (name: string) => page.getByRole("table", { name: "Deployments that are not healthy" }).getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
  await expect(row("delivery-notes")).toContainText(/exit code 1.*CUDA out of memory/);
  await expect(row("pocket-model")).toContainText("no runtime");
  await expect(row("big-thinker")).toContainText("quota");
  await expect(row("dispatch-assistant")).toContainText(/None of \d+ nodes can take it/);
  await steps.click(row("delivery-notes").getByRole("link", { name: "delivery-notes" }));
  await expect(page.locator(".gh-standing")).toContainText(/exit code 1.*CUDA out of memory/);
  steps.atMost({ clicks: 1 });
});

test("lists keep their state in the address", async ({ as }) => {
  const page = await as("devops", "/deployments");
  await page.getByLabel("Cluster").selectOption("onprem-1");
  await page.getByLabel("State", { exact: true }).selectOption("crashing");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await expect(page).toHaveURL(/cluster=onprem-1.*state=crashing/);
  const table = page.getByRole("table", { name: "Deployments" });
  await expect(table.getByRole("link", { name: "delivery-notes" })).toBeVisible();
  await expect(table.getByRole("link", { name: "product-chat" })).toHaveCount(0);
  await page.reload();
  await expect(page.getByLabel("Cluster")).toHaveValue("onprem-1");
  await page.goBack();
  await expect(table.getByRole("link", { name: "product-chat" }).first()).toBeVisible();
  expect(world().clusters.map((cluster) => cluster.name)).toContain("onprem-1");
});

test("bad cursors, dates and numbers are refused in words", async ({ as }) => {
  const page = await as("platform");
  for (const path of ["/deployments?after=nonsense", "/catalog?after=%00", "/catalog?q=%00", "/audit?object=%00", "/deployments/onprem-1/retail-prod/%00", "/changes?after=%7B%7D", "/audit?after=x", "/audit?from=2026-13-45", "/audit?outcome=perhaps", "/audit?from=2026-05-02&until=2026-05-01", "/deployments?state=zzz", "/changes?state=zzz", "/catalog?sort=zzz"]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBeGreaterThanOrEqual(400);
    expect(answer?.status(), path).toBeLessThan(500);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await expect(page.locator("main")).not.toContainText(/panicked|sqlx|serde|ParseIntError/);
  }
});
