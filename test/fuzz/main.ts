/** `npm run hunt:fuzz -- [--inputs 1000000] [--minutes 10] [--seed 1] [--only frame,token] [--keep]`; `--minutes` bounds each target */
import { parseArgs } from "node:util";

import { TARGETS } from "./all-targets.ts";
import { corpusOf, keep } from "./corpus.ts";
import { fuzz } from "./fuzz.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "100000" },
    minutes: { type: "string", default: "Infinity" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    keep: { type: "boolean", default: false },
  },
});
const only = values.only === "" ? undefined : values.only.split(",");
const unknown = only?.find((name) => TARGETS.every((target) => target.name !== name));
if (unknown !== undefined) {
  const known = TARGETS.map(({ name }) => name).join(", ");
  throw new Error(`Expected \`--only\` to name some of ${known}, got \`${unknown}\``);
}

/** An input that takes more processor time, in milliseconds, counts as a hang, unless others run beside it. */
const HANG_MS = 1_000;
const MEBIBYTE = 1024 * 1024;

function heapMiB(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed / MEBIBYTE;
}

const inputs = Number(values.inputs);
let isBad = false;
for (const { name, overSockets, make } of TARGETS) {
  if (only !== undefined && !only.includes(name)) continue;
  const target = await make();
  const options = { seed: Number(values.seed), corpus: corpusOf(name) };
  // Memory of the first round, such as compiled code and caches, does not count as growth.
  await fuzz(target, { ...options, inputs: Math.min(2_000, inputs) });
  const beforeMiB = heapMiB();
  const startedMs = performance.now();
  const durationMs = Number(values.minutes) * 60_000;
  const report = await fuzz(target, { ...options, inputs, durationMs });
  const seconds = (performance.now() - startedMs) / 1_000;
  const grownMiB = heapMiB() - beforeMiB;
  const isSlow = report.slowestMs > HANG_MS && !overSockets;
  isBad ||= report.faults.length > 0 || grownMiB > 16 || isSlow;
  process.stdout.write(
    `${name}: ${report.inputs} inputs in ${seconds.toFixed(1)} s, ${report.outcomes} outcomes, ${report.faults.length} faults, at most ${report.slowestMs.toFixed(0)} ms of CPU each, heap ${grownMiB >= 0 ? "+" : ""}${grownMiB.toFixed(1)} MiB\n`,
  );
  for (const { input, why } of report.faults) {
    process.stdout.write(
      `  ${JSON.stringify(Buffer.from(input).toString("latin1").slice(0, 300))}\n  ${why}\n`,
    );
  }
  if (values.keep)
    keep(name, [...report.found.slice(0, 60), ...report.faults.map(({ input }) => input)]);
  await target.stop?.();
}
process.exitCode = isBad ? 1 : 0;
