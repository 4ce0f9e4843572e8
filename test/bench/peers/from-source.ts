/** Starts a server of this repository whose source is no program, but a file beside one. */
import { join } from "node:path";

import { ROOT } from "@meridian/harness";
import { ManagedProcess } from "@meridian/supervision";

/** A server that runs. */
export interface StartedFromSource {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/**
 * Starts a server. It runs as a bundle, as built programs do: a loader that translates each module keeps the names of functions, and each function that is
 * made on a request then costs as much as the rest of a short answer.
 */
export async function startFromSource(
  name: string,
  file: string,
  argument: string,
): Promise<StartedFromSource> {
  const run = join(ROOT, "packages/source-bundle/run.js");
  const guard = join(ROOT, "packages/local-cluster/dist/exit-with-parent.js");
  const flags = ["--conditions=@meridian/source", "--import", guard];
  const command = [process.execPath, ...flags, run, file, argument];
  const output = (): void => {};
  const server = new ManagedProcess({ name, command, env: process.env, cwd: ROOT, output });
  const url = await server.listens();
  const stop = async (): Promise<void> => void (await server.stop());
  return { url, pid: server.pid ?? NaN, stop };
}
