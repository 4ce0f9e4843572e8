import { simulate } from "./scenario.ts";
import { ALL_RULES } from "./rules/all-rules.ts";
const [first = 1, count = 50] = process.argv.slice(2, 4).map(Number);
const name = process.argv[4];
const rule = ALL_RULES.find((r) => name && r.off.includes(name));
let failed = 0,
  q = 0,
  a = 0;
const t = performance.now();
for (let s = first; s < first + count; s++) {
  const o = await simulate(s, rule?.parts(), "horizon");
  q += o.quarantined;
  a += o.acknowledged;
  if (o.violations.length) {
    failed++;
    if (failed < 6)
      console.log(
        "SEED",
        s,
        o.violations.length,
        "\n  " + o.violations.slice(0, 3).join("\n  ").slice(0, 600),
      );
  }
}
console.log(
  `${name ?? "honest"} ${count - failed} ok ${failed} failed, q ${q}, acked ${a}, ${(performance.now() - t) / 1000}s`,
);
