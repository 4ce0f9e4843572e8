/**
 * Where tests put their temporary folders. A disk that is told of each deleted block at once, as those of many virtual machines are, takes
 * milliseconds to delete a file and to make a write durable, and tests do so a hundred thousand times. Linux has a folder in memory
 * for this. What tests want to know of a disk (that it is full, fails, or stalls), they cause themselves.
 */
import { readFileSync, statfsSync } from "node:fs";

const FOLDER = "/dev/shm";
/** Far more than all tests need at once, so that no machine runs out of memory. */
const BYTES_MIN = 8 * 1024 ** 3;

/** The folder in memory; undefined if there is none, if it is small, or if programs may not be run from it. */
export function memoryFolder(): string | undefined {
  try {
    if (!mayRunPrograms(readFileSync("/proc/mounts", "utf8"))) return undefined;
    const { bavail, bsize } = statfsSync(FOLDER);
    return bavail * bsize >= BYTES_MIN ? FOLDER : undefined;
  } catch {
    // It is another system than Linux.
    return undefined;
  }
}

/** Whether a list of mounts has the folder in memory as one from which programs may be run. */
export function mayRunPrograms(mounts: string): boolean {
  const [, , kind, options = ""] =
    mounts
      .split("\n")
      .map((line) => line.split(" "))
      .findLast(([, place]) => place === FOLDER) ?? [];
  return kind === "tmpfs" && !options.split(",").includes("noexec");
}
