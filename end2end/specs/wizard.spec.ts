// The wizard keeps what is typed, form and YAML are one draft, and what would go wrong is said before it does.
import { emptyDraft, manifest, saveYaml } from "../support/actions.ts";
import { expect, test } from "../support/fixtures.ts";
import type { Page } from "@playwright/test";

const NAMESPACE = "retail-dev";

test.describe.configure({ timeout: 120_000 });

/** Throws the draft away that the page shows, so that drafts do not pile up. */
async function discard(page: Page, draft: string) {
  const headers = { origin: new URL(page.url()).origin };
  expect((await page.request.post(`${draft}/discard`, { headers, maxRedirects: 0 })).status()).toBe(303);
}

/** Presses a button of a form and returns the status of the answer. */
async function press(page: Page, name: string) {
  const answer = page.waitForResponse((response) => response.request().method() === "POST");
  await page.getByRole("button", { name, exact: true }).click();
  const status = (await answer).status();
  await page.waitForLoadState();
  return status;
}

const submit = (page: Page) => page.getByRole("button", { name: "Submit for approval" });
const findings = (page: Page) => page.getByRole("list", { name: "Findings" }).getByRole("listitem");

test("bad input is answered beside its fields, and nothing that was typed is lost", async ({ as, accessible, fits }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Bad input");
  await saveYaml(page, await manifest("bad-input", NAMESPACE));
  await page.goto(`${draft}/resources`);
  const typed = { cpu: "lots", cpu_limit: "8", memory: "32 potatoes", gpus: "2", timeout: "90", min_replicas: "5", max_replicas: "1" };
  for (const [id, text] of Object.entries(typed)) await page.locator(`#${id}`).fill(text);
  expect(await press(page, "Next")).toBe(422);

  for (const [id, text] of Object.entries(typed)) await expect(page.locator(`#${id}`), id).toHaveValue(text);
  const wrong = { cpu: /not an amount/, memory: /not an amount/, max_replicas: /less than the least/ };
  for (const [id, words] of Object.entries(wrong)) {
    await expect(page.locator(`#${id}`)).toHaveAttribute("aria-invalid", "true");
    await expect(page.locator(`#${id}-help`)).toContainText(words);
  }
  await expect(page.locator("#timeout")).toHaveAttribute("aria-invalid", "false");
  // The message above the form leads to each field.
  await page.getByRole("alert").getByRole("link", { name: /Memory/ }).click();
  await expect(page).toHaveURL(/#memory$/);
  await accessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await fits(page);

  // It was saved all the same: another visit finds it.
  await page.goto(`${draft}/resources`);
  for (const [id, text] of Object.entries(typed)) await expect(page.locator(`#${id}`), id).toHaveValue(text);
  await discard(page, draft);
});

test("what is no number at all is kept too", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Not a number");
  await page.goto(`${draft}/source`);
  await page.getByLabel("Model address").fill("s3//bucket model");
  await page.locator("#pull_secrets").fill("Not A Name");
  await page.locator("input[name=env_name]").first().fill("1 bad name");
  await page.locator("textarea[name=env_value]").first().fill("its value");
  await page.getByLabel("Arguments, one a line").fill("--first=1\n--second two");
  expect(await press(page, "Next")).toBe(422);
  await expect(page.getByLabel("Model address")).toHaveValue("s3//bucket model");
  await expect(page.locator("#pull_secrets")).toHaveValue("Not A Name");
  await expect(page.locator("input[name=env_name]").first()).toHaveValue("1 bad name");
  await expect(page.locator("textarea[name=env_value]").first()).toHaveValue("its value");
  await expect(page.getByLabel("Arguments, one a line")).toHaveValue("--first=1\n--second two");
  await expect(page.getByRole("alert").first()).toBeVisible();
  await discard(page, draft);
});

test("broken YAML is kept, with line and column", async ({ as, accessible }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Broken YAML");
  await saveYaml(page, await manifest("broken-yaml", NAMESPACE));
  const broken = (await manifest("broken-yaml", NAMESPACE)).replace("  name: broken-yaml", "  name: [broken, yaml");
  await page.getByLabel("Manifest").fill(broken);
  expect(await press(page, "Check and save the YAML")).toBe(422);
  const help = page.locator("#yaml-help");
  await expect(help).toContainText(/line [45], column \d+: /);
  await expect(page.getByLabel("Manifest")).toHaveValue(broken);
  await expect(submit(page)).toBeDisabled();
  await accessible(page);

  await page.goto(`${draft}/review`);
  await expect(page.getByLabel("Manifest")).toHaveValue(broken);
  await expect(page.getByText(/line [45], column \d+: /).first()).toBeVisible();
  await page.goto(`${draft}/target`);
  await expect(page.getByText("The YAML cannot be read yet")).toBeVisible();
  await expect(page.locator("#name")).toHaveValue("broken-yaml");
  await discard(page, draft);
});

