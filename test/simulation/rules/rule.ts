import type { Rules } from "@meridian/replication/source/rules";

import type { ClusterParts } from "../parts.ts";
import type { Faults } from "../scenario.ts";

/** A rule of replication, and how a simulation switches it off. */
export interface Rule {
  /** The rule, as a sentence. */
  readonly rule: string;
  /** What happens instead when the rule is switched off, as a sentence. */
  readonly off: string;
  readonly faults: Faults;
  /** How many directories there are. Default: 1. */
  readonly directories?: number;
  /** Returns the parts of a simulation without the rule. Parts may keep state, so each simulation gets new ones. */
  parts(): ClusterParts;
  /** Circumstances in which the absence of the rule shows more often. */
  harder?(): ClusterParts;
  /**
   * A seed at which the simulation fails without the rule. Once the code has changed, the test may have to look through the seeds that follow, which takes long:
   * `npm run simulate -- rules 60` names the first that fail.
   */
  readonly seed: number;
}

/** The parts of a simulation without the rule, in the circumstances of `harder`. The simulation ends at the first violation. */
export function partsWithout(rule: Rule): ClusterParts {
  const parts = rule.harder === undefined ? rule.parts() : both(rule.harder(), rule.parts());
  return { ...parts, endsAtViolation: true };
}

/** Parts whose nodes and directories have the rule switched off. */
export function without(rule: keyof Rules): ClusterParts {
  return { rules: { [rule]: false } };
}

/** Both parts together. They must not replace the same part. */
export function both(first: ClusterParts, second: ClusterParts): ClusterParts {
  const stream = { ...first.stream, ...second.stream };
  return { ...first, ...second, rules: { ...first.rules, ...second.rules }, stream };
}
