/** What a program holds after its garbage was collected, told by the program itself without a change to it. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { until, type Program } from "@meridian/local-cluster";
import type { NodeProgram } from "@meridian/supervision";

/** What one program holds. Its fields are the series that are watched for a trend. */
export interface Held {
  readonly descriptors: number;
  /** Objects of JavaScript on the main thread, and the bytes of buffers. */
  readonly heapBytes: number;
  /** All memory of the process: threads, SQLite and TLS included. */
  readonly residentBytes: number;
}

/** Collects garbage twice: what the first collection finalizes, the second frees. */
const PROBE = `
import { isMainThread } from "node:worker_threads";
import { renameSync, writeFileSync } from "node:fs";
if (isMainThread) {
  const file = process.env.SOAK_FOLDER + "/" + process.pid;
  process.on("SIGUSR2", () => {
    gc();
    setImmediate(() => {
      gc();
      const { heapUsed, external, rss } = process.memoryUsage();
      writeFileSync(file + ".new", JSON.stringify({ heapBytes: heapUsed + external, residentBytes: rss }));
      renameSync(file + ".new", file);
    });
  });
}`;

/** The program with the probe in it. It tells what it holds in the folder of the environment's SOAK_FOLDER. */
export function probed({ entry, execArgv }: NodeProgram): NodeProgram {
  const load = `data:text/javascript,${encodeURIComponent(PROBE)}`;
  return { entry, execArgv: [...execArgv, "--expose-gc", "--import", load] };
}

/** Has a program collect its garbage, and counts what is left. */
export async function heldBy(program: Program, folder: string): Promise<Held> {
  const file = join(folder, String(program.pid));
  rmSync(file, { force: true });
  program.signal("SIGUSR2");
  await until(`${program.name} has told what it holds`, () => existsSync(file), 60_000);
  const told = JSON.parse(readFileSync(file, "utf8")) as Omit<Held, "descriptors">;
  return { ...told, descriptors: readdirSync(`/proc/${program.pid}/fd`).length };
}
