// What several specs do: ask for changes, decide them, wait for what comes of them, edit past the console.
import { expect, type Page } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { world } from "./world.ts";

/** An unhealthy deployment of the seed, and a healthy one. */
export const CRASHING = "/deployments/onprem-1/logistics-staging/delivery-notes";
export const HEALTHY = "/deployments/onprem-1/retail-prod/search-embeddings";

/** Opens a page that is there. */
export async function opens(page: Page, path: string) {
  const answer = await page.goto(path);
  expect(answer?.status(), path).toBe(200);
  // The page's own title; a model's card may bring further ones.
  await expect(page.locator(".gh-page-title h1"), path).toHaveCount(1);
  await expect(page, path).toHaveTitle(/ · Gatehouse$/);
}

/** Runs the world's kubectl as the cluster's administrator: an edit past the console. */
export function kubectl(cluster: string, ...args: string[]): string {
  const found = world().clusters.find((one) => one.name === cluster);
  if (!found) throw new Error(`the world has no cluster ${cluster}`);
  const program = join(world().bin_dir, "kubectl");
  return execFileSync(program, ["--kubeconfig", found.admin_kubeconfig, ...args], { encoding: "utf8", timeout: 30_000 });
}

/** A link of the navigation beside the page. */
export function navigation(page: Page, name: string) {
  return page.getByRole("navigation", { name: "Main", exact: true }).getByRole("link", { name });
}

/** A small model of the seeded registry, by digest. */
export async function modelUri(repository = "models/iris-classifier", tag = "v1.1.0") {
  const { url, host, username, password } = world().registry;
  const basic = Buffer.from(`${username}:${password}`).toString("base64");
  const answer = await fetch(`${url}/v2/${repository}/manifests/${tag}`, {
    method: "HEAD",
    headers: {
      authorization: `Basic ${basic}`,
      accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json",
    },
  });
  const digest = answer.headers.get("docker-content-digest");
  if (!digest) throw new Error(`the registry has no ${repository}:${tag}: ${answer.status}`);
  return `oci+native://${host}/${repository}@${digest}`;
}

/** A deployment that every check accepts. `extra` is put under `spec.predictor`. */
export async function manifest(name: string, namespace: string, extra = "") {
  return `apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: ${name}
  namespace: ${namespace}
  annotations:
    serving.kserve.io/deploymentMode: Standard
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 1
${extra}    model:
      modelFormat:
        name: sklearn
      runtime: kserve-mlserver
      protocolVersion: v2
      resources:
        requests:
          cpu: "1"
          memory: 2Gi
        limits:
          cpu: "1"
          memory: 2Gi
      storageUri: ${await modelUri()}
`;
}

/** Begins an empty draft and leads to its Review, with a purpose. Returns the draft's address. */
export async function emptyDraft(page: Page, purpose: string) {
  await page.goto("/deployments");
  await page.getByRole("button", { name: "New deployment" }).click();
  await page.waitForURL(/\/deploy\/[^/]+\/use$/);
  const draft = new URL(page.url()).pathname.replace(/\/use$/, "");
  await page.getByLabel("Purpose").fill(purpose);
  await page.getByRole("button", { name: "Review", exact: true }).click();
  await page.waitForURL(/\/review$/);
  return draft;
}

/** Types a manifest into Review and saves it. */
export async function saveYaml(page: Page, yaml: string) {
  await page.getByLabel("Manifest").fill(yaml);
  await page.getByRole("button", { name: "Check and save the YAML" }).click();
}

/** Asks for a new deployment by YAML; returns the change's address. */
export async function ask(page: Page, name: string, namespace: string, purpose: string) {
  await emptyDraft(page, purpose);
  await saveYaml(page, await manifest(name, namespace));
  await page.getByRole("button", { name: "Submit for approval" }).click();
  await page.waitForURL(/\/changes\/[^/]+$/);
  return new URL(page.url()).pathname;
}

/** Decides the change that the page shows. */
export async function decide(page: Page, outcome: "Approve" | "Reject", reason: string) {
  await page.getByLabel("Reason").fill(reason);
  await page.getByRole("button", { name: outcome, exact: true }).click();
}

/** Where a change or a deployment stands. */
export function standing(page: Page) {
  return page.locator(".gh-standing");
}

/** Loads the page again until it says where things stand. */
export async function stands(page: Page, path: string, words: string | RegExp, timeout = 45_000) {
  await expect(async () => {
    await page.goto(path);
    await expect(standing(page)).toContainText(words, { timeout: 250 });
  }).toPass({ timeout });
}

/** Withdraws what this person asked for and what still waits, such as what a failed run left behind. */
export async function withdrawAll(page: Page) {
  await page.goto("/changes?state=waiting");
  const addresses = await page.locator("main th a[href^='/changes/']").evaluateAll((links) => links.map((a) => a.getAttribute("href") ?? ""));
  for (const address of addresses) {
    await page.goto(address);
    const withdraw = page.getByRole("button", { name: "Withdraw" });
    if (await withdraw.isVisible()) await withdraw.click();
  }
}

/** Removes a deployment past the console, if it is there. */
export function remove(cluster: string, namespace: string, name: string) {
  kubectl(cluster, "--namespace", namespace, "delete", "inferenceservice", name, "--ignore-not-found");
}
