/**
 * A process that fills keys of a region: `fill KEY` on its standard input has many callers ask for the key at once. It says `load KEY` when its loader is called, which
 * returns this process's id once `go` has come, and `filled KEY` with the values that its callers got.
 */
import { createInterface } from "node:readline";

import { connect } from "@meridian/client";

const [, , region = "", callers = "", leaseMs = ""] = process.argv;
const cache = await connect({ nodes: [region], deadlineMs: 30_000 });
let go = (): void => {};
const gone = new Promise<void>((resolve) => {
  go = resolve;
});

async function load({ key }: { readonly key: string }): Promise<number> {
  console.log(`load ${key}`);
  await gone;
  return process.pid;
}

async function fill(key: string): Promise<void> {
  const options = { ttl: "1h", lock: "region", hardTimeoutMs: Number(leaseMs) } as const;
  const asked = Array.from({ length: Number(callers) }, () => cache.getOrSet(key, load, options));
  const values = new Set(await Promise.all(asked));
  console.log(`filled ${key} ${[...values].join(" ")}`);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, key = ""] = line.split(" ");
  if (word === "go") go();
  else void fill(key);
}
cache.close();
