// Two consoles are tested against one world at the same time: what only one of them can use is used in turns.
import { mkdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

// The folder goes with the world, which each run of the tests makes anew.
const folder = (what: string) => join(dirname(process.env.GATEHOUSE_WORLD ?? "."), `turn-${what}`);

const WAIT = 900_000;
const held = new Set<string>();

/** Waits until nobody else uses `what`, and takes it until `over`. */
export async function turn(what: string) {
  const start = Date.now();
  for (;;) {
    try {
      mkdirSync(folder(what));
      held.add(what);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (Date.now() - start > WAIT) throw new Error(`${what} is in use: remove ${folder(what)} if it is not`, { cause: error });
    }
    await sleep(250);
  }
}

/** Lets the next one use `what`, if it was taken here. */
export function over(what: string) {
  if (held.delete(what)) rmdirSync(folder(what));
}
