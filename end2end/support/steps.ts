// Counts what a person does: each click and each field that is filled.
import { expect, test, type Locator } from "@playwright/test";

export class Steps {
  clicks = 0;
  fields = 0;
  readonly #did: string[] = [];

  async #step(kind: "clicks" | "fields", what: string, locator: Locator, act: () => Promise<void>) {
    this[kind] += 1;
    this.#did.push(`${what} ${locator}`);
    await test.step(`${what} ${locator}`, act);
  }

  /** A click: on a link, a button, a row, a checkbox. */
  click(locator: Locator) {
    return this.#step("clicks", "click", locator, () => locator.click());
  }

  /** A text field. */
  fill(locator: Locator, text: string) {
    return this.#step("fields", "fill", locator, () => locator.fill(text));
  }

  /** A list to choose from. */
  async select(locator: Locator, choice: string | { label: string } | { value: string }) {
    await this.#step("fields", "select", locator, async () => void (await locator.selectOption(choice)));
  }

  /** Asserts that it took no more than that; the message lists what was done. */
  atMost(limit: { clicks: number; fields?: number }) {
    const list = this.#did.map((step, index) => `${index + 1}. ${step}`).join("\n");
    test.info().annotations.push({ type: "steps", description: `${this.clicks} clicks + ${this.fields} fields` });
    expect(this.clicks, `clicks:\n${list}`).toBeLessThanOrEqual(limit.clicks);
    expect(this.fields, `fields:\n${list}`).toBeLessThanOrEqual(limit.fields ?? 0);
  }
}
