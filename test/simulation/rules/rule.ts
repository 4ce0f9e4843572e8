import type { Rules } from "@meridian/replication/source/rules";

import type { ClusterParts } from "../cluster.ts";
import type { Faults } from "../scenario.ts";

/** A rule of replication, and how to do without it. */
export interface Rule {
  /** What holds. */
  readonly rule: string;
  /** What is done instead, in a simulation that switches the rule off. */
  readonly off: string;
  readonly faults: Faults;
  /** How many directories there are; 1 where it is left out. */
  readonly directories?: number;
  /** Parts for one simulation: made anew for each, because they may remember. */
  parts(): ClusterParts;
  /** Circumstances under which the rule matters more often; it holds in them. */
  harder?(): ClusterParts;
  /** A seed at which the simulation fails without the rule. */
  readonly seed: number;
}

/** The parts of a simulation without the rule, in the circumstances where that matters. */
export function partsWithout(rule: Rule): ClusterParts {
  return rule.harder === undefined ? rule.parts() : both(rule.harder(), rule.parts());
}

/** Machines that do without a rule of replication. */
export function without(rule: keyof Rules): ClusterParts {
  return { rules: { [rule]: false } };
}

/** Both parts at once, where they do not concern the same thing. */
export function both(first: ClusterParts, second: ClusterParts): ClusterParts {
  return { ...first, ...second, rules: { ...first.rules, ...second.rules } };
}
