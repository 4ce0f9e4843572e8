import { renameSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";

import { cacheOf, type LoadedBundle } from "./load-bundle.ts";

/** Writes the code cache of the bundle in a file, as a process does that ends. */
export function keepCache(file: string, bundle: LoadedBundle): void {
  // A cache has the flags of the process that makes it. Servers change this one while they run; 2 is what V8 starts with.
  setFlagsFromString("--semi-space-growth-factor=2");
  // Other processes may read it at this moment.
  const fresh = `${cacheOf(file)}.${process.pid}`;
  writeFileSync(fresh, bundle.makeCache());
  renameSync(fresh, cacheOf(file));
}
