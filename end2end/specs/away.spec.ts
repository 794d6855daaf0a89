// What does not answer is shown as away, with its age, and no page waits for it.
import { HEALTHY, stands } from "../support/actions.ts";
import { expect, test, withFault } from "../support/fixtures.ts";

test("a cluster that is away is shown as away, and its rows as old", async ({ as, accessible }) => {
  const page = await as("platform");
  await withFault("onprem-1", { cut: true }, async () => {
    await expect(async () => {
      await page.goto("/clusters");
      await expect(page.getByRole("row").filter({ hasText: "onprem-1" })).toContainText("away", { timeout: 250 });
    }).toPass({ timeout: 45_000 });
    await accessible(page);

    for (const path of ["/", "/deployments", HEALTHY, "/clusters/onprem-1", "/catalog"]) {
      const asked = Date.now();
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(200);
      // Far below the time limit of a call to a cluster.
      expect(Date.now() - asked, path).toBeLessThan(5_000);
    }
    await page.goto("/deployments");
    await expect(page.locator("main")).toContainText(/onprem-1 is away/);
    await expect(page.getByRole("link", { name: "search-embeddings" })).toBeVisible();
    await page.goto(HEALTHY);
    await expect(page.locator("main")).toContainText(/stale|away/);

    // Asking for something there says so, and nothing is half asked for.
    await page.goto(`${HEALTHY}/scale`);
    await expect(page.locator("main")).toContainText(/away|does not answer|not reachable/);
  });
  await stands(page, HEALTHY, "Healthy");
});

test("bad cursors, dates and numbers are refused in words", async ({ as }) => {
  const page = await as("platform");
  for (const path of ["/deployments?after=nonsense", "/catalog?after=%00", "/changes?after=%7B%7D", "/audit?after=x", "/audit?from=2026-13-45", "/audit?outcome=perhaps"]) {
    const answer = await page.goto(path);
    expect(answer?.status(), path).toBeGreaterThanOrEqual(400);
    expect(answer?.status(), path).toBeLessThan(500);
    await expect(page.getByRole("heading", { level: 1 })).toHaveCount(1);
    await expect(page.locator("main")).not.toContainText(/panicked|sqlx|serde|ParseIntError/);
  }
});
