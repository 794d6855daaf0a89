// Evidence of the audit log leaves the console and is checked without it, by its public key alone.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { navigation } from "../support/actions.ts";
import { expect, test } from "../support/fixtures.ts";

/** What `gatehouse verify` says, and whether it is content. */
function verify(file: string, key: string, ...more: string[]) {
  const program = process.env.GATEHOUSE_BIN;
  if (!program) throw new Error("start with `cargo xtask test --only browser`");
  try {
    const said = execFileSync(program, ["verify", "--key", key, ...more, file], { encoding: "utf8", stdio: "pipe" });
    return { good: true, said };
  } catch (error) {
    return { good: false, said: (error as { stderr: string }).stderr };
  }
}

test("one record is proven in 3 clicks, and what was changed is named", async ({ as, steps, accessible }, info) => {
  const page = await as("auditor");
  await steps.click(navigation(page, "Audit"));
  await accessible(page);
  await steps.click(page.getByRole("link", { name: /^#\d+$/ }).nth(3));
  await expect(async () => {
    await page.reload();
    await expect(page.getByRole("link", { name: "Download the evidence" })).toBeVisible({ timeout: 250 });
  }).toPass();
  await accessible(page);
  const download = page.waitForEvent("download");
  await steps.click(page.getByRole("link", { name: "Download the evidence" }));
  steps.atMost({ clicks: 3 });
  const file = info.outputPath("record.jsonl");
  await (await download).saveAs(file);

  const seq = new URL(page.url()).pathname.split("/").at(-1);
  const key = (await (await page.request.get("/log/keys")).text()).trim();
  const found = verify(file, key);
  expect(found.said).toContain(`records ${seq} to ${seq} (1) are all there and as the log has them`);
  expect(found.said).toContain("End not proven");
  expect(found.good).toBe(true);

  const text = readFileSync(file, "utf8");
  const forged = info.outputPath("forged.jsonl");
  writeFileSync(forged, text.replace(/"at":(\d+)/, (_, at) => `"at":${BigInt(at) + 1n}`));
  expect(verify(forged, key)).toMatchObject({ good: false, said: expect.stringContaining(`record ${seq} was changed`) });
  writeFileSync(forged, text.split("\n").slice(0, -2).join("\n") + "\n");
  expect(verify(forged, key)).toMatchObject({ good: false, said: expect.stringContaining("what followed is missing") });
});

test("the whole log is exported with proof, against a checkpoint of one's own", async ({ as }, info) => {
  const page = await as("auditor", "/audit");
  const key = (await (await page.request.get("/log/keys")).text()).trim();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export with proof" }).click();
  const file = info.outputPath("all.jsonl");
  await (await download).saveAs(file);
  // Whoever keeps the checkpoint of that moment knows where the log ended then.
  const held = info.outputPath("held.txt");
  writeFileSync(held, JSON.parse(readFileSync(file, "utf8").split("\n")[0]).evidence.checkpoint);
  const found = verify(file, key, "--checkpoint", held);
  expect(found.said).toMatch(/records 1 to \d+ \(\d+\) are all there and as the log has them/);
  expect(found.said).toContain("It ends where the checkpoint that you keep does.");
  expect(found.good).toBe(true);
});
