/** Programs of a cluster that end with the test that started them, and what tests ask of them. */
import { Program } from "@meridian/local-cluster";
import { onTestFinished } from "vitest";

/** Starts a program, which ends with the test. */
export async function start(
  program: "directory" | "region",
  name: string,
  args: readonly string[],
): Promise<Program> {
  const started = await Program.spawn({ name, program, args });
  onTestFinished(() => started.kill());
  return started;
}

/** Sets a key to its name, and waits for the log. Returns whether the log has it. */
export async function reachesLog(region: Program, key: string): Promise<boolean> {
  const answer = await fetch(`${region.url}/cache/${key}?ack=directory`, {
    method: "PUT",
    body: key,
  });
  const { acknowledged } = (await answer.json()) as { acknowledged?: { reached: boolean } };
  return acknowledged?.reached === true;
}
