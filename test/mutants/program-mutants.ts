import type { Mutant, Suite } from "./mutant.ts";

const HELD: Suite = { test: "packages/http/test/held-bytes.test.ts" };
const CONNECTED: Suite = { test: "packages/http/test/progress.test.ts" };
const DISKS: Suite = { test: "packages/store/test/store-error.test.ts" };
const DIALLED: Suite = { test: "apps/region/test/throttled-dial.test.ts" };
const SHORT: Suite = { test: "apps/region/test/short-path.test.ts" };

/** Bugs outside of replication: in servers, caches, stores, clients and the command. */
export const PROGRAM_MUTANTS: readonly Mutant[] = [
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
    find: "  server = await program.start(values",
    put: '  notifyReady("starting");\n  server = await program.start(values',
    suite: { test: "packages/supervision/test/server-program.test.ts" },
  },
  {
    bug: "a batch is one commit for each entry",
    file: "apps/region/src/listeners/http/batch-routes.ts",
    find: "  const written = await service.writes.set(items, ack);\n",
    put: "  for (const item of items.slice(1)) await service.writes.set([item], ack);\n  const written = await service.writes.set(items, ack);\n",
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
    bug: "the short path answers from memory where the database is damaged",
    file: "apps/region/src/service/admission.ts",
    find: "if (this.#draining || this.#damage !== undefined) return false;",
    put: "if (this.#draining) return false;",
    suite: SHORT,
  },
  {
    bug: "the short path answers from memory while the node is behind",
    file: "apps/region/src/service/admission.ts",
    find: 'return status === "ready" || ',
    put: 'return status === "syncing" || status === "ready" || ',
    suite: SHORT,
  },
  {
    bug: "memory judges expiry by the machine's clock",
    file: "apps/region/src/region-node.ts",
    find: "      nowMs: () => this.#replica.nowMs(),\n      ",
    put: "      nowMs: () => clock.nowMs(),\n      ",
    suite: { test: "test/e2e/clocks.test.ts", title: "judges what it has in memory" },
  },
  {
    bug: "a web page may open a link",
    file: "packages/http/src/http-server.ts",
    find: "link && (pageError(incoming) ?? this.#strangerError(socket))",
    put: "link && this.#strangerError(socket)",
    suite: { test: "apps/directory/test/origins.test.ts" },
  },
  {
    bug: "a stored page runs in the region's own origin",
    file: "apps/region/src/listeners/http/answers.ts",
    find: '  "Content-Security-Policy", "sandbox; default-src \'none\'",\n',
    put: "",
    suite: { test: "apps/region/test/origins.test.ts" },
  },
  {
    bug: "requests that are sent ahead are answered at once",
    file: "packages/http/src/pipelines.ts",
    find: '    if (outgoing.socket === null) outgoing.once("socket", wait);\n    else wait();\n',
    put: "    serve();\n",
    suite: CONNECTED,
  },
  {
    bug: "what waits unanswered on a connection is not counted",
    file: "packages/http/src/pipelines.ts",
    find: "bytes += REQUEST_BYTES * waiting.size;",
    put: "bytes += 0;",
    suite: CONNECTED,
  },
  {
    bug: "who holds bytes and moves none keeps them",
    file: "packages/runtime/src/held-bytes.ts",
    find: "if (slowest === undefined || slowest === holder) throw",
    put: "if (slowest === undefined || slowest !== holder) throw",
    suite: HELD,
  },
  {
    bug: "who takes a byte now and then holds its place by that",
    file: "packages/runtime/src/held-bytes.ts",
    find: "      if (needed > longest) [slowest, longest] = [holder, needed];\n",
    put: "      const isStill = sight.movedBytes === sight.movedBefore;\n      if (isStill && needed > longest) [slowest, longest] = [holder, needed];\n",
    suite: HELD,
  },
  {
    bug: "text is parsed however deep it nests",
    file: "packages/protocol/src/json-depth.ts",
    find: "if (depth > depthMax) return true;",
    put: "if (depth > depthMax && index < 0) return true;",
    suite: { test: "packages/protocol/test/json-depth.test.ts" },
  },
  {
    bug: "a quota that is used up is taken for a broken disk",
    file: "packages/store/src/store-error.ts",
    find: 'EDQUOT: ["full", ',
    put: 'EDQUOT: ["failing", ',
    suite: DISKS,
  },
  {
    bug: "an error number counts for less than the code that SQLite makes of it",
    file: "packages/store/src/store-error.ts",
    find: "const AMBIGUOUS = /^SQLITE_(IOERR|CANTOPEN)/;",
    put: "const AMBIGUOUS = /^SQLITE_(CANTOPEN)/;",
    suite: DISKS,
  },
  {
    bug: "what was sent before a failure was heard of is committed",
    file: "packages/store/src/commits.ts",
    find: "if (generation === this.#generation) this.#waiting.push(write);",
    put: "if (generation >= 0) this.#waiting.push(write);",
    suite: { test: "packages/store/test/writer.test.ts" },
  },
  {
    bug: "all is said to be well while somebody is missing",
    file: "apps/cli/src/commands/verify.ts",
    find: "return report.equal ? EXIT.ok : EXIT.unreachable;",
    put: "return EXIT.ok;",
    suite: { test: "test/integration/verify.test.ts" },
  },
  {
    bug: "an offer of HTTP/2 is refused",
    file: "packages/http/src/http-server.ts",
    find: "    if (taker === undefined) {\n",
    put: "    if (taker === undefined) {\n      if (head !== undefined) return answerRaw(socket, this.#refuse(tunnelError()));\n",
    suite: { test: "packages/http/test/http-server.test.ts" },
  },
  {
    bug: "as many requests are under way at a node as are asked for",
    file: "packages/client/src/slots.ts",
    find: "    if (this.#free === 0) return false;\n",
    put: "",
    suite: { test: "packages/client/test/load.test.ts" },
  },
  {
    bug: "a turn's gets of one key are as many requests",
    file: "packages/client/src/reads.ts",
    find: "      this.#wanted.set(key, wanted);\n",
    put: "      this.#wanted.set(`${key} ${this.#wanted.size}`, wanted);\n",
    suite: { test: "packages/client/test/load.test.ts" },
  },
];
