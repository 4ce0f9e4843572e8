/**
 * Runs many seeds: `npm run simulate -- [first] [count]`. Prints each seed that fails, and how many passed.
 * For the hunt; the tests run a fixed range.
 */
import { faultsOf, simulate } from "./scenario.ts";

const [first = 1, count = 1_000] = process.argv.slice(2).map(Number);
const startedAtMs = performance.now();
let failed = 0;
let acknowledged = 0;
let quarantined = 0;
for (let seed = first; seed < first + count; seed += 1) {
  const outcome = await simulate(seed, undefined, faultsOf(seed));
  acknowledged += outcome.acknowledged;
  quarantined += outcome.quarantined;
  if (outcome.violations.length === 0) continue;
  failed += 1;
  console.log(`SIM_SEED=${seed}\n  ${outcome.violations.slice(0, 5).join("\n  ")}`);
}
const seconds = (performance.now() - startedAtMs) / 1_000;
console.log(
  `${count - failed} passed, ${failed} failed: ${acknowledged} acknowledged writes, ${quarantined} quarantined, ${(count / seconds).toFixed(1)} seeds/s`,
);
process.exitCode = failed === 0 ? 0 : 1;
