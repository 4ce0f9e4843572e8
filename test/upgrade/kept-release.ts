/** Unpacks the programs of a release from its packages, which are kept as they were published. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { ROOT } from "@meridian/harness";
import { findPrograms, type NodePrograms } from "@meridian/local-cluster";
import type { NodeProgram } from "@meridian/supervision";

/** The folder of the kept releases. Each release is a folder of tarballs. */
export const RELEASES: string = join(ROOT, "test/releases");

/** The folder of the newest kept release; undefined if there is none. */
export function newestRelease(): string | undefined {
  if (!existsSync(RELEASES)) return undefined;
  const folders = readdirSync(RELEASES, { withFileTypes: true }).filter((each) =>
    each.isDirectory(),
  );
  const newest = folders
    .map(({ name }) => name)
    .toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .at(-1);
  return newest === undefined ? undefined : join(RELEASES, newest);
}

/**
 * Unpacks the tarballs of a folder below `node_modules` of this clone. There the packages find each other, and other modules in the
 * folders above. Returns the programs, the version that they report in `GET /status`, and a function that removes them.
 */
export function unpackRelease(folder: string): {
  readonly programs: NodePrograms;
  readonly version: string;
  readonly remove: () => void;
} {
  const home = join(ROOT, "node_modules/.cache", `release-${basename(folder)}-${process.pid}`);
  const modules = join(home, "node_modules/@meridian");
  mkdirSync(modules, { recursive: true });
  const tarballs = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  for (const tarball of tarballs) {
    execFileSync("tar", ["-xzf", join(folder, tarball), "-C", modules]);
    const { name } = manifestOf(join(modules, "package"));
    renameSync(join(modules, "package"), join(home, "node_modules", name));
  }
  // Between two releases the version of the packages stays the same, and would not show whether the old or the new program answers.
  const version = `${basename(folder)}-kept`;
  for (const name of ["directory", "region"]) {
    const file = join(modules, name, "package.json");
    writeFileSync(file, JSON.stringify({ ...manifestOf(join(modules, name)), version }));
  }
  const guard = join(modules, "local-cluster/dist/exit-with-parent.js");
  const programOf = (name: string): NodeProgram => {
    const entry = join(modules, name, "dist/main.js");
    if (existsSync(entry)) return { entry, execArgv: ["--import", guard] };
    throw new Error(`Expected the package @meridian/${name} in ${folder}, got none that is built`);
  };
  return {
    programs: { directory: programOf("directory"), region: programOf("region") },
    version,
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** Today's programs, and the version that they report in `GET /status`. */
export async function programsOfToday(): Promise<{
  readonly programs: NodePrograms;
  readonly version: string;
}> {
  const { version } = manifestOf(join(ROOT, "apps/region"));
  return { programs: await findPrograms(), version };
}

function manifestOf(folder: string): { readonly name: string; readonly version: string } {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
  };
}
