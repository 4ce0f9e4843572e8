import { describe, expect, it } from "vitest";

import { simulate } from "../scenario.ts";
import { simulateHonestly } from "../seeds.ts";
import { partsWithout, type Rule } from "./rule.ts";

/** How many seeds are tried, from the seed of the rule on. That seed fails without the rule, until a change of the code changes the course of simulations. */
const SEEDS = 60;

/** Tests, for each of `rules`, that a simulation fails without the rule, at a seed at which it succeeds with the rule. */
export function describeRules(rules: readonly Rule[]): void {
  describe("the simulation notices", () => {
    it.each(rules.map((each) => [each.rule, each] as const))(
      "where it does not hold that %s",
      async (_name, rule) => {
        const { faults, seed, directories } = rule;
        for (let tried = seed; tried < seed + SEEDS; tried += 1) {
          const without = await simulate(tried, partsWithout(rule), faults, directories);
          if (without.violations.length === 0) continue;
          const { violations } =
            rule.harder === undefined
              ? await simulateHonestly(tried, faults, directories)
              : await simulate(tried, rule.harder(), faults, directories);
          expect(violations, `SIM_SEED=${tried}`).toEqual([]);
          return;
        }
        expect.fail(`Expected one of ${SEEDS} seeds from ${seed} on to fail, none did`);
      },
    );
  });
}
