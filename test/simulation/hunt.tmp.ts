import { ALL_RULES } from "./rules/all-rules.ts";
import { partsWithout } from "./rules/rule.ts";
import { simulate } from "./scenario.ts";
const part = Number(process.argv[2]);
for (const [i, rule] of ALL_RULES.entries()) {
  if (i % 2 !== part) continue;
  let found = 0;
  for (let seed = rule.seed; seed < rule.seed + 400; seed += 1) {
    const without = await simulate(seed, partsWithout(rule), rule.faults);
    if (without.violations.length === 0) continue;
    const { violations } = await simulate(seed, rule.harder?.(), rule.faults);
    if (violations.length > 0) continue;
    found = seed;
    break;
  }
  console.log(`${found}\t${rule.seed}\t${rule.rule}`);
}
