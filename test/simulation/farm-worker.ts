import type { Job, JobResult } from "./farm.ts";
import type { ClusterParts } from "./parts.ts";
import { CIRCUMSTANCES } from "./rules/circumstances.ts";
import { ALL_RULES } from "./rules/all-rules.ts";
import { partsWithout } from "./rules/rule.ts";
import { faultsOf, simulate, streamFaultsOf } from "./scenario.ts";

const VIOLATIONS_MAX = 5;

function partsIn({ circumstance }: Job): ClusterParts | undefined {
  return circumstance && CIRCUMSTANCES[circumstance]();
}

process.on("message", (job: Job) => {
  void run(job).then((result) => process.send?.(result));
});

async function run(job: Job): Promise<JobResult> {
  const rule = ALL_RULES.find((each) => each.rule === job.rule);
  const failed: { seed: number; violations: readonly string[] }[] = [];
  let acknowledged = 0;
  const usual = job.isOverStream === true ? streamFaultsOf : faultsOf;
  for (let seed = job.first; seed < job.first + job.count; seed += 1) {
    const parts = rule === undefined ? partsIn(job) : partsWithout(rule);
    const faults = rule?.faults ?? job.faults ?? usual(seed);
    const outcome = await simulate(seed, parts, faults, rule?.directories ?? job.directories);
    acknowledged += outcome.acknowledged;
    if (outcome.violations.length === 0) continue;
    failed.push({ seed, violations: outcome.violations.slice(0, VIOLATIONS_MAX) });
  }
  return { job, acknowledged, failed };
}
