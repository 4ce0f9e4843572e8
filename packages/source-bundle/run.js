/**
 * Runs a program of this repository from its source: `node --conditions=@meridian/source packages/source-bundle/run.js <main.ts> [arguments]`.
 * It loads the bundle of the program, and makes it first where there is none or a source has changed. Loading each module
 * through a TypeScript loader instead takes four times as long, at each call.
 */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The bundler's source, and the bundle that it makes of itself. */
const BUNDLER = new URL("./src/source-bundle.ts", import.meta.url);
const BUNDLED = new URL(
  "./node_modules/.cache/source-bundle/src/source-bundle.js",
  import.meta.url,
);

function isFresh() {
  try {
    return statSync(BUNDLED).mtimeMs > statSync(BUNDLER).mtimeMs;
  } catch {
    return false;
  }
}

async function loadBundler() {
  if (isFresh()) return import(BUNDLED.href);
  const { register } = await import("tsx/esm/api");
  const unregister = register();
  const bundler = await import(BUNDLER.href);
  await unregister();
  await bundler.bundleSource(fileURLToPath(BUNDLER));
  return bundler;
}

const [, , main] = process.argv;
if (main === undefined) {
  console.error("Expected the path of a program's source, got no argument");
  process.exit(64);
}
const { bundleSource } = await loadBundler();
const bundle = await bundleSource(resolve(main), { isCached: true });
// The program finds its arguments where they would be if it had been run itself.
process.argv.splice(1, 1);
await import(pathToFileURL(bundle).href);
