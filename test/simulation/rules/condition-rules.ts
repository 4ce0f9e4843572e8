import { without, type Rule } from "./rule.ts";

/** Rules about conditions for the whole cluster. */
export const CONDITION_RULES: readonly Rule[] = [
  {
    rule: "a condition is decided against what is ordered and not yet durable, too",
    off: "it is decided against what is durable",
    faults: "conditions",
    seed: 7,
    parts: () => without("unstoredIsLookedAt"),
  },
  {
    rule: "a refusal is told once what it rests on is durable",
    off: "it is told at once",
    faults: "conditions",
    seed: 166,
    // Nodes answer once they have applied what the refusal rests on, so it shows only where they get that sooner, too.
    harder: () => without("decidedGoesOutDurable"),
    parts: () => without("refusalsWait"),
  },
  {
    rule: "an entry that was decided about goes out once it is durable",
    off: "it goes out at once",
    faults: "conditions",
    seed: 10,
    parts: () => without("decidedGoesOutDurable"),
  },
  {
    rule: "an entry that was decided about has a stamp above the version that it replaces",
    off: "it has whatever stamp its node has given it",
    faults: "conditions",
    seed: 7,
    parts: () => without("proposedLiesAbove"),
  },
  {
    rule: "a condition on a version that was written plainly is refused",
    off: "it is decided like any other",
    faults: "conditions",
    seed: 3,
    parts: () => without("scopeIsMarked"),
  },
  {
    rule: "a read of the whole cluster waits for what was ordered when it began",
    off: "it is answered at once",
    faults: "conditions",
    seed: 1,
    parts: () => without("readsWaitForBarrier"),
  },
  {
    rule: "the refusal of what was proposed on two links is judged by the node's own copy",
    off: "it is the answer",
    faults: "conditions",
    seed: 7,
    parts: () => without("repeatsAreJudged"),
  },
];
