import { without, type Rule } from "./rule.ts";

/** Rules about which clocks are trusted. */
export const TIME_RULES: readonly Rule[] = [
  {
    rule: "a directory goes by what most clocks say, and not by its own",
    off: "a directory's clock is taken for what most of them say",
    faults: "time",
    seed: 2,
    parts: () => without("mostClocksAreBelieved"),
  },
  {
    rule: "what cannot be undone waits for a majority",
    off: "a node takes the time that it goes by for a confirmed one",
    faults: "time",
    seed: 2,
    parts: () => without("majorityIsAwaited"),
  },
];
