/** The inputs that fuzzing has found: one line of JSON each, with the name of the target and the bytes in base64. */
import { appendFileSync, readFileSync } from "node:fs";

const PATH = new URL("corpus.jsonl", import.meta.url);

/** The inputs of a target. */
export function corpusOf(target: string): readonly Uint8Array[] {
  return readFileSync(PATH, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { readonly target: string; readonly input: string })
    .filter((line) => line.target === target)
    .map(({ input }) => Buffer.from(input, "base64"));
}

/** Keeps inputs. */
export function keep(target: string, inputs: readonly Uint8Array[]): void {
  for (const input of inputs) {
    const line = { target, input: Buffer.from(input).toString("base64") };
    appendFileSync(PATH, `${JSON.stringify(line)}\n`);
  }
}
