/** Finds the programs of a cluster: from source if this package runs from source, and built otherwise. */
import { fileURLToPath } from "node:url";

import { MeridianError } from "@meridian/protocol";
import type { NodeProgram } from "@meridian/supervision";

/** How Node.js runs the programs of a cluster. */
export interface NodePrograms {
  readonly directory: NodeProgram;
  readonly region: NodeProgram;
}

/** Finds the programs of the directory and the regions. Throws `INVALID_CONFIG` if they are not installed. */
export async function findPrograms(): Promise<NodePrograms> {
  const [directory, region] = [findMain("@meridian/directory"), findMain("@meridian/region")];
  if (!directory.endsWith(".ts")) return { directory: built(directory), region: built(region) };
  try {
    const { bundleSource } = await import("@meridian/source-bundle");
    const inject = fileURLToPath(guard("ts"));
    const bundle = (entry: string): Promise<string> =>
      bundleSource(entry, { inject, isCached: true });
    const [first, second] = await Promise.all([bundle(directory), bundle(region)]);
    return { directory: bundled(first), region: bundled(second) };
  } catch {
    // There is no bundler, or it refuses the source. The loader then runs the source, or says what is wrong with it.
    return { directory: loaded(directory), region: loaded(region) };
  }
}

/** The path of `main`, which is beside the file that the package exports. */
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
  return { entry, execArgv: ["--import", guard("js").href] };
}

/** A bundled program, which contains `exit-with-parent`. */
function bundled(entry: string): NodeProgram {
  return { entry, execArgv: [] };
}

function loaded(entry: string): NodeProgram {
  return { entry, execArgv: [...process.execArgv, "--import", guard("ts").href] };
}

function guard(extension: "js" | "ts"): URL {
  return new URL(`./exit-with-parent.${extension}`, import.meta.url);
}
