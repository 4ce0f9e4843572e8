import type { Mutant, Suite } from "./mutant.ts";

const REPLICATION = "packages/replication/src";
const TESTS = "packages/replication/test";
const DURABLE: Suite = { test: `${TESTS}/durable-acknowledgement.test.ts` };
const UNSENT: Suite = { test: `${TESTS}/unsent-entries.test.ts` };
const STAMPED_ANEW: Suite = { test: `${TESTS}/re-stamping.test.ts` };
const TAKEN_BACK: Suite = { test: `${TESTS}/taken-back-stamps.test.ts` };

/** Bugs in how a node gives its writes away: the outbox, its stamps and what is durable. */
export const OUTBOX_MUTANTS: readonly Mutant[] = [
  {
    bug: "a write keeps its old stamp behind one of its key that has a new one",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "held !== undefined && replaces(entry, held) ?",
    put: "held !== undefined ?",
    suite: STAMPED_ANEW,
  },
  {
    bug: "the outbox is durably acknowledged through a place inside a compacted part",
    file: `${REPLICATION}/node/home.ts`,
    find: "const sequence = Math.min(whole.sequence, durableThrough);",
    put: "const { sequence } = this.#position.progress;",
    suite: DURABLE,
  },
  {
    bug: "a cursor in one log covers what another log has acknowledged",
    file: `${REPLICATION}/node/savable-outbox.ts`,
    find: "    if (this.#log.logId !== logId || this.#log.epoch !== epoch) return;\n",
    put: "    if (logId + epoch < 0) return;\n",
    suite: DURABLE,
  },
  {
    bug: "the outbox stays acknowledged where the disk has taken the cursor back",
    file: `${REPLICATION}/node/savable-outbox.ts`,
    find: "    if (this.#position <= durable) return;\n",
    put: "    if (durable >= 0) return;\n",
    suite: DURABLE,
  },
  {
    bug: "the outbox is durably acknowledged whatever the cursor is",
    file: `${REPLICATION}/node/submitter.ts`,
    find: "Math.min(savable, this.#acknowledgedThrough)",
    put: "savable < 0 ? 0 : this.#acknowledgedThrough",
    suite: DURABLE,
  },
  {
    bug: "a horizon passes what is being committed",
    file: `${REPLICATION}/node/write-path.ts`,
    find: "return hasOld ? 0 : this.#committingLowest;",
    put: "return hasOld ? 0 : Infinity;",
    suite: UNSENT,
  },
  {
    bug: "a horizon passes what is submitted again",
    file: `${REPLICATION}/node/write-path.ts`,
    find: "return hasOld ? 0 : this.#committingLowest;",
    put: "return hasOld ? this.#committingLowest : this.#committingLowest;",
    suite: UNSENT,
  },
  {
    bug: "a horizon passes what waits in the outbox",
    file: `${REPLICATION}/node/pulse.ts`,
    find: "Math.min(made, submitter.lowestTime, ",
    put: "Math.min(made, submitter.lowestTime > 0 ? Infinity : 0, ",
    suite: UNSENT,
  },
  {
    bug: "a new stamp moves the end the other way",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "Math.max(1, entry.expiresAtMs + movedMs)",
    put: "Math.max(1, entry.expiresAtMs - movedMs)",
    suite: STAMPED_ANEW,
  },
  {
    bug: "a new stamp moves an end that nobody's wrong clock has set",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "isByThatClock && this.#context.time.confirmedMs() !== undefined",
    put: "isByThatClock || this.#context.time.isTold",
    suite: STAMPED_ANEW,
  },
  {
    bug: "a new stamp loses the content type",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "    return { ...entry, stamp, expiresAtMs };\n",
    put: '    return { ...entry, contentType: "", stamp, expiresAtMs };\n',
    suite: STAMPED_ANEW,
  },
  {
    bug: "what is acknowledged before a comparison counts where that ends",
    file: `${REPLICATION}/node/savable-outbox.ts`,
    find: "newest.through === Infinity ? sequence : Math.max(newest.through, sequence)",
    put: "sequence",
    suite: DURABLE,
  },
  {
    bug: "every refusal is taken to be of the first frame that is not acknowledged",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "this.#restampAfter(position - 1, bound, () => this.#end());",
    put: "this.#restampAfter(acknowledgedThrough, Math.min(timeMax, bound), () => this.#end());",
    suite: STAMPED_ANEW,
  },
  {
    bug: "nothing is learnt of admitted stamps from a welcome",
    file: `${REPLICATION}/node/submitter.ts`,
    find: "      if (frame.position > committed) return false;\n      this.#context.admitted.raise(frame.highestTime);",
    put: "      if (frame.position > committed) return false;",
    suite: STAMPED_ANEW,
  },
  {
    bug: "a node that has taken stamps back does not ask for its own frames",
    file: `${REPLICATION}/node/replica-options.ts`,
    find: "...(store.takenBack.isEmpty ? [OWN_FRAMES] : [])",
    put: "OWN_FRAMES",
    suite: TAKEN_BACK,
  },
  {
    bug: "a node that takes stamps back keeps its places in other logs",
    file: `${REPLICATION}/node/settlement.ts`,
    find: "    home.forgetOthers();\n",
    put: "    if (!isThere) home.forgetOthers();\n",
    suite: TAKEN_BACK,
  },
  {
    bug: "a node that takes stamps back on arrival goes on from where it was before",
    file: `${REPLICATION}/node/settlement.ts`,
    find: "      this.unsettle();\n      const said",
    put: "      const said",
    suite: TAKEN_BACK,
  },
  {
    bug: "a node takes itself for a copy where a log has what it has taken back",
    file: `${REPLICATION}/node/submitter.ts`,
    find: "store.takenBack.hasTime(highestTime)",
    put: "store.takenBack.hasTime(-1)",
    suite: TAKEN_BACK,
  },
  {
    bug: "of a node that gets its own frames, what is compacted is left out",
    file: `${REPLICATION}/directory/feed.ts`,
    find: "return incarnation !== 0 && frame.incarnation === incarnation;",
    put: "return frame.incarnation === incarnation;",
    suite: { test: `${TESTS}/own-frames.test.ts` },
  },
  {
    bug: "a restored copy sends what it had not sent with the stamps of then",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "isAhead = frame.highestTime > bound;",
    put: "isAhead = frame.highestTime > Infinity;",
    suite: STAMPED_ANEW,
  },
  {
    bug: "an old entry stands behind a newer write of its key in a frame",
    file: `${REPLICATION}/node/write-path.ts`,
    find: "        if (written.has(key)) continue;\n",
    put: "",
    suite: { test: `${TESTS}/incomplete-outbox.test.ts` },
  },
  {
    bug: "a restored copy gives new stamps below what was admitted meanwhile",
    file: `${REPLICATION}/node/restamper.ts`,
    find: "      if (isAdmitted && isOld) this.#outdated?.observe(time);\n",
    put: "",
    suite: STAMPED_ANEW,
  },
];
