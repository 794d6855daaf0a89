// Registries in the console: added with a check, synced, changed, removed; a secret goes in and never comes out.
import { expect, test, world } from "../support/fixtures.ts";

test("a registry is added, synced and removed", async ({ as, accessible, javascript }) => {
  const page = await as("platform", "/registries");
  const { url, username, password } = world().registry;
  const name = `second-${javascript ? "js" : "plain"}`;
  await page.getByRole("link", { name: "Add a registry" }).click();

  // What is wrong is said beside its field, and what was typed stays.
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("Not A Name");
  await page.getByLabel("Address").fill(url);
  await page.getByLabel("User").fill(username);
  await page.getByLabel("Password").fill("wrong");
  await page.getByLabel("Repository").first().fill("models/bge-large-en");
  await page.getByRole("button", { name: "Check and add" }).click();
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue("Not A Name");
  await expect(page.getByLabel("Repository").first()).toHaveValue("models/bge-large-en");
  await expect(page.getByLabel("Password")).toHaveValue("");
  await accessible(page);

  // The registry itself is asked.
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("button", { name: "Check and add" }).click();
  await expect(page.locator("main")).toContainText(/refuse|password|sign/i);
  await expect(page.getByRole("textbox", { name: "Name", exact: true })).toHaveValue(name);

  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Check and add" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(name);
  // The token of its notifications is shown this once.
  await expect(page.getByText(/Authorization: Bearer \S{20,}/)).toBeVisible();
  await accessible(page);
  await page.goto("/registries");
  await page.getByRole("link", { name, exact: true }).click();
  await expect(page.getByText(/Authorization: Bearer/)).toHaveCount(0);
  const registry = new URL(page.url()).pathname;
  await expect(async () => {
    await page.goto(registry);
    await expect(page.locator("main")).toContainText("Last complete sync", { timeout: 250 });
  }).toPass({ timeout: 30_000 });
  expect(await page.content()).not.toContain(password);
  await accessible(page);

  await page.getByRole("link", { name: "Models", exact: true }).first().click();
  await expect(page.getByRole("link", { name: "BGE Large English" })).toHaveCount(1);
  await expect(page.getByRole("link", { name: "Iris classifier" })).toHaveCount(0);

  await page.goto(registry);
  await page.getByRole("button", { name: "Sync now" }).click();
  await expect(page).toHaveURL(new RegExp(`${registry}`));
  await page.getByRole("link", { name: "Remove", exact: true }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await expect(page).toHaveURL(/\/registries$/);
  await expect(page.getByRole("link", { name, exact: true })).toHaveCount(0);

  // All of it stands in the log, without the secret.
  await page.goto("/audit");
  await expect(page.getByRole("row").filter({ hasText: "registry." }).first()).toBeVisible();
});

test("a registry of the configuration file is read-only, and others may not touch it", async ({ as }) => {
  const page = await as("platform", "/registries");
  await page.getByRole("link", { name: "main", exact: true }).click();
  await expect(page.getByText("It is read-only here")).toBeVisible();
  const registry = new URL(page.url()).pathname;
  const reader = await as("security", registry);
  await expect(reader.getByRole("link", { name: "Remove" })).toHaveCount(0);
  const headers = { origin: new URL(reader.url()).origin };
  expect((await reader.request.post(`${registry}/remove`, { headers, maxRedirects: 0 })).status()).toBe(403);
  expect((await page.request.post(`${registry}/remove`, { headers, maxRedirects: 0 })).status()).toBeGreaterThanOrEqual(400);
});
