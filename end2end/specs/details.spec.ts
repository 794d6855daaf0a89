// Every kind of page, in both themes and widths: no finding of axe, nothing wider than the window, and pictures to
// look at where `GATEHOUSE_SHOTS` names a folder.
import { CRASHING, HEALTHY, opens } from "../support/actions.ts";
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

test("the pages without a session", async ({ page, picture }) => {
  await page.goto("/signin?return_to=%2Fcatalog");
  await picture(page, "signin");
  await page.goto("/signed-out");
  await picture(page, "signed-out");
});