test("form and YAML are one draft, and what the form does not know survives", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "In step");
  const unknown = "    schedulerName: default-scheduler\n    hostAliases:\n    - ip: 192.0.2.1\n      hostnames: [weights.example]\n";
  await saveYaml(page, (await manifest("in-step", NAMESPACE, unknown)).replace("maxReplicas: 1", "maxReplicas: 3"));
  await expect(page.getByText("The form does not know these fields; they are kept:")).toBeVisible();
  for (const field of ["spec.predictor.schedulerName", "spec.predictor.hostAliases"]) {
    await expect(page.getByRole("listitem").filter({ hasText: field }).first()).toBeVisible();
  }

  await page.goto(`${draft}/resources`);
  await expect(page.locator("#max_replicas")).toHaveValue("3");
  await expect(page.locator("#cpu")).toHaveValue("1");
  await page.locator("#max_replicas").fill("4");
  await page.locator("#memory").fill("3Gi");
  await page.locator("#memory_limit").fill("3Gi");
  expect(await press(page, "Review")).toBe(303);
  await expect(page.getByLabel("Manifest")).toHaveValue(/maxReplicas: 4[^]*memory: 3Gi/);
  await expect(page.getByLabel("Manifest")).toHaveValue(/schedulerName: default-scheduler/);
  await expect(page.getByLabel("Manifest")).toHaveValue(/ip: "?192\.0\.2\.1/);
  await expect(page.getByLabel("Manifest")).toHaveValue(/weights\.example/);

  // And back: the target chosen in the form is the YAML's, and the other way round.
  await page.goto(`${draft}/target`);
  await page.getByLabel("Cluster and namespace").selectOption("onprem-1/research-dev");
  await page.locator("#name").fill("in-step-too");
  expect(await press(page, "Review")).toBe(303);
  await expect(page.getByLabel("Manifest")).toHaveValue(/name: in-step-too\n {2}namespace: research-dev/);
  await saveYaml(page, (await page.getByLabel("Manifest").inputValue()).replace("research-dev", "logistics-dev"));
  await page.goto(`${draft}/target`);
  await expect(page.getByLabel("Cluster and namespace")).toHaveValue("onprem-1/logistics-dev");
  await discard(page, draft);
});

test("values and arguments with several lines survive a save of their step", async ({ as, accessible, javascript }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Several lines");
  const lines = `      args:
      - --first=1
      env:
      - name: CA
        value: "-----BEGIN CERTIFICATE-----\\nMIIB=\\n-----END CERTIFICATE-----\\n"
      - name: SETTINGS
        value: "\\n{\\n  \\"a\\": 1\\n}"
      - name: NODE
        valueFrom:
          fieldRef:
            fieldPath: spec.nodeName
`;
  const yaml = (await manifest(`several-lines-${javascript ? "js" : "plain"}`, NAMESPACE)).replace("      modelFormat:\n", `${lines}      modelFormat:\n`);
  await saveYaml(page, yaml);
  await page.goto(`${draft}/source`);
  await expect(page.locator("#env-0-value")).toHaveValue("-----BEGIN CERTIFICATE-----\nMIIB=\n-----END CERTIFICATE-----\n");
  await expect(page.locator("#env-1-value")).toHaveValue('\n{\n  "a": 1\n}');
  await accessible(page);
  // Nothing was changed: not a letter of the YAML changes.
  expect(await press(page, "Review")).toBe(303);
  await expect(page.getByLabel("Manifest")).toHaveValue(yaml);

  // An argument with lines of its own is shown, and stays.
  await saveYaml(page, yaml.replace("- --first=1", '- "-c"\n      - "set -e\\nserve"\n      - ""'));
  await page.goto(`${draft}/source`);
  await expect(page.getByRole("textbox", { name: "Arguments, one a line" })).toHaveCount(0);
  await expect(page.getByRole("group", { name: "Arguments" })).toContainText("change them in the YAML");
  await accessible(page);
  await page.locator("#env-1-value").fill("one\ntwo");
  expect(await press(page, "Review")).toBe(303);
  await expect(page.getByLabel("Manifest")).toHaveValue(/-c"?\n[^]*set -e(\\n|\n\s+)serve[^]*- (""|'')\n/);
  await expect(page.getByLabel("Manifest")).toHaveValue(/fieldPath: "?spec\.nodeName/);
  await page.goto(`${draft}/source`);
  await expect(page.locator("#env-1-value")).toHaveValue("one\ntwo");
  await discard(page, draft);
});

test("a server that fetches its model itself can be asked for", async ({ as, javascript }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "No storage address");
  const yaml = (await manifest(`fetches-itself-${javascript ? "js" : "plain"}`, NAMESPACE)).replace(/ {6}storageUri: .*\n/, "      args:\n      - --model_name=iris\n      - --model_id=models/iris\n");
  await saveYaml(page, yaml);
  await expect(findings(page).filter({ hasText: "error" })).toHaveCount(0);
  await expect(submit(page)).toBeEnabled();
  // Its step has nothing against it either.
  await page.goto(`${draft}/source`);
  await expect(page.getByText("What is served is written in a field that this form does not have")).toBeVisible();
  expect(await press(page, "Review")).toBe(303);
  await expect(page.getByLabel("Manifest")).toHaveValue(yaml);
  await discard(page, draft);
});

test("a text with a NUL is refused, and what was typed beside it is kept", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "NUL");
  await page.goto(`${draft}/use`);
  const version = await page.locator("input[name=version]").inputValue();
  const headers = { origin: new URL(page.url()).origin };
  const answer = await page.request.post(`${draft}/use`, { form: { version, purpose: "first\u0000second", owner: "Somebody else" }, headers, maxRedirects: 0 });
  expect(answer.status()).toBe(422);
  const html = await answer.text();
  expect(html).toContain("firstsecond");
  expect(html).toContain("Somebody else");
  expect(html).toContain("NUL character");
  await page.goto(`${draft}/use`);
  await expect(page.getByLabel("Purpose")).toHaveValue("NUL");
  await discard(page, draft);
});

