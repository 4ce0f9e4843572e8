/** Regions that stand alone, and the command as a process of its own, which may be killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, statSync } from "node:fs";
import { join } from "node:path";

import { Program, ROOT, until } from "@meridian/harness";
import { bundleSource } from "@meridian/source-bundle";

/** The digest of what a region holds. */
export interface Digest {
  readonly count: number;
  readonly fingerprint: string;
}

/** How long anything may take, in milliseconds. */
const PATIENCE_MS = 600_000;

/** Starts a region without a directory on a folder. Resolves once it serves. */
export async function startAlone(data: string): Promise<Program> {
  const place = ["--id=alone", "--lat=1", "--lon=2", "--host=127.0.0.1", "--port=0"];
  const args = [...place, `--data=${data}`, "--standalone", "--directory=http://127.0.0.1:1"];
  const program = await Program.start({ name: "alone", program: "region", args });
  await until("it serves", async () => (await fetch(`${program.url}/readyz`)).ok, PATIENCE_MS);
  return program;
}

export async function digestOf({ url }: Program): Promise<Digest> {
  return (await (await fetch(`${url}/digest`)).json()) as Digest;
}

/** The size of a file; 0 of one that is not there. */
export function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

/** How a command has ended. */
export interface Ended {
  /** Null if it was killed. */
  readonly code: number | null;
  readonly said: string;
}

/** The command as one file, which starts at once. */
const command = await bundleSource(join(ROOT, "apps/cli/src/main.ts"));

/** Runs the command. With `killOnce`, kills it as `kill -9` does once that holds. `into` takes what it prints. */
export async function meridian(
  argv: readonly string[],
  { killOnce, into }: { readonly killOnce?: () => boolean | Promise<boolean>; into?: string } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [command, ...argv]);
  let said = "";
  const note = (data: Buffer): void => void (said += data.toString());
  child.stderr.on("data", note);
  if (into === undefined) child.stdout.on("data", note);
  const file = into === undefined ? undefined : child.stdout.pipe(createWriteStream(into));
  const isWritten = file === undefined ? undefined : once(file, "finish");
  let hasEnded = false;
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code) => {
      hasEnded = true;
      resolve({ code, said });
    });
  });
  while (killOnce !== undefined && !hasEnded) {
    if (await killOnce()) {
      child.kill("SIGKILL");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await isWritten;
  return ended;
}

/** Runs the command until it succeeds, for what another attempt has left may be in its way for a while. */
export async function meridianAtLast(argv: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const { code, said } = await meridian(argv);
    const tookMs = performance.now() - startedMs;
    if (code === 0) return tookMs;
    if (tookMs > PATIENCE_MS || !said.includes("OVERLOADED")) {
      throw new Error(`Expected \`meridian ${argv.join(" ")}\` to succeed, got ${code}: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  }
}
