/** `npm run simulate`: runs many seeds. The tests run a fixed range. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";

import { runJobs, type Job, type JobResult } from "./farm.ts";
import { isCircumstance, type Circumstance } from "./rules/circumstances.ts";
import { ALL_RULES } from "./rules/all-rules.ts";

const USAGE = `Usage: npm run simulate -- [first] [count]
         runs \`count\` seeds (1000) from \`first\` (1) on
       npm run simulate -- nightly <count | duration> [first]
         runs as many seeds, or as long as a duration such as 90m or 8h allows, from \`first\` on (by default one
         that is drawn from the time of day, so that each night hunts elsewhere)
       npm run simulate -- rules [count] [text]
         switches each rule off in turn (whose name has \`text\` in it), and counts how many of \`count\` seeds (100)
         fail without it

With --directories <n>, clusters have as many directories, which follow each other. With --log stream, the log is in a stream of NATS JetStream,
simulated, and several directories share it. With --circumstance late-writers or set-back, writers of a stream are late, or the stream is set back, again and again. With --conditions, clients write by conditions for the whole
cluster: in clusters of one directory, or over a stream. With --jobs <n>, as many seeds run at
a time, each in a process; by default as many as there are processors. What comes of a seed does not depend on that.
All of them print each seed that fails as SIM_SEED=<seed>. The exit code tells of failures.`;

const BATCH = 20;
const REPORT_EVERY_MS = 60_000;
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    directories: { type: "string", default: "1" },
    conditions: { type: "boolean", default: false },
    log: { type: "string", default: "sqlite" },
    circumstance: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});
const directories = whole(values.directories);
const processes = whole(values.jobs);
const given: Pick<Job, "faults" | "isOverStream" | "circumstance"> = {
  ...faultsGiven(),
  ...(values.circumstance !== undefined && {
    circumstance: circumstanceGiven(values.circumstance),
  }),
};
const [mode = "1", ...rest] = positionals;
if (mode === "nightly") await hunt(...nightly(rest));
else if (mode === "rules") await tableOfRules(whole(rest[0] ?? "100"), rest[1] ?? "");
else await hunt(whole(mode), whole(rest[0] ?? "1000"), Infinity);

function usage(): never {
  console.error(USAGE);
  process.exit(2);
}

function whole(text: string): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : usage();
}

function circumstanceGiven(name: string): Circumstance {
  return isCircumstance(name) ? name : usage();
}

/** The faults that the options ask for; none for those of each seed. */
function faultsGiven(): Pick<Job, "faults" | "isOverStream"> {
  if (values.log !== "stream" && values.log !== "sqlite") return usage();
  const isOverStream = values.log === "stream";
  if (isOverStream && values.conditions) return { faults: "stream-conditions" };
  // A circumstance of streams is one of that life.
  if (isOverStream)
    return values.circumstance === undefined ? { isOverStream } : { faults: "stream" };
  return values.conditions ? { faults: "conditions" } : {};
}

function nightly([size = "", first]: readonly string[]): [number, number, number] {
  // A hunt starts far from the seeds that every test run covers.
  const from = first === undefined ? 1_000_000 + (Date.now() % 2_000_000_000) : whole(first);
  const match = /^(\d+)([smh])$/.exec(size);
  if (match === null) return [from, whole(size), Infinity];
  return [from, Infinity, Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS]];
}

async function hunt(first: number, count: number, durationMs: number): Promise<void> {
  const startedAtMs = performance.now();
  let [next, done, acknowledged, failed, reportedAtMs] = [first, 0, 0, 0, startedAtMs];
  const report = (): string => {
    const seconds = (performance.now() - startedAtMs) / 1_000;
    return `${done - failed} passed, ${failed} failed, from seed ${first} on: ${acknowledged} acknowledged writes, ${(done / seconds).toFixed(1)} seeds/s`;
  };
  const job = (): Job | undefined => {
    if (next >= first + count || performance.now() - startedAtMs >= durationMs) return undefined;
    const size = Math.min(BATCH, first + count - next);
    next += size;
    return { first: next - size, count: size, directories, ...given };
  };
  await runJobs(processes, job, (result: JobResult) => {
    done += result.job.count;
    acknowledged += result.acknowledged;
    failed += result.failed.length;
    for (const { seed, violations } of result.failed) {
      console.log(`SIM_SEED=${seed}\n  ${violations.join("\n  ")}`);
    }
    if (performance.now() - reportedAtMs < REPORT_EVERY_MS) return;
    reportedAtMs = performance.now();
    console.log(report());
  });
  console.log(report());
  process.exitCode = failed === 0 ? 0 : 1;
}

async function tableOfRules(count: number, text: string): Promise<void> {
  const rules = ALL_RULES.filter(({ rule }) => rule.includes(text));
  const jobs: Job[] = rules.flatMap(({ rule }) =>
    Array.from({ length: Math.ceil(count / BATCH) }, (_, index) => {
      const first = 1 + index * BATCH;
      return { first, count: Math.min(BATCH, count + 1 - first), rule };
    }),
  );
  const left = new Map(rules.map(({ rule }) => [rule, Math.ceil(count / BATCH)]));
  const failing = new Map<string, number[]>();
  await runJobs(
    processes,
    () => jobs.shift(),
    ({ job: { rule = "" }, failed }) => {
      failing.set(rule, [...(failing.get(rule) ?? []), ...failed.map(({ seed }) => seed)]);
      left.set(rule, (left.get(rule) ?? 0) - 1);
      if (left.get(rule) !== 0) return;
      const seeds = (failing.get(rule) ?? []).toSorted((a, b) => a - b);
      const examples = seeds.length === 0 ? "" : `, the first at ${seeds.slice(0, 3).join(", ")}`;
      const off = rules.find((each) => each.rule === rule)?.off;
      console.log(`${rule} (off: ${off}): ${seeds.length} of ${count} seeds fail${examples}`);
    },
  );
}
