import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { onTestFinished } from "vitest";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT } from "@meridian/harness";

/** Starts an example that listens, and resolves to its URL. Stops the example at the end of the test. */
export async function startExample(
  file: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const args = ["--conditions=@meridian/source", "--import", "tsx", file];
  const child = spawn(process.execPath, args, {
    cwd: join(ROOT, "apps/examples"),
    env: { ...plainEnvironment(process.env), PORT: "0", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /^listening on (.*)$/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`Expected ${file} to say where it listens, got its end.`);
}
