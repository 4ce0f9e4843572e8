/** A storm from the command line: `npm run storm -- [--rounds 50] [--rate 2000] [--seed 1] [--directories 2] [--network proxies]`. */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { NamespaceNetwork, ProxyNetwork } from "@meridian/harness";

import { Storm, type StormReport } from "./storm.ts";

const WRONG_SHOWN = 20;
const MEBIBYTE = 1024 * 1024;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "50" },
    rate: { type: "string", default: "2000" },
    directories: { type: "string", default: "1" },
    seed: { type: "string", default: String(randomInt(1, 1_000_000)) },
    network: { type: "string", default: NamespaceNetwork.isPossible ? "namespaces" : "proxies" },
  },
});
const rounds = readWhole(values.rounds);
const rate = readWhole(values.rate);
const seed = readWhole(values.seed);
const directories = readWhole(values.directories);
if (!["namespaces", "proxies"].includes(values.network)) {
  throw new Error(`Expected --network namespaces or proxies, got ${values.network}`);
}

function readWhole(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new Error(`Expected a whole number above 0, got ${text}`);
  }
  return number;
}

function print(report: StormReport): void {
  const { faults, counts, watches, stormMs, convergenceMs, digest, memory, wrong } = report;
  const { acknowledged, deletes, reads, refused, unanswered } = counts;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(1);
  const perSecond = Math.round((1_000 * acknowledged) / stormMs);
  console.log([...faults].map(([name, times]) => `${times} × ${name}`).join(", "));
  console.log(
    `${seconds(stormMs)} s: ${acknowledged} writes acknowledged (${deletes} deletes), ` +
      `${perSecond} a second; ${reads} reads; ${unanswered} without an answer, ${refused} refused`,
  );
  console.log(
    `watches went on ${watches.resumed} times where they were, and read all keys ${watches.reloads} times`,
  );
  console.log(
    `${wrong.length} promises broken; equal digests after ${seconds(convergenceMs)} s: ` +
      `${digest.count} entries, ${digest.fingerprint}`,
  );
  console.log(
    memory.map(([name, bytes]) => `${name} ${(bytes / MEBIBYTE).toFixed(0)} MiB`).join(", "),
  );
}

console.log(
  `${rounds} rounds at ${rate} writes/s over ${values.network}, ${directories} directories, seed ${seed}`,
);
const storm = new Storm({
  rounds,
  rate,
  seed,
  directories,
  network: values.network === "proxies" ? new ProxyNetwork() : new NamespaceNetwork(),
  tell: console.log,
});
try {
  const report = await storm.run();
  print(report);
  const wrong = [...report.wrong, ...report.bugs];
  for (const line of wrong.slice(0, WRONG_SHOWN)) console.log(`WRONG ${line}`);
  if (wrong.length > 0) {
    console.log(storm.report());
    throw new Error(`${wrong.length} things are wrong`);
  }
  console.log("Nothing acknowledged was lost, no delete undone.");
} catch (cause) {
  console.log(storm.report());
  throw cause;
} finally {
  await storm.dispose();
}
