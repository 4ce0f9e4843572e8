/**
 * Where the development cluster keeps its data between runs.
 *
 * The file `dev.json` marks a folder as one of `meridian dev`: no other folder is used or emptied, except a new or empty one. The file
 * also has the id of the process that uses the folder, so that two clusters do not share their databases.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { MeridianError } from "@meridian/protocol";

const MARKER = "dev.json";

/** A data directory that this process uses. */
export interface DataDirectory {
  readonly path: string;
  /** Whether the previous run was not stopped in order, so that its programs may still be ending. */
  readonly unclean: boolean;
  /** Marks the folder as unused. The data stays. */
  release(): void;
}

/**
 * Marks a folder as used by this process. Creates the folder if it is missing, and empties it if `fresh`. Throws `STORE_IN_USE` if another
 * cluster uses it, `INVALID_CONFIG` if it holds something else.
 */
export function takeDataDirectory(given: string, fresh: boolean): DataDirectory {
  const path = resolve(given);
  const marker = join(path, MARKER);
  const previous = existsSync(marker) ? readPid(marker) : undefined;
  if (previous !== undefined && previous !== process.pid && isDevProcess(previous)) {
    throw new MeridianError(
      "STORE_IN_USE",
      `Another \`meridian dev\` (process ${previous}) uses ${path}; stop it or choose another directory with \`--data\``,
    );
  }
  if (existsSync(path) && !existsSync(marker) && readdirSync(path).length > 0) {
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected an empty directory or one of an earlier \`meridian dev\`, got ${path}, which holds something else`,
    );
  }
  if (fresh) rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  writeFileSync(marker, `${JSON.stringify({ pid: process.pid })}\n`);
  return {
    path,
    unclean: previous !== undefined,
    release: () => writeFileSync(marker, `${JSON.stringify({ pid: null })}\n`),
  };
}

function readPid(marker: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(marker, "utf8")) as { pid: unknown };
    return typeof pid === "number" ? pid : undefined;
  } catch {
    // A crash may have cut the marker short; it still marks the folder.
    return undefined;
  }
}

/** Whether the process `pid` runs and is a `meridian dev`, and not another process that has got the same id. */
function isDevProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes("dev");
  } catch {
    return true;
  }
}
