/**
 * Runs a bundled program once, from its start until it listens or ends, and writes its code cache: `write-cache.js <main.js> [arguments]`. The
 * process that starts it has a channel to it, as the supervisor of a program has.
 */
import { keepCache } from "./keep-cache.ts";
import { bundleOf, loadBundle } from "./load-bundle.ts";

// The program finds its arguments where they would be if it had been run itself.
process.argv.splice(1, 1);
const [, main = ""] = process.argv;
const file = bundleOf(main);
const bundle = loadBundle(file);
process.once("exit", (code) => {
  if (code === 0) keepCache(file, bundle);
});
process.send = (message: { readonly type?: unknown }): boolean => {
  if (message.type === "listening") process.exit(0);
  return true;
};
bundle.run();
