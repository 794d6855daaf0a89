// What must hold on every page: no axe finding, nothing wider than the window, nothing logged.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Browser, type Page, type TestInfo } from "@playwright/test";
import { join } from "node:path";

const WIDTHS = [1440, 390] as const;
const THEMES = ["light", "dark"] as const;

/** Fails with each finding of axe (WCAG 2.2 A and AA, and best practices). */
export async function expectAccessible(page: Page, javascript: boolean, name = page.url()) {
  const violations = javascript ? await findings(page) : await findingsOfCopy(page);
  const lines = violations.map(({ id, help, nodes }) =>
    `${id}: ${help}\n${nodes.map((node) => `    ${node.target.join(" ")}: ${node.failureSummary}`).join("\n")}`);
  expect(lines, `axe on ${name}`).toEqual([]);
}

async function findings(page: Page) {
  // Its other mode opens a page of its own for each run, for frames of other sites; there are none here.
  return (await new AxeBuilder({ page }).setLegacyMode().analyze()).violations;
}

/** Axe itself needs timers, which do not run with JavaScript off: it looks at a copy of the page as it is. */
async function findingsOfCopy(page: Page) {
  const browser = page.context().browser();
  if (!browser) throw new Error("the page belongs to no browser");
  const dark = await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches);
  const body = (await page.content())
    .replace(/<script\b[^>]*>[\s\S]*?<\/script>/gi, "")
    .replace(/<(\/?)noscript\b[^>]*>/gi, "<$1div>");
  // One page serves all copies: making a browser's context takes longer than axe does.
  const copy = await (copies.get(browser) ?? copies.set(browser, copyPage(browser)).get(browser));
  if (!copy) throw new Error("no page for copies");
  const size = page.viewportSize();
  if (size) await copy.setViewportSize(size);
  await copy.emulateMedia({ colorScheme: dark ? "dark" : "light" });
  const url = page.url();
  await copy.route(url, (route) => route.fulfill({ body, contentType: "text/html; charset=utf-8" }), { times: 1 });
  await copy.goto(url);
  return findings(copy);
}

const copies = new WeakMap<Browser, Promise<Page>>();

async function copyPage(browser: Browser) {
  const context = await browser.newContext({ javaScriptEnabled: true });
  return context.newPage();
}

/** Fails when the page can be scrolled sideways. */
export async function expectFits(page: Page, name = page.url()) {
  const [content, window] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return [scrollWidth, clientWidth];
  });
  expect(content, `${name} is wider than its window of ${window} px`).toBeLessThanOrEqual(window);
}

/**
 * Axe and the width of a page in both themes and both widths. Where `GATEHOUSE_SHOTS` names a folder, each
 * combination is looked at and its picture lies there; else both themes and both widths, but not all pairs.
 * Without JavaScript the page is what it is with it before anything moves: axe looks at it once.
 */
export async function picture(page: Page, name: string, info: TestInfo) {
  const before = page.viewportSize();
  const folder = process.env.GATEHOUSE_SHOTS;
  const javascript = info.project.use.javaScriptEnabled !== false;
  for (const [index, width] of WIDTHS.entries()) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    for (const colorScheme of folder ? THEMES : [THEMES[index]]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const file = `${name}-${colorScheme}-${width}.png`;
      if (folder) await page.screenshot({ path: join(folder, info.project.name, file), fullPage: true });
      if (javascript || folder || width === WIDTHS[0]) await expectAccessible(page, javascript, file);
      await expectFits(page, file);
    }
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
  if (before) await page.setViewportSize(before);
}

/** Collects what a page logs as an error: broken scripts, policy violations, failed loads. */
export function watchErrors(page: Page, errors: string[]) {
  page.on("pageerror", (error) => errors.push(`${page.url()}: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    // A page that is answered with 404 or 422 on purpose is logged by the browser as failed.
    const aboutStatus = /the server responded with a status of 4\d\d/.test(message.text());
    if (message.type() === "error" && !aboutStatus) errors.push(`${page.url()}: ${message.text()}`);
  });
}
