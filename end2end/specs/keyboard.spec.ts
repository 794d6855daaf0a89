// A change is decided by keyboard alone, and the keys are told. Runs with JavaScript only: without it keys are the browser's own.
import { ask, remove, standing, withdrawAll } from "../support/actions.ts";
import { expect, test } from "../support/fixtures.ts";
import type { Page } from "@playwright/test";

const NAMESPACE = "logistics-dev";
const CLUSTER = "cloud-1";
const NAME = "by-keyboard";

/** Opens the list of keys: the sign that this page listens to them. */
async function keysOf(page: Page) {
  const keys = page.getByRole("dialog", { name: "Keys" });
  await expect(async () => {
    if (!(await keys.isVisible())) await page.keyboard.press("?");
    await expect(keys).toBeVisible({ timeout: 500 });
  }).toPass();
  return keys;
}

async function closed(page: Page) {
  const keys = await keysOf(page);
  await page.keyboard.press("Escape");
  await expect(keys).toBeHidden();
}

test.afterAll(() => remove(CLUSTER, NAMESPACE, NAME));

test("a change is found, read, decided and undone without a mouse", async ({ as, accessible }) => {
  const requester = await as("ai");
  await withdrawAll(requester);
  await ask(requester, NAME, NAMESPACE, "Deciding by keyboard");
  const page = await as("approver-logistics", "/approvals");
  await expect(page.getByRole("link", { name: `Deploy ${NAME}` })).toBeVisible();

  let keys = await keysOf(page);
  await expect(keys).toContainText("j / k — next / previous row");
  await expect(keys).toContainText("d — Decide next");
  await page.keyboard.press("Escape");
  await expect(keys).toBeHidden();

  await page.keyboard.press("j");
  await expect(page.locator("main tbody th a").first()).toBeFocused();
  await page.keyboard.press("d");
  await page.waitForURL(/\/changes\/[^/]+$/);
  keys = await keysOf(page);
  await expect(keys).toContainText("r — Reason");
  await expect(keys).toContainText("a — Approve");
  await expect(keys).toContainText("x — Reject");
  await accessible(page);
  await closed(page);

  // In a field keys are letters; Escape leaves it.
  await page.keyboard.press("r");
  await expect(page.getByLabel("Reason")).toBeFocused();
  await page.keyboard.type("fax: no objections");
  await expect(page.getByLabel("Reason")).toHaveValue("fax: no objections");
  await page.keyboard.press("Escape");
  await page.keyboard.press("x");
  await expect(standing(page)).toContainText("can still be undone");
  await expect(standing(page).getByRole("timer")).toHaveText(/^in \d+ s$/);
  await page.keyboard.press("u");
  await expect(standing(page)).toContainText("Waits for a decision");
  await closed(page);

  await page.keyboard.press("r");
  await page.keyboard.type("Approved by keyboard");
  await page.keyboard.press("Escape");
  await page.keyboard.press("a");
  await expect(standing(page).getByRole("timer")).toHaveText(/^in \d+ s$/);
  await page.keyboard.press("u");
  await expect(standing(page)).toContainText("Waits for a decision");
  await withdrawAll(requester);
});
