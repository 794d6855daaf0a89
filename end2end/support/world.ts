// The world that the console under test points at: what `world.json` tells.
import { readFileSync } from "node:fs";

export interface Account {
  login: string;
  name: string;
  role: string;
  password: string;
  employee_number: string;
  groups: string[];
}

export interface Cluster {
  name: string;
  uid: string;
  server: string;
  admin_kubeconfig: string;
  /** The API server's audit log, JSON lines. */
  audit_log: string;
}

export interface World {
  bin_dir: string;
  clusters: Cluster[];
  registry: { url: string; host: string; username: string; password: string };
  provider: { issuer: string; admin_url: string; admin_token: string; accounts: Account[] };
  /** The proxies' admin endpoint: `PUT url/part` sets a fault, `DELETE` ends it. */
  faults?: { url: string; token: string; parts: string[] };
}

let read: World | undefined;

/** The world, read once. */
export function world(): World {
  const file = process.env.GATEHOUSE_WORLD;
  if (!file) throw new Error("GATEHOUSE_WORLD names no world.json: start with `cargo xtask test --only browser`");
  read ??= JSON.parse(readFileSync(file, "utf8")) as World;
  return read;
}

/** An account by its login name. */
export function account(login: string): Account {
  const found = world().provider.accounts.find((one) => one.login === login);
  if (!found) throw new Error(`the world has no account ${login}`);
  return found;
}

/** Sets a fault on a part of the world while `during` runs. */
export async function withFault<T>(part: string, fault: object, during: () => Promise<T>): Promise<T> {
  const faults = world().faults;
  if (!faults) throw new Error("this world runs without proxies");
  const headers = { authorization: `Bearer ${faults.token}`, "content-type": "application/json" };
  const call = async (method: string, body?: string) => {
    const answer = await fetch(`${faults.url}/${part}`, { method, headers, body });
    if (!answer.ok) throw new Error(`${method} fault of ${part}: ${answer.status} ${await answer.text()}`);
  };
  await call("PUT", JSON.stringify(fault));
  try {
    return await during();
  } finally {
    await call("DELETE");
  }
}
