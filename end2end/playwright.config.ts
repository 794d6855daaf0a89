// Run by `cargo xtask test`, which starts the world and the console and sets the variables below.
// By hand: `cargo xtask run --detach`, then
// `GATEHOUSE_URL=… GATEHOUSE_WORLD=../.run/world/world.json npx playwright test`.
import { defineConfig } from "@playwright/test";
import type { Options } from "./support/fixtures.ts";

const url = process.env.GATEHOUSE_URL ?? "http://127.0.0.1:8080";

// The journey runs in all four combinations of database and JavaScript. Of the others each runs with
// JavaScript on SQLite and without it on PostgreSQL: both ways, both databases, in half the time.
const database = process.env.GATEHOUSE_DATABASE;
const EVERYWHERE = /(journey|kills)\.spec\.ts/;
const ALL = /\.spec\.ts/;

export default defineConfig<Options>({
  // `specs` against a console that runs; `faults` too, but they take parts of the world away from whoever
  // else uses it; `kills` starts and kills its own console.
  testDir: process.env.GATEHOUSE_SUITE ?? "specs",
  outputDir: process.env.GATEHOUSE_OUTPUT ?? "test-results",
  forbidOnly: Boolean(process.env.CI),
  // The specs share one console and its accounts.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  use: {
    baseURL: url,
    viewport: { width: 1440, height: 900 },
    locale: "en-GB",
    timezoneId: "Europe/Berlin",
    screenshot: "only-on-failure",
    // A film of every page costs a core of the two that there are; what stood on it is kept.
    trace: { mode: "retain-on-failure", screenshots: false },
    launchOptions: {
      executablePath: process.env.GATEHOUSE_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "javascript", testMatch: database === "postgres" ? EVERYWHERE : ALL, use: { javaScriptEnabled: true } },
    {
      name: "no-javascript",
      testMatch: database === "sqlite" ? EVERYWHERE : ALL,
      testIgnore: "keyboard.spec.ts",
      use: { javaScriptEnabled: false },
    },
  ],
});
