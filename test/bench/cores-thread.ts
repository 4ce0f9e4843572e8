/** A thread of `cores.ts`, which takes the keys of blocks out of a cache as a thread that answers reads would have to. */
import { isMainThread, parentPort } from "node:worker_threads";

import { TlruCache } from "@meridian/cache";
import { decodeBlock } from "@meridian/protocol";

/** How many keys a thread holds, and all threads of a region hold together. */
export const HELD = 100_000;

/** What is passed on to a thread: a block, or nothing to have it say that it is done. */
export interface Passed {
  readonly block?: Uint8Array;
  readonly count: number;
}

if (!isMainThread) {
  const cache = new TlruCache<string, number>({ maxEntries: HELD });
  for (let index = 0; index < HELD; index += 1) cache.set(`key/${index}`, index);
  parentPort?.on("message", ({ block, count }: Passed) => {
    if (block === undefined) return parentPort?.postMessage("done");
    for (const { key } of decodeBlock(block, count)) cache.delete(key);
  });
  parentPort?.postMessage("ready");
}
