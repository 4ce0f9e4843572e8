/**
 * A deferred callback (of a timer, a microtask, a log that has settled, or an event of a socket, server or worker) has no caller that could catch, so it ends the process if it throws. This
 * table lists each place where the programs defer one, with what catches its errors, or why it throws none. Continuations of promises are
 * not listed, because the linter demands that each promise is awaited or caught.
 *
 * A new place fails this test. Before you add it to the table: does it encode, decode, or read a store? Then it needs a `try` of its own.
 */
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

import { readWorkspace } from "./architecture/workspace.ts";

/** The folders whose code runs in the processes of regions and directories. */
const FOLDERS = [
  ...[
    "certificates",
    "tokens",
    "http",
    "transport",
    "store",
    "supervision",
    "replication",
    "runtime",
    "security",
    "log-jetstream",
    "cache",
  ].map((name) => `packages/${name}`),
  "apps/region",
  "apps/directory",
];

const DEFERS =
  /\b(?:setImmediate|setTimeout|setInterval|queueMicrotask|nextTick)\(|\.defer\(|\bturns\.later\(|\.(?:on|once|addListener|addEventListener)\(|\b(?:clock|deadlines)\.after\(|\blog\.settle\(/gi;

/** What catches errors, or why there are none. */
const SETTLES = "only settles a promise, ends a socket or counts: throws nothing";
const STEP = "the step of one party: what it throws ends that one's link or work";
const OWN = "goes over this process's own state, which no peer's message reaches unchecked";
const ANSWERS = "answers with what is thrown";
const LOGS = "logs what is thrown";
const WORKER =
  "runs in the thread that writes: its owner hears of what it throws, and fails what waits";
const NAMES = "only declares or hands on such a function";

/** By file: how many callbacks are deferred there, and what catches them. */
const KNOWN: Readonly<Record<string, readonly [number, string]>> = {
  "apps/directory/src/beside.ts": [1, OWN],
  "apps/directory/src/http/node-news.ts": [3, LOGS],
  "apps/directory/src/http/node-progress.ts": [2, OWN],
  "apps/directory/src/link-tokens.ts": [1, STEP],
  "apps/directory/src/log-digest.ts": [1, SETTLES],
  "apps/directory/src/log-pages.ts": [1, SETTLES],
  "apps/directory/src/serve-beside.ts": [1, NAMES],
  "apps/directory/src/start-directory.ts": [1, NAMES],
  "apps/region/src/ask-status.ts": [1, SETTLES],
  "apps/region/src/directory-finder.ts": [1, STEP],
  "apps/region/src/directory-learner.ts": [1, STEP],
  "apps/region/src/listeners/http/put-path.ts": [1, ANSWERS],
  "apps/region/src/listeners/ws/client-socket.ts": [3, ANSWERS],
  "apps/region/src/listeners/ws/socket-listener.ts": [2, OWN],
  "apps/region/src/region-node.ts": [3, NAMES],
  "apps/region/src/service/change-feed.ts": [3, OWN],
  "apps/region/src/service/contents.ts": [1, NAMES],
  "apps/region/src/service/expiries.ts": [1, OWN],
  "apps/region/src/service/heat-share.ts": [1, OWN],
  "apps/region/src/service/key-listing.ts": [1, SETTLES],
  "apps/region/src/service/leases.ts": [2, OWN],
  "apps/region/src/service/place-notes.ts": [2, OWN],
  "apps/region/src/service/steps.ts": [1, SETTLES],
  "apps/region/src/service/store-patience.ts": [1, SETTLES],
  "apps/region/src/service/watches.ts": [1, LOGS],
  "apps/region/src/service/writes.ts": [1, SETTLES],
  "apps/region/src/throttled-dial.ts": [2, OWN],
  "packages/cache/src/on-abort.ts": [1, SETTLES],
  "packages/cache/src/platform.ts": [1, NAMES],
  "packages/cache/src/timekeeper.ts": [1, OWN],
  "packages/certificates/src/credentials.ts": [1, SETTLES],
  "packages/http/src/answer-body.ts": [1, ANSWERS],
  "packages/http/src/body.ts": [4, SETTLES],
  "packages/http/src/event-streams.ts": [4, OWN],
  "packages/http/src/kept-pauses.ts": [2, SETTLES],
  "packages/http/src/in-turns.ts": [1, SETTLES],
  "packages/http/src/http-guard.ts": [12, SETTLES],
  "packages/http/src/http-server.ts": [14, ANSWERS],
  "packages/http/src/pipelines.ts": [2, ANSWERS],
  "packages/http/src/plain-connections.ts": [9, ANSWERS],
  "packages/http/src/reply.ts": [6, SETTLES],
  "packages/http/src/request-limit.ts": [1, SETTLES],
  "packages/http/src/request-turns.ts": [5, ANSWERS],
  "packages/http/src/routed-app.ts": [1, ANSWERS],
  "packages/http/src/views/program-request.ts": [7, SETTLES],
  "packages/http/src/views/view-stream.ts": [6, ANSWERS],
  "packages/log-jetstream/src/delay.ts": [1, SETTLES],
  "packages/log-jetstream/src/relay-client.ts": [2, OWN],
  "packages/log-jetstream/src/relay-host.ts": [1, OWN],
  "packages/log-jetstream/src/relay-link.ts": [2, STEP],
  "packages/log-jetstream/src/stream-writer.ts": [3, OWN],
  "packages/replication/src/directory/applied-news.ts": [1, OWN],
  "packages/replication/src/directory/conditions.ts": [3, ANSWERS],
  "packages/replication/src/directory/directory-context.ts": [1, NAMES],
  "packages/replication/src/directory/directory-session.ts": [2, STEP],
  "packages/replication/src/directory/directory.ts": [4, STEP],
  "packages/replication/src/directory/membership.ts": [1, OWN],
  "packages/replication/src/directory/roster.ts": [2, OWN],
  "packages/replication/src/follow/followed-entries.ts": [1, OWN],
  "packages/replication/src/follow/follower.ts": [1, STEP],
  "packages/replication/src/follow/peers.ts": [3, OWN],
  "packages/replication/src/horizon/directory-horizon.ts": [1, OWN],
  "packages/replication/src/link/directory-choice.ts": [3, OWN],
  "packages/replication/src/link/replica-link.ts": [3, OWN],
  "packages/replication/src/node/acknowledgements.ts": [1, SETTLES],
  "packages/replication/src/node/early-entries.ts": [1, STEP],
  "packages/replication/src/node/node-context.ts": [1, NAMES],
  "packages/replication/src/node/outbox-walk.ts": [1, STEP],
  "packages/replication/src/node/positions.ts": [1, SETTLES],
  "packages/replication/src/node/proposals.ts": [2, OWN],
  "packages/replication/src/node/replica.ts": [2, OWN],
  "packages/replication/src/node/settlement.ts": [1, STEP],
  "packages/replication/src/node/submitter.ts": [1, STEP],
  "packages/replication/src/node/write-path.ts": [1, STEP],
  "packages/replication/src/order/sequencer.ts": [1, OWN],
  "packages/replication/src/serve/served-link.ts": [1, STEP],
  "packages/replication/src/serve/serving-directory.ts": [3, OWN],
  "packages/runtime/src/cuts.ts": [1, OWN],
  "packages/runtime/src/deadlines.ts": [1, NAMES],
  "packages/runtime/src/history.ts": [1, OWN],
  "packages/runtime/src/system-clock.ts": [1, NAMES],
  "packages/security/src/known-at.ts": [1, OWN],
  "packages/store/src/background-work.ts": [2, WORKER],
  "packages/store/src/backup/live-backup.ts": [1, LOGS],
  "packages/store/src/backup/snapshot-thread.ts": [3, SETTLES],
  "packages/store/src/commits.ts": [1, OWN],
  "packages/store/src/directory-log.ts": [2, OWN],
  "packages/store/src/redo/redo-log.ts": [4, OWN],
  "packages/store/src/store-metrics.ts": [1, OWN],
  "packages/store/src/turns.ts": [1, SETTLES],
  "packages/store/src/write-health.ts": [1, OWN],
  "packages/store/src/writer-client.ts": [6, OWN],
  "packages/store/src/writer-thread.ts": [1, WORKER],
  "packages/store/src/writer.ts": [1, WORKER],
  "packages/supervision/src/managed-process.ts": [7, SETTLES],
  "packages/supervision/src/notify.ts": [4, SETTLES],
  "packages/supervision/src/output.ts": [1, SETTLES],
  "packages/supervision/src/parent.ts": [2, SETTLES],
  "packages/supervision/src/process-metrics.ts": [1, OWN],
  "packages/supervision/src/server-program.ts": [3, SETTLES],
  "packages/tokens/src/revocations.ts": [1, SETTLES],
  "packages/tokens/src/token-verifier.ts": [1, SETTLES],
  "packages/transport/src/dial-link.ts": [3, STEP],
  "packages/transport/src/doorway.ts": [3, STEP],
  "packages/transport/src/link-listener.ts": [3, STEP],
  "packages/transport/src/read-turns.ts": [1, STEP],
  "packages/transport/src/small-frames.ts": [1, OWN],
  "packages/transport/src/web-socket-link.ts": [7, STEP],
};

function placesIn(text: string): number {
  const code = text.split("\n").filter((line) => !/^\s*(?:\*|\/\/|\/\*)/.test(line));
  return [...code.join("\n").matchAll(DEFERS)].length;
}

it("each callback that the programs defer is in the table, with what catches its errors", () => {
  const workspace = readWorkspace(fileURLToPath(new URL("..", import.meta.url)));
  const found = workspace
    .filter(({ folder }) => FOLDERS.includes(folder))
    .flatMap(({ folder, sources }) =>
      Object.entries(sources)
        .filter(([path]) => path.startsWith("src/"))
        .map(([path, text]) => [`${folder}/${path}`, placesIn(text)] as const),
    )
    .filter(([, count]) => count > 0);
  const known = Object.entries(KNOWN).map(([path, [count]]) => [path, count]);
  expect(Object.fromEntries(found)).toEqual(Object.fromEntries(known));
});

it("a new place is found, wherever it stands", () => {
  expect(placesIn("socket.on('data', f); setImmediate(g);\n  // clock.after(1, h)")).toBe(2);
  expect(placesIn("this.#context.deadlines.after(1, f)")).toBe(1);
});
