import type { Done } from "@meridian/ports";
import {
  decodeBlock,
  MeridianError,
  type Acknowledgement,
  type AckLevel,
  type Entry,
  type Position,
  type ReplicaRecord,
} from "@meridian/protocol";
import { Replica, type Receipt } from "@meridian/replication";
import { randomIdentity } from "@meridian/runtime";

import type { ClusterParts } from "../parts.ts";
import { TracedStore } from "../traced-store.ts";
import { without, type Rule } from "./rule.ts";
import { stores, tampered } from "./tampering.ts";

const ECHO_MS = 200;
const APPLIED_BY = '{"type":"applied-by"';

/** Nodes that write entries of other nodes again: each node at most one every `ECHO_MS`, so that a simulation ends. */
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

/** A replica that says of every position that it has reached it. */
class CredulousReplica extends Replica {
  override reach(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

/** A replica whose positions name the log alone. */
class ForgetfulReplica extends Replica {
  override position(losses?: number): Position {
    return { ...super.position(losses), incarnation: 0, outboxPosition: 0 };
  }
}

/** A replica that takes every acknowledgement as one for the next frame, too. */
class HastyReplica extends Replica {
  override acknowledgement(
    receipt: Receipt,
    level: AckLevel,
    timeoutMs: number,
  ): Promise<Acknowledgement> {
    const outboxPosition = Math.max(0, receipt.outboxPosition - 1);
    return super.acknowledgement({ ...receipt, outboxPosition }, level, timeoutMs);
  }
}

/** A store that says of every tenth delete that the disk has refused it, and keeps it. */
class DenyingStore extends TracedStore {
  #deletes = 0;

  override append(record: ReplicaRecord, done: Done): void {
    const isDelete = record.kind === "local" && record.entries.every(({ deleted }) => deleted);
    if (isDelete) this.#deletes += 1;
    const denies = isDelete && this.#deletes % 10 === 0;
    super.append(record, (failure) => done(denies ? refusal() : failure));
  }
}

function refusal(): MeridianError {
  return new MeridianError("STORE_FULL", "Expected room on the disk, got none");
}

/** A directory that says of every node that is ready that it has applied every write. */
function boasting(): ClusterParts {
  return {
    rewrite: (message) => {
      if (typeof message !== "string" || !message.startsWith(APPLIED_BY)) return message;
      const said = JSON.parse(message) as { readonly ready: readonly string[] };
      return JSON.stringify({ ...said, nodes: said.ready });
    },
  };
}

/** Stores that end what comes from others so much later than it is to end. */
function ending(laterMs: number): ClusterParts {
  const move = (entry: Entry): Entry =>
    entry.expiresAtMs === 0 ? entry : { ...entry, expiresAtMs: entry.expiresAtMs + laterMs };
  return tampered((record) =>
    record.kind === "remote" ? { ...record, entries: record.entries.map(move) } : record,
  );
}

/** Parts whose replicas are of the class `replica`. */
function replicas(replica: typeof Replica): ClusterParts {
  return { openReplica: (options, rules) => new replica(options, rules) };
}

/** Mistakes that a programmer might make, each of which breaks a guarantee that no other rule of this folder covers. */
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
    seed: 33,
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
    rule: "a delete that was refused is nowhere",
    off: "a disk keeps some of the deletes that it says to have refused",
    faults: "all",
    seed: 3,
    parts: () => stores(DenyingStore),
  },
  {
    rule: "a node does not get its own entries back",
    off: "the feed does not know whose they are",
    faults: "all",
    seed: 1,
    parts: () => without("ownFramesAreLeftOut"),
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
    seed: 174,
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
    seed: 11,
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
    seed: 15,
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
    parts: () => replicas(CredulousReplica),
  },
  {
    rule: "a position names the outbox that the log has yet to get",
    off: "it names the log alone",
    faults: "all",
    seed: 2,
    parts: () => replicas(ForgetfulReplica),
  },
  {
    rule: "a write is said to be in the log once it is",
    off: "every acknowledgement counts for one more frame",
    faults: "all",
    seed: 3,
    parts: () => replicas(HastyReplica),
  },
  {
    rule: "a write is said to be on the nodes that have it",
    off: "every node that is ready counts",
    faults: "all",
    seed: 1,
    parts: boasting,
  },
  {
    rule: "a write is said to be on the nodes that have it, beyond the horizon, too",
    off: "every node that is ready counts",
    faults: "horizon",
    seed: 9,
    parts: boasting,
  },
  {
    rule: "a value ends on all nodes alike",
    off: "nodes that it comes to serve it for a minute longer",
    faults: "time",
    seed: 4,
    parts: () => ending(60_000),
  },
  {
    rule: "a value ends on all nodes alike, and not before",
    off: "nodes that it comes to hide it ten seconds sooner",
    faults: "time",
    seed: 1,
    parts: () => ending(-10_000),
  },
];
