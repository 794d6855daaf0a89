// What does not answer is shown as away, with its age, and no page waits for it.
import { emptyDraft, HEALTHY, manifest, saveYaml, stands } from "../support/actions.ts";
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

test.describe("a cluster that accepts calls and never answers", () => {
  test.describe.configure({ timeout: 240_000 });

  test("holds no page longer than one call, and none once it is known", async ({ as, javascript }) => {
    const page = await as("ai");
    const name = `hanging-${javascript ? "js" : "plain"}`;
    const draft = await emptyDraft(page, "While the cluster hangs");
    await saveYaml(page, await manifest(name, "research-dev"));
    await page.goto(`${draft}/target`);
    await page.getByLabel("Cluster and namespace").selectOption("onprem-1/research-dev");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByLabel("Cluster and namespace")).toHaveValue("onprem-1/research-dev");

    const within = async (path: string, limit: number) => {
      const asked = Date.now();
      const answer = await page.goto(path, { timeout: 30_000 });
      expect(answer?.status(), path).toBe(200);
      expect(Date.now() - asked, path).toBeLessThan(limit);
    };
    await withFault("onprem-1", { hang: true }, async () => {
      // What needs no answer of it never waits; the names of Secrets are waited for 2 seconds.
      for (const path of ["/", "/deployments", HEALTHY, "/catalog", `${draft}/resources`]) await within(path, 5_000);
      await within(`${draft}/source`, 5_000);
      // These ask it something: one call of 10 seconds at the most, with the names before it.
      await within(`${draft}/review`, 15_000);
      await expect(page.getByText("It cannot be submitted yet")).toBeVisible();
      await within("/clusters/onprem-1", 15_000);

      await expect(async () => {
        await page.goto("/clusters");
        await expect(page.getByRole("row").filter({ hasText: "onprem-1" })).toContainText("away", { timeout: 250 });
      }).toPass({ timeout: 60_000 });
      for (const path of ["/clusters/onprem-1", `${draft}/source`, `${draft}/review`, HEALTHY]) await within(path, 5_000);
    });
    await stands(page, HEALTHY, "Healthy", 60_000);
    const headers = { origin: new URL(page.url()).origin };
    expect((await page.request.post(`${draft}/discard`, { headers, maxRedirects: 0 })).status()).toBe(303);
  });
});

test.describe("a provider that is away", () => {
  test.use({ expectedErrors: ["the server responded with a status of 503"] });

  test("is told in plain words, and those who are signed in go on", async ({ page, as, accessible }) => {
    const signedIn = await as("ai");
    await withFault("provider", { cut: true }, async () => {
      await signedIn.goto("/deployments");
      await expect(signedIn.getByRole("heading", { level: 1 })).toHaveText("Deployments");

      // The console looks before it sends anybody there; what it saw two seconds ago it still believes.
      await expect.poll(async () => (await page.request.get("/signin/start", { maxRedirects: 0 })).status()).toBe(503);
      await page.goto("/deployments");
      await page.getByRole("link", { name: "Sign in", exact: true }).click();
      await expect(page.getByText("The OpenID provider does not answer")).toBeVisible();
      await expect(page.getByRole("link", { name: "Try again" })).toHaveAttribute("href", "/signin/start?return_to=%2Fdeployments");
      await accessible(page);
      const answer = await page.request.get("/oidc/callback?code=x&state=y");
      expect(answer.status()).toBe(400);

      await signedIn.reload();
      await expect(signedIn.getByRole("heading", { level: 1 })).toHaveText("Deployments");
    });
    await accessible(signedIn);
    // And back again.
    await expect.poll(async () => (await page.request.get("/signin/start", { maxRedirects: 0 })).status()).toBe(303);
  });
});
