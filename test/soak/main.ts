/**
 * A cluster over TLS with tokens in use for long, and whether descriptors or memory grow:
 *
 *   npm run hunt:soak -- [--minutes 60] [--warm-up <minutes>] [--rate <calls a second>] [--sample <seconds>] [--rotation <minutes>] [--restart <minutes>]
 *
 * Exit code 1 if anything grows by more than its bound, or a call fails.
 */
import { parseArgs } from "node:util";

import type { Held } from "./memory-probe.ts";
import { Soak } from "./soak.ts";
import { quantile } from "./trend.ts";

const MEBIBYTE = 1024 * 1024;
/** How much each may grow between the first sample and the last, by its slope. Whatever is lost with each call or connection exceeds that within an hour. */
const GROWTH_MAX: Readonly<Record<keyof Held, number>> = {
  descriptors: 8,
  heapBytes: 4 * MEBIBYTE,
  residentBytes: 16 * MEBIBYTE,
};
const MINUTE_MS = 60_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    "warm-up": { type: "string" },
    rate: { type: "string", default: "20" },
    sample: { type: "string", default: "30" },
    rotation: { type: "string", default: "5" },
    restart: { type: "string", default: "7" },
  },
});
const tell = (line: string): void =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
const lengthMs = Number(values.minutes) * MINUTE_MS;
const soak = new Soak({
  lengthMs,
  warmUpMs: values["warm-up"] === undefined ? lengthMs / 6 : Number(values["warm-up"]) * MINUTE_MS,
  sampleMs: Number(values.sample) * 1_000,
  rotationMs: Number(values.rotation) * MINUTE_MS,
  restartMs: Number(values.restart) * MINUTE_MS,
  rate: Number(values.rate),
  tell,
});
const { trends, tookMs, failures, counts, coreMs } = await soak.run();
tell(JSON.stringify(counts));
tell(`all programs together: ${((100 * coreMs) / lengthMs).toFixed(0)} % of a core`);
for (const [name, all] of tookMs) {
  const [p50, p99, longest] = [0.5, 0.99, 1].map((share) => quantile(all, share).toFixed(1));
  tell(`${name}: ${all.length} in p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
}
let grows = 0;
for (const { program, what, trend } of trends) {
  const isGrowing = trend.growth > GROWTH_MAX[what];
  grows += Number(isGrowing);
  const unit = what === "descriptors" ? 1 : MEBIBYTE;
  const [median, growth, bound] = [trend.median, trend.growth, GROWTH_MAX[what]].map((each) =>
    (each / unit).toFixed(1),
  );
  const verdict = isGrowing ? "GROWS" : "has no trend";
  tell(
    `${program}, ${what}: ${verdict}; median ${median}, grown by ${growth} of ${bound} (${trend.samples} samples)`,
  );
}
for (const failure of failures.slice(0, 50)) tell(`FAILED ${failure}`);
tell(`${failures.length} failures, ${grows} trends`);
process.exitCode = failures.length + grows === 0 ? 0 : 1;