test("preflight says what KServe would accept and not do", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Preflight");
  const good = await manifest("preflight", NAMESPACE);
  const cases = [
    { yaml: await manifest("preflight", NAMESPACE, "    canaryTrafficPercent: 20\n"), field: "spec.predictor.canaryTrafficPercent", words: "all traffic would go to the new version" },
    { yaml: good.replace("minReplicas: 1", "minReplicas: 0"), field: "spec.predictor.minReplicas", words: "nothing scales to zero" },
    { yaml: good.replace("name: sklearn", "name: SKLearn"), field: "spec.predictor.model.modelFormat.name", words: "did you mean sklearn?" },
  ];
  for (const { yaml, field, words } of cases) {
    await saveYaml(page, yaml);
    const finding = findings(page).filter({ hasText: field }).filter({ hasText: words });
    await expect(finding).toContainText("error");
    await expect(submit(page)).toBeDisabled();
    await saveYaml(page, good);
    await expect(finding).toHaveCount(0);
    await expect(submit(page)).toBeEnabled();
  }
  // Review leads to the field, and the step says it beside it.
  await saveYaml(page, cases[1].yaml);
  await findings(page).getByRole("link", { name: "spec.predictor.minReplicas" }).click();
  await expect(page).toHaveURL(/\/resources#min_replicas$/);
  await expect(page.locator("#min_replicas")).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("#min_replicas-help")).toContainText("nothing scales to zero");
  await discard(page, draft);
});

test("what the webhook and the API server refuse stands beside its field", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Refused");
  const good = await manifest("refused", NAMESPACE);
  const cases = [
    // KServe's webhook.
    { yaml: good.replace("    model:\n", "    model:\n      name: mine\n"), field: "spec.predictor.model.name", words: "has no name in this place" },
    // The schema: a field that is not there, a value of another type.
    { yaml: await manifest("refused", NAMESPACE, "    sheduler: mine\n"), field: "spec.predictor.sheduler", words: "has no such field" },
    { yaml: await manifest("refused", NAMESPACE, "    timeout: soon\n"), field: "spec.predictor.timeout", words: "the value does not fit" },
  ];
  for (const { yaml, field, words } of cases) {
    await saveYaml(page, yaml);
    await expect(page.getByText("It cannot be submitted yet")).toBeVisible();
    await expect(findings(page).filter({ hasText: field }).filter({ hasText: words })).toContainText("error");
    await expect(submit(page)).toBeDisabled();
    await expect(page.getByLabel("Manifest")).toHaveValue(yaml);
  }
  await discard(page, draft);
});

test("a draft that another tab saved meanwhile is not overwritten", async ({ as }) => {
  const page = await as("ai");
  const draft = await emptyDraft(page, "Two tabs");
  await page.goto(`${draft}/use`);
  const other = await page.context().newPage();
  await other.goto(`${draft}/use`);
  await other.getByLabel("Purpose").fill("From the other tab");
  await press(other, "Save");
  await page.getByLabel("Purpose").fill("From the first tab");
  expect(await press(page, "Save")).toBe(409);
  await expect(page.getByLabel("Purpose")).toHaveValue("From the first tab");
  await expect(page.getByRole("alert").first()).toBeVisible();
  await other.goto(`${draft}/use`);
  await expect(other.getByLabel("Purpose")).toHaveValue("From the other tab");
  await other.close();
  await discard(page, draft);
});

test("an update begins with what runs and shows only the difference", async ({ as }) => {
  const page = await as("ai", "/deployments/onprem-1/retail-prod/search-embeddings");
  await page.getByRole("button", { name: "Update" }).click();
  await page.waitForURL(/\/deploy\/[^/]+\/use$/);
  const draft = new URL(page.url()).pathname.replace(/\/use$/, "");
  await page.getByLabel("Purpose").fill("More of it");
  expect(await press(page, "Review")).toBe(303);
  const yaml = await page.getByLabel("Manifest").inputValue();
  expect(yaml).toContain("name: search-embeddings");
  expect(yaml).not.toMatch(/managedFields|resourceVersion|status:/);
  await page.goto(`${draft}/target`);
  await expect(page.getByLabel("Cluster and namespace").getByRole("option")).toHaveCount(1);
  await discard(page, draft);
});
