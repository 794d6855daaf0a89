// From the catalogue to a deployment and through its life, with the steps that it takes counted.
import { decide, kubectl, navigation, opens, remove, standing, stands, withdrawAll } from "../support/actions.ts";
import { account, expect, Steps, test } from "../support/fixtures.ts";
import { over, turn } from "../support/turns.ts";

// Where a draft of the catalogue leads unless somebody chooses: the first development namespace.
const CLUSTER = "cloud-1";
const NAMESPACE = "logistics-dev";
const APPROVER = "approver-logistics";

test.describe.configure({ mode: "serial" });

test.describe("a deployment's life", () => {
  let model = "";
  let title = "";
  let name = "";
  let deployment = "";
  let change = "";

  test.beforeAll(async ({ javaScriptEnabled }) => {
    // One for each project: what was approved before in this place has no part in it.
    [model, title] = javaScriptEnabled === false ? ["demand-forecast", "Demand forecast"] : ["iris-classifier", "Iris classifier"];
    // The console on the other database brings the same model to the same place.
    test.setTimeout(920_000);
    await turn(model);
    for (const leftover of [model, `${model}-2`]) remove(CLUSTER, NAMESPACE, leftover);
  });

  test.afterAll(() => {
    try {
      if (name) remove(CLUSTER, NAMESPACE, name);
    } finally {
      over(model);
    }
  });

  test("a deep link survives signing in", async ({ page, signIn }) => {
    const link = `/catalog?q=${model}&sort=newest`;
    await page.goto(link);
    await expect(page).toHaveURL(/\/signin\?return_to=/);
    await signIn(page, "ai", link);
    await expect(page).toHaveURL(new RegExp(`/catalog\\?q=${model}&sort=newest$`));
    await expect(page.getByRole("link", { name: title, exact: true })).toBeVisible();
  });

  test("a model of the catalogue is asked for in 6 clicks and 1 field", async ({ as, steps, accessible }) => {
    const page = await as("ai");
    await withdrawAll(page);
    await page.goto("/");
    await steps.click(navigation(page, "Catalogue"));
    await steps.click(page.getByRole("link", { name: title, exact: true }));
    await steps.click(page.getByRole("button", { name: "Deploy", exact: true }).first());
    await expect(page).toHaveURL(/\/deploy\/[^/]+\/review$/);
    await expect(page.getByRole("heading", { level: 1 })).toContainText(model);
    await expect(page.getByLabel("Manifest")).toHaveValue(new RegExp(`namespace: ${NAMESPACE}[^]*models/${model}@sha256:`));
    await expect(page.getByText("Nothing is there yet: all of it is new.")).toBeVisible();
    await steps.fill(page.getByLabel("Purpose"), "Trying out what the catalogue offers");
    await steps.click(page.getByRole("button", { name: "Submit for approval" }));
    await expect(page).toHaveURL(/\/changes\/[^/]+$/);
    await expect(standing(page)).toContainText("Waits for a decision");
    steps.atMost({ clicks: 6, fields: 1 });
    await accessible(page);

    change = new URL(page.url()).pathname;
    const href = (await page.getByRole("link", { name: "Deployment", exact: true }).getAttribute("href")) ?? "";
    name = href.split("/").at(-1) ?? "";
    deployment = `/deployments/${CLUSTER}/${NAMESPACE}/${name}`;
    expect(href).toBe(deployment);
  });

  test("the next waiting change is decided in 2 clicks and 1 field, undone, and decided again", async ({ as, steps, accessible }) => {
    const page = await as(APPROVER);
    await steps.click(page.getByRole("link", { name: "Decide next" }));
    await expect(page).toHaveURL(new RegExp(`${change}$`));
    await accessible(page);
    await steps.fill(page.getByLabel("Reason"), "Small, signed, and for development only");
    await steps.click(page.getByRole("button", { name: "Approve", exact: true }));
    steps.atMost({ clicks: 2, fields: 1 });
    await expect(standing(page)).toContainText("can still be undone");
    await page.getByRole("button", { name: "Undo" }).click();
    await expect(standing(page)).toContainText("Waits for a decision");
    await expect(page.getByRole("region", { name: "Decisions" })).toContainText("undone");

    await decide(page, "Approve", "On second thoughts: yes");
    await expect(standing(page)).toContainText("can still be undone");
    await accessible(page);
    await stands(page, change, "Applied and read back");
    await accessible(page);
  });

  test("the deployment becomes healthy, as the page shows while it happens", async ({ as, javascript, accessible }) => {
    const page = await as("ai", deployment);
    if (javascript) await expect(standing(page)).toContainText("Healthy", { timeout: 45_000 });
    else await stands(page, deployment, "Healthy");
    await expect(page.locator("main")).toContainText("Trying out what the catalogue offers");
    await expect(page.locator("main")).toContainText("1 of 1 ready");
    await accessible(page);
  });

  test("an edit past the console is shown as drift, with whose it is", async ({ as, accessible }) => {
    const page = await as("ai");
    const patch = (type: string, text: string) =>
      kubectl(CLUSTER, "--namespace", NAMESPACE, "patch", "inferenceservice", name, "--type", type, "--patch", text);
    patch("merge", '{"spec":{"predictor":{"timeout":77}}}');
    await stands(page, deployment, "What runs is not what was approved");
    await expect(standing(page)).toContainText("spec.predictor.timeout");
    await expect(standing(page)).toContainText("kubectl-patch");
    await accessible(page);
    patch("json", '[{"op":"remove","path":"/spec/predictor/timeout"}]');
    await expect(async () => {
      await page.goto(deployment);
      await expect(standing(page)).not.toContainText("What runs is not what was approved", { timeout: 250 });
    }).toPass();
  });

  test("scaling is asked for, approved and applied", async ({ as, accessible, picture }) => {
    const page = await as("ai", deployment);
    await page.getByRole("link", { name: "Scale", exact: true }).click();
    await accessible(page);
    await page.getByLabel("Smallest number of replicas").fill("2");
    await page.getByLabel("Largest number of replicas").fill("2");
    await page.getByRole("button", { name: "Ask for it" }).click();
    await approved(await as(APPROVER), await changeOf(page));
    await expect(async () => {
      await page.goto(deployment);
      await expect(page.locator("main")).toContainText("2 of 2 ready", { timeout: 250 });
    }).toPass({ timeout: 45_000 });
    // The page that the list of revisions leads to.
    await opens(page, `${deployment}?tab=revisions`);
    await page.getByRole("link", { name: "Roll back to this" }).last().click();
    await expect(page.getByRole("button", { name: "Ask for the rollback" })).toBeVisible();
    await picture(page, "rollback");
  });

  test("3 clicks lead to a rollback with the difference shown", async ({ as, steps, accessible }) => {
    const page = await as("ai");
    await steps.click(navigation(page, "Deployments"));
    await steps.click(page.locator(`a[href="${deployment}"]`));
    const back = page.getByRole("region", { name: "Difference field by field" });
    await expect(back.getByRole("row", { name: /minReplicas/ })).toContainText(/2\s*1/);
    await steps.click(page.getByRole("button", { name: "Roll back to revision 1", exact: true }));
    await page.waitForURL(/\/changes\/[^/]+$/);
    steps.atMost({ clicks: 3 });
    await expect(page.locator("main")).toContainText("Roll back to revision 1");
    await accessible(page);
    await approved(await as(APPROVER), await changeOf(page));
    await expect(async () => {
      await page.goto(deployment);
      await expect(page.locator("main")).toContainText("1 of 1 ready", { timeout: 250 });
    }).toPass({ timeout: 45_000 });
  });

  test("stopping needs no approval, starting does", async ({ as, picture, accessible }) => {
    const page = await as("ai", deployment);
    await page.getByRole("link", { name: "Stop", exact: true }).click();
    await page.getByRole("button", { name: "Stop it" }).click();
    await stands(page, await changeOf(page), "Applied and read back");
    await stands(page, deployment, "Stopped");
    await accessible(page);

    await page.getByRole("link", { name: "Start", exact: true }).click();
    await picture(page, "start");
    await page.getByRole("button", { name: "Ask to start it" }).click();
    await approved(await as(APPROVER), await changeOf(page));
    await stands(page, deployment, "Healthy");
  });

  test("2 clicks tell who changed it last and what", async ({ as }) => {
    for (const login of ["devops", "auditor"]) {
      const page = await as(login);
      const steps = new Steps();
      await steps.click(navigation(page, "Deployments"));
      await steps.click(page.locator(`a[href="${deployment}"]`));
      await expect(standing(page)).toContainText(`Last change: Start ${name} by ${account("ai").name}`);
      await expect(standing(page)).toContainText("serving.kserve.io/stop true → not set");
      steps.atMost({ clicks: 2 });
    }
  });

  test("what went past the console is remembered as gone", async ({ as, picture }) => {
    const page = await as("ai");
    remove(CLUSTER, NAMESPACE, name);
    await stands(page, deployment, "This deployment is no longer in the cluster");
    await picture(page, "deployment-gone");
  });
});

/** The change that was just asked for. */
async function changeOf(page: import("@playwright/test").Page) {
  await page.waitForURL(/\/changes\/[^/]+$/);
  return new URL(page.url()).pathname;
}

/** Approves a change and waits until it is applied. */
async function approved(page: import("@playwright/test").Page, change: string) {
  await page.goto(change);
  await decide(page, "Approve", "As discussed");
  await expect(standing(page)).toContainText("can still be undone");
  await stands(page, change, "Applied and read back");
}
