// The test of every spec: people who sign in, counted steps, checks of pages.
import { test as base, type BrowserContext, type Page } from "@playwright/test";
import { expectAccessible, expectFits, picture, watchErrors } from "./page-checks.ts";
import { Steps } from "./steps.ts";
import { account, world } from "./world.ts";

export { expect } from "@playwright/test";
export { account, withFault, world } from "./world.ts";
export { Steps } from "./steps.ts";

export interface Options {
  /** Messages that a spec causes on purpose, as parts of them. */
  expectedErrors: string[];
}

interface Fixtures {
  /** Whether this project runs with JavaScript. */
  javascript: boolean;
  /** A page in a browser of its own where this account is signed in, at `path`. */
  as: (login: string, path?: string) => Promise<Page>;
  /** Opens `path` in the given page and signs the account in at the provider if nobody is signed in there. */
  signIn: (page: Page, login: string, path?: string) => Promise<void>;
  /** Counts clicks and fields. */
  steps: Steps;
  /** Fails on findings of axe. */
  accessible: (page: Page) => Promise<void>;
  /** Fails when the page scrolls sideways. */
  fits: (page: Page) => Promise<void>;
  /** Pictures in both themes and widths, with axe in each. */
  picture: (page: Page, name: string) => Promise<void>;
  /** Fails the test at its end when a page logged an error. */
  errors: string[];
}

export const test = base.extend<Options & Fixtures>({
  expectedErrors: [[], { option: true }],

  javascript: async ({ javaScriptEnabled }, use) => use(javaScriptEnabled ?? true),

  errors: [
    async ({ expectedErrors }, use) => {
      const errors: string[] = [];
      await use(errors);
      const unexpected = errors.filter((error) => !expectedErrors.some((part) => error.includes(part)));
      if (unexpected.length > 0) throw new Error(`pages logged errors:\n${unexpected.join("\n")}`);
    },
    { auto: true },
  ],

  page: async ({ page, errors }, use) => {
    watchErrors(page, errors);
    await use(page);
  },

  signIn: async ({ baseURL }, use) => {
    await use((page, login, path = "/") => signIn(page, login, path, baseURL ?? ""));
  },

  as: async ({ browser, signIn, errors }, use) => {
    const open: Page[] = [];
    await use(async (login, path) => {
      // It takes the project's settings by itself. A session is used again: signing in is limited
      // for each address, and all of these come from one.
      const context = await browser.newContext({ storageState: sessions.get(login) });
      const page = await context.newPage();
      open.push(page);
      watchErrors(page, errors);
      await signIn(page, login, path);
      sessions.set(login, await context.storageState());
      return page;
    });
    for (const page of open) await page.context().close();
  },

  steps: async ({}, use) => use(new Steps()),
  accessible: async ({ javascript }, use) => use((page) => expectAccessible(page, javascript)),
  fits: async ({}, use) => use((page) => expectFits(page)),
  picture: async ({}, use, info) => use((page, name) => picture(page, name, info)),
});

/** Cookies of those who signed in before, by login name. */
const sessions = new Map<string, Awaited<ReturnType<BrowserContext["storageState"]>>>();

async function signIn(page: Page, login: string, path: string, console: string) {
  account(login);
  const { issuer } = world().provider;
  await page.goto(path);
  const at = new URL(page.url());
  if (at.href.startsWith(console) && at.pathname !== "/signin") return;
  if (!at.href.startsWith(issuer)) {
    await page.getByRole("link", { name: "Sign in", exact: true }).click();
    await page.waitForURL((url) => url.href.startsWith(issuer));
  }
  await page.getByRole("button", { name: `Sign in as ${login}`, exact: true }).click();
  await page.waitForURL((url) => url.href.startsWith(console));
}
