/** The programs of a cluster, from source or built, whichever this package itself is. */
import { fileURLToPath } from "node:url";

import { MeridianError } from "@meridian/protocol";
import type { NodeProgram } from "@meridian/supervision";

import { bundleSource, endBundler } from "./source-bundle.ts";

/** The programs of a cluster. */
export interface NodePrograms {
  readonly directory: NodeProgram;
  readonly region: NodeProgram;
}

/** Finds the programs of the directory and the regions. Throws `INVALID_CONFIG` where they are not installed. */
export async function findPrograms(): Promise<NodePrograms> {
  const [directory, region] = [findMain("@meridian/directory"), findMain("@meridian/region")];
  if (!directory.endsWith(".ts")) return { directory: built(directory), region: built(region) };
  try {
    const bundles = await Promise.all([bundleSource(directory), bundleSource(region)]);
    return { directory: bundled(bundles[0]), region: bundled(bundles[1]) };
  } catch {
    // Without a bundler, or with source that it refuses: the loader runs it, or says what is wrong with it.
    return { directory: loaded(directory), region: loaded(region) };
  } finally {
    await endBundler().catch(() => {});
  }
}

/** `main` beside what a package exports. */
function findMain(packageName: string): string {
  try {
    const exported = import.meta.resolve(packageName);
    return fileURLToPath(exported.replace(/index\.(ts|js)$/, "main.$1"));
  } catch (cause) {
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected the package \`${packageName}\` beside this one, got none; install it with \`npm install ${packageName}\``,
      { cause },
    );
  }
}

function built(entry: string): NodeProgram {
  return { entry, execArgv: ["--import", new URL("./exit-with-parent.js", import.meta.url).href] };
}

/** Has `exit-with-parent` in it. */
function bundled(entry: string): NodeProgram {
  return { entry, execArgv: ["--enable-source-maps"] };
}

function loaded(entry: string): NodeProgram {
  const guard = new URL("./exit-with-parent.ts", import.meta.url).href;
  return { entry, execArgv: [...process.execArgv, "--import", guard] };
}
