/** The one suite that has to notice a bug: a file of tests, or those in it whose title has a text; or simulated seeds. */
export type Suite = { readonly test: string; readonly title?: string } | { readonly seeds: string };

/** A bug as it could be made: in `file`, what `find` says once is replaced. */
export interface Mutant {
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly suite: Suite;
}

const REPLICATION = "packages/replication/src";
const TESTS = "packages/replication/test";

const POSITIONS: Suite = { test: `${TESTS}/session-position.test.ts` };
const DURABLE: Suite = { test: `${TESTS}/durable-acknowledgement.test.ts` };
const UNSENT: Suite = { test: `${TESTS}/unsent-entries.test.ts` };
const RECONCILING: Suite = { test: `${TESTS}/large-reconciliation.test.ts` };
const DIALLED: Suite = { test: "apps/region/test/throttled-dial.test.ts" };
const SHORT: Suite = { test: "apps/region/test/short-path.test.ts" };

/** Bugs of the kinds that once came through every check. */
export const MUTANTS: readonly Mutant[] = [
  {
    bug: "a reconciliation ends after its first full page",
    file: `${REPLICATION}/reconcile/reconciler.ts`,
    find: "    this.#compare(from, summaries, RANGE_ENTRIES, next, PAGE);\n",
    put: "    this.#compare(from, summaries, RANGE_ENTRIES, next, PAGE);\n    this.#walked = true;\n",
    suite: RECONCILING,
  },
  {
    bug: "a reconciling node is not sent what it wants of the log",
    file: `${REPLICATION}/reconcile/reconcile-responder.ts`,
    find: "const entry = order > 0 ? this.#get(summary.key) : undefined;",
    put: "const entry = order > 0 && offered !== undefined ? this.#get(summary.key) : undefined;",
    suite: RECONCILING,
  },
  {
    bug: "a drained link does not go on answering offers",
    file: `${REPLICATION}/directory/session-reconciliation.ts`,
    find: "    this.#responder?.pump();\n",
    put: "",
    suite: RECONCILING,
  },
  {
    bug: "the outbox is durably acknowledged through a place inside a compacted part",
    file: `${REPLICATION}/node/home.ts`,
    find: "Math.min(applier.whole.sequence, applier.durableThrough)",
    put: "applier.progress.sequence",
    suite: DURABLE,
  },
  {
    bug: "the outbox stays acknowledged where the disk has taken the cursor back",
    file: `${REPLICATION}/node/home.ts`,
    find: "    if (this.#savable <= durable) return;\n",
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
    bug: "the cursor is saved before its entries",
    file: `${REPLICATION}/intake/applier.ts`,
    find: "    if (withCursor) this.#savedSequence = cursor.sequence;\n",
    put: '    if (withCursor) {\n      this.#savedSequence = cursor.sequence;\n      this.#options.store.append({ kind: "progress", cursor }, () => {});\n    }\n',
    suite: { seeds: "1 20" },
  },
  {
    bug: "a number of acknowledgements counts nodes that are not ready",
    file: `${REPLICATION}/node/acknowledgements.ts`,
    find: "nodes.filter((id) => ready.includes(id)).length",
    put: "nodes.length + 0 * ready.length",
    suite: { test: `${TESTS}/acknowledgements.test.ts` },
  },
  {
    bug: "`all` is reached where a ready node lacks the write",
    file: `${REPLICATION}/node/acknowledgements.ts`,
    find: "ready.every((id) => nodes.includes(id))",
    put: 'ready.some((id) => nodes.includes(id) || id !== "")',
    suite: { test: `${TESTS}/acknowledgements.test.ts` },
  },
  {
    bug: "a starting directory takes nodes in once it is connected",
    file: `${REPLICATION}/follow/peers.ts`,
    find: "if (follower.hasCaughtUp || (",
    put: "if (follower.isUp || follower.hasCaughtUp || (",
    suite: { test: `${TESTS}/several-directories.test.ts`, title: "while it lacks" },
  },
  {
    bug: "a starting directory waits for as long as a lost one may take, and no longer",
    file: `${REPLICATION}/follow/peers.ts`,
    find: "(this.#hasJoined && !follower.isUp)",
    put: "this.#hasJoined",
    suite: { test: `${TESTS}/several-directories.test.ts`, title: "while it lacks" },
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
    find: "Math.min(made, submitter.lowestTime, writes.lowestTime)",
    put: "Math.min(made, submitter.lowestTime > 0 ? Infinity : 0, writes.lowestTime)",
    suite: UNSENT,
  },
  {
    bug: "the end of an epoch counts for what was lost behind it",
    file: `${REPLICATION}/node/positions.ts`,
    find: "sequence <= end && applier.wholeThrough >= sequence",
    put: "applier.wholeThrough >= Math.min(sequence, end)",
    suite: POSITIONS,
  },
  {
    bug: "an epoch that is unheard of counts as lost",
    file: `${REPLICATION}/node/positions.ts`,
    find: '    if (!this.#lost.has(epoch)) return "unheard";\n',
    put: '    if (epoch === 0) return "unheard";\n',
    suite: POSITIONS,
  },
  {
    bug: "what was said of an epoch holds in the next one, too",
    file: `${REPLICATION}/node/positions.ts`,
    find: "    this.#lost.clear();\n    this.#acknowledged",
    put: "    this.#acknowledged",
    suite: POSITIONS,
  },
  {
    bug: "the place in an epoch that was left is forgotten at once",
    file: `${REPLICATION}/node/home.ts`,
    find: "      this.#keys.cut(homeThrough);\n      this.#noteLeft();\n",
    put: "      this.#keys.cut(homeThrough);\n",
    suite: POSITIONS,
  },
  {
    bug: "a position that a client made up goes on to a directory",
    file: "packages/protocol/src/position.ts",
    find: "every((id) => id <= IDENTITY_MAX)",
    put: "every((id) => id <= IDENTITY_MAX || id > 0)",
    suite: { test: "packages/protocol/test/position.test.ts" },
  },
  {
    bug: "a link that was paused is never read again",
    file: "apps/region/src/throttled-dial.ts",
    find: "      link.resume();\n",
    put: "",
    suite: DIALLED,
  },
  {
    bug: "a link is paused once and never again",
    file: "apps/region/src/throttled-dial.ts",
    find: "      isPaused = false;\n",
    put: "",
    suite: DIALLED,
  },
  {
    bug: "a server is said to be ready before it listens",
    file: "packages/supervision/src/server-program.ts",
    find: "  const server = await program.start(values",
    put: '  notifyReady("starting");\n  const server = await program.start(values',
    suite: { test: "packages/supervision/test/server-program.test.ts" },
  },
  {
    bug: "a batch is one commit for each entry",
    file: "apps/region/src/listeners/http/batch-routes.ts",
    find: "  const written = await service.writes.set(requests, ack);\n",
    put: "  for (const request of requests.slice(1)) await service.writes.set([request], ack);\n  const written = await service.writes.set(requests, ack);\n",
    suite: SHORT,
  },
  {
    bug: "the short path answers from memory while the node drains",
    file: "apps/region/src/service/reads.ts",
    find: "    if (!this.#options.admission.serving) return undefined;\n",
    put: "",
    suite: SHORT,
  },
  {
    bug: "a new stamp moves the end the other way",
    file: `${REPLICATION}/node/submitter.ts`,
    find: "Math.max(1, entry.expiresAtMs + movedMs)",
    put: "Math.max(1, entry.expiresAtMs - movedMs)",
    suite: { test: `${TESTS}/re-stamping.test.ts` },
  },
  {
    bug: "a new stamp loses the content type",
    file: `${REPLICATION}/node/submitter.ts`,
    find: "    return { ...entry, stamp, expiresAtMs };\n",
    put: '    return { ...entry, contentType: "", stamp, expiresAtMs };\n',
    suite: { seeds: "1 60" },
  },
  {
    bug: "a write that the disk refused is said to be stored",
    file: `${REPLICATION}/node/write-path.ts`,
    find: "else for (const { batch } of accepted) batch.done(failure);",
    put: "else this.#answer(accepted, frame, entries);",
    suite: { seeds: "1 20" },
  },
  {
    bug: "a node that remembers no keys is fed by any directory",
    file: `${REPLICATION}/node/home.ts`,
    find: "    if (this.#completeFrom > 0) return undefined;\n",
    put: "",
    suite: { test: `${TESTS}/several-directories.test.ts`, title: "does not remember" },
  },
  {
    bug: "a node is fed from before what was purged",
    file: `${REPLICATION}/directory/resume.ts`,
    find: "if (resumeAfter === undefined || resumeAfter < log.purgedThrough || through === undefined) {",
    put: "if (resumeAfter === undefined || through === undefined) {",
    suite: { test: `${TESTS}/directory-horizon.test.ts` },
  },
  {
    bug: "stamps that were changed are taken for what they were",
    file: `${REPLICATION}/horizon/pending-times.ts`,
    find: "    this.#unknownThrough = position;\n  }",
    put: "    this.#unknownThrough = Math.min(position, 0);\n  }",
    suite: { test: `${TESTS}/pending-times.test.ts` },
  },
  {
    bug: "a full link is sent more all the same",
    file: `${REPLICATION}/directory/feed.ts`,
    find: "return this.#options.link.bufferedBytes < this.#options.linkBytesMax;",
    put: "return this.#options.link.bufferedBytes < 10 * this.#options.linkBytesMax;",
    suite: { test: `${TESTS}/directory.test.ts` },
  },
  {
    bug: "keys that were forgotten count as remembered",
    file: `${REPLICATION}/node/recent-keys.ts`,
    find: "      this.#floor = Math.max(this.#floor, run.through);\n",
    put: "",
    suite: { test: `${TESTS}/bounded-memory.test.ts` },
  },
  {
    bug: "what another log has told is forgotten before the log knows it",
    file: `${REPLICATION}/follow/followed-entries.ts`,
    find: "this.#settling = { stamps: this.#stamps, through: this.#through };",
    put: "this.#settling = undefined;",
    suite: { test: `${TESTS}/bounded-memory.test.ts` },
  },
];
