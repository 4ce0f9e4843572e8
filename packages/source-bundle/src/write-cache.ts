/**
 * Runs a bundled program once, from its start until it listens or ends, and writes its code cache: `write-cache.js <main.js> [arguments]`. The
 * process that starts it has a channel to it, as the supervisor of a program has.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";

import { BUNDLE, cacheFileOf, loadBundle } from "./load-bundle.ts";

// The program finds its arguments where they would be if it had been run itself.
process.argv.splice(1, 1);
const [, main = ""] = process.argv;
const file = join(dirname(main), BUNDLE);
const bundle = loadBundle(file);
process.once("exit", (code) => {
  if (code !== 0) return;
  // A cache has the flags of the process that makes it. Servers change this one while they run; 2 is what V8 starts with.
  setFlagsFromString("--semi-space-growth-factor=2");
  writeFileSync(cacheFileOf(file), bundle.makeCache());
});
process.send = (message: { readonly type?: unknown }): boolean => {
  if (message.type === "listening") process.exit(0);
  return true;
};
bundle.run();
