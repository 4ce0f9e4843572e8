/** Builds the console in a clone, which has its sources. An installed console is built already. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { consoleFolder } from "@meridian/console";

const run = promisify(execFile);

/** What the page is made of, beside the folder `page`. */
const BESIDE = ["index.html", "vite.config.ts", "package.json"];

/** How long the build may take, in milliseconds: a second, on a machine that does nothing else. */
const BUILD_MS = 120_000;

/**
 * Builds the console into its folder if it is missing there, or older than its sources. Resolves to whether it did; rejects with what the bundler says if it
 * cannot be built.
 */
export async function buildConsole(folder: string = consoleFolder()): Promise<boolean> {
  const home = resolve(folder, "../..");
  if (!existsSync(join(home, "vite.config.ts"))) return false;
  const built = join(folder, "index.html");
  if (existsSync(built) && statSync(built).mtimeMs >= changedMs(home)) return false;
  const vite = createRequire(join(home, "package.json")).resolve("vite/package.json");
  const main = join(dirname(vite), "bin/vite.js");
  await run(process.execPath, [main, "build", "--logLevel=warn"], { cwd: home, timeout: BUILD_MS });
  return true;
}

/** When a source of the page has been changed last. */
function changedMs(home: string): number {
  const pages = readdirSync(join(home, "page"), { recursive: true, encoding: "utf8" });
  const files = [...BESIDE, "page", ...pages.map((path) => join("page", path))];
  return Math.max(...files.map((path) => statSync(join(home, path)).mtimeMs));
}
