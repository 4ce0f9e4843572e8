import type { Mutant, Suite } from "./mutant.ts";

const REPLICATION = "packages/replication/src";
const TESTS = "packages/replication/test";
const TAKEN_EARLY: Suite = { test: `${TESTS}/early-frames.test.ts` };
const GIVEN_EARLY: Suite = { test: `${TESTS}/serving-early.test.ts` };

/** Bugs in what neighbours have from each other before it is ordered. */
export const EARLY_MUTANTS: readonly Mutant[] = [
  {
    bug: "an early frame that the log does not bring is dropped",
    file: `${REPLICATION}/node/early-entries.ts`,
    find: "else this.#offer(incarnation, overdue, entries);",
    put: "else this.#leave(incarnation, overdue);",
    suite: TAKEN_EARLY,
  },
  {
    bug: "an early frame counts for those before it that have not come",
    file: `${REPLICATION}/node/early-entries.ts`,
    find: "if (place === whole + 1)",
    put: "if (place === known + 1)",
    suite: TAKEN_EARLY,
  },
  {
    bug: "an early frame outlives what the log has at its place with lower stamps",
    file: `${REPLICATION}/intake/replica-intake.ts`,
    find: "    if (!frame.isDonation) early.settle(incarnation, position);\n",
    put: "",
    suite: TAKEN_EARLY,
  },
  {
    bug: "a position does not name what came early",
    file: `${REPLICATION}/node/early-entries.ts`,
    find: "    return this.#places;\n",
    put: "    return NOWHERE;\n",
    suite: TAKEN_EARLY,
  },
  {
    bug: "a frame goes out early though the writer may refuse it",
    file: `${REPLICATION}/serve/early-frames.ts`,
    find: "return isNext && this.#highestTime <= this.#log.admittedTime;",
    put: "return isNext && highestTime > 0;",
    suite: GIVEN_EARLY,
  },
  {
    bug: "frames go out early to nodes whose clients may move to one that does not know what is early",
    file: `${REPLICATION}/serve/serving-directory.ts`,
    find: "    if (!this.#areAllEarly) return [];\n",
    put: "",
    suite: GIVEN_EARLY,
  },
];
