import { decodeBlock, type Entry } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import { Acknowledgements } from "@meridian/replication/source/node/acknowledgements";
import { Feed } from "@meridian/replication/source/directory/feed";
import { Positions } from "@meridian/replication/source/node/positions";
import { randomIdentity } from "@meridian/runtime";

import type { ClusterParts } from "../cluster.ts";
import { TracedStore } from "../traced-store.ts";
import { patched, type Rule } from "./rule.ts";
import { tampered } from "./tampering.ts";

const ECHO_MS = 200;

/** Nodes that write again what they get from others; not more often than a simulation can bear. */
function echoing(): ClusterParts {
  const replicas = new Map<string, Replica>();
  return {
    onStart: (id, replica) => void replicas.set(id, replica),
    replicaOptions: (options) => {
      let origin = 0;
      let waiting: Entry | undefined;
      const next = (): number => {
        const drawn = options.random.next();
        if (origin === 0) origin = randomIdentity({ next: () => drawn });
        return drawn;
      };
      const echo = (): void => {
        if (waiting === undefined) return;
        const { key, value, contentType, deleted } = waiting;
        waiting = undefined;
        const request = { key, value, contentType, ttlMs: 0, deleted };
        replicas
          .get(options.node.id)
          ?.write([request])
          .catch(() => {});
      };
      const onChange = (entries: readonly Entry[]): void => {
        const theirs = entries.find(({ stamp }) => stamp.origin !== origin);
        if (theirs === undefined) return;
        if (waiting === undefined) options.clock.after(ECHO_MS, echo);
        waiting = theirs;
      };
      return { ...options, random: { next }, onChange };
    },
  };
}

/** Mistakes that someone might make, each against a promise that no rule above names. */
export const PLANTED_BUGS: readonly Rule[] = [
  {
    rule: "a cursor is committed with the entries that it covers",
    off: "it is committed 20 sequences ahead of them",
    faults: "all",
    seed: 1,
    parts: () =>
      tampered((record) =>
        record.kind === "remote" && record.cursor !== undefined
          ? { ...record, cursor: { ...record.cursor, sequence: record.cursor.sequence + 20 } }
          : record,
      ),
  },
  {
    rule: "deletes of others are applied",
    off: "the store is given none",
    faults: "all",
    seed: 1,
    parts: () =>
      tampered((record) =>
        record.kind === "remote"
          ? { ...record, entries: record.entries.filter(({ deleted }) => !deleted) }
          : record,
      ),
  },
  {
    rule: "a write is acknowledged once it is durable",
    off: "a disk loses its last write when its process dies",
    faults: "all",
    seed: 18,
    parts: () => ({
      openStore: (disk, clock, world) => {
        const lost = disk.outbox.pop();
        if (lost !== undefined) {
          disk.outboxThrough = lost.position - 1;
          for (const { key, stamp } of decodeBlock(lost.block, lost.count)) {
            if (disk.entries.get(key)?.stamp.time === stamp.time) disk.entries.delete(key);
          }
        }
        return new TracedStore(disk, (run) => clock.after(world.between(0, 3), run));
      },
    }),
  },
  {
    rule: "a node does not get its own entries back",
    off: "the feed does not know whose they are",
    faults: "all",
    seed: 1,
    parts: () =>
      patched(
        Feed,
        "push",
        (original) =>
          function (this: Feed, frame) {
            original.call(this, { ...frame, incarnation: 0 });
          },
      ),
  },
  {
    rule: "what comes from others is not sent on",
    off: "a node writes again what it has got from others",
    faults: "all",
    seed: 1,
    parts: echoing,
  },
  {
    rule: "a slow link is fed at its own pace",
    off: "links say that nothing waits on them",
    faults: "all",
    seed: 2,
    parts: () => ({
      directoryLink: (link) => ({
        bufferedBytes: 0,
        send: (message) => link.send(message),
        close: (code, reason) => link.close(code, reason),
      }),
    }),
  },
  {
    rule: "what is sent and not acknowledged is bounded",
    off: "the window is infinite",
    faults: "all",
    seed: 3,
    parts: () => ({
      replicaOptions: (options) => ({
        ...options,
        limits: { ...options.limits, windowBytes: Infinity },
      }),
    }),
  },
  {
    rule: "requests that wait are bounded",
    off: "as many wait as come",
    faults: "all",
    seed: 12,
    parts: () => ({
      replicaOptions: (options) => ({
        ...options,
        limits: { ...options.limits, waitersMax: Infinity },
      }),
    }),
  },
  {
    rule: "what a session has seen it sees again at the next node",
    off: "every position counts as reached",
    faults: "all",
    seed: 1,
    parts: () => patched(Positions, "reach", () => () => Promise.resolve(true)),
  },
  {
    rule: "a position names the outbox that the log has yet to get",
    off: "it names the log alone",
    faults: "all",
    seed: 2,
    parts: () =>
      patched(
        Positions,
        "current",
        (original) =>
          function (this: Positions) {
            return { ...original.call(this), incarnation: 0, outboxPosition: 0 };
          },
      ),
  },
  {
    rule: "a write is said to be in the log once it is",
    off: "every acknowledgement counts for one more frame",
    faults: "all",
    seed: 1,
    parts: () =>
      patched(
        Acknowledgements,
        "onDirectory",
        (original) =>
          function (this: Acknowledgements, position) {
            original.call(this, position + 1);
          },
      ),
  },
  {
    rule: "a write is said to be on the nodes that have it",
    off: "every node that is ready counts",
    faults: "all",
    seed: 1,
    parts: () =>
      patched(
        Acknowledgements,
        "onApplied",
        (original) =>
          function (this: Acknowledgements, position, _nodes, ready) {
            original.call(this, position, ready, ready);
          },
      ),
  },
];
