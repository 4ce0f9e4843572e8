import type { Done } from "@meridian/ports";
import {
  orderFrame,
  readFrameHeader,
  type Hello,
  type OutboxMark,
  type ReplicaRecord,
} from "@meridian/protocol";

import { DIRECTORY } from "../bounds.ts";
import type { SimulatedCluster } from "../cluster.ts";
import type { ClusterParts } from "../parts.ts";
import { TracedLog } from "../traced-log.ts";
import { TracedStore } from "../traced-store.ts";
import {
  dyingReconcilers,
  lostDirectories,
  restoredBehind,
  restoredDirectories,
  straysAndLosses,
} from "./circumstances.ts";
import { both, without, type Rule } from "./rule.ts";
import { HastyLog, logs, lost, slowLogs, stores } from "./tampering.ts";

/** A store whose outbox forgets a frame as soon as it is durable. */
class RashStore extends TracedStore {
  override append(record: ReplicaRecord, done: Done): void {
    super.append(record, (failure) => {
      done(failure);
      if (record.kind !== "local" || failure !== undefined) return;
      super.append({ kind: "progress", outboxThrough: record.frame.position }, () => {});
    });
  }
}

/** A store that commits the entries of a write first, and its outbox frame in a second transaction. */
class SplitStore extends TracedStore {
  override append(record: ReplicaRecord, done: Done): void {
    if (record.kind !== "local") return super.append(record, done);
    const { entries, frame } = record;
    const { block } = frame;
    super.append({ kind: "remote", entries, block, highestTime: 0 }, (failure) => {
      if (failure === undefined) super.append(record, done);
      else done(failure);
    });
  }
}

/** A log that keeps its epoch when it is opened again. */
class OneEpochLog extends TracedLog {
  constructor(...[disk, epoch, schedule, framesMax]: ConstructorParameters<typeof TracedLog>) {
    const first = disk.epochs[0]?.[0] ?? epoch;
    super(disk, first, schedule, framesMax);
    disk.epochs.splice(1);
  }
}

/** A log whose id is always 1. */
class OneIdLog extends TracedLog {
  override get logId(): number {
    return 1;
  }
}

/** Changes each `hello` on its way to a directory. */
function greeting(change: (hello: Hello, cluster: SimulatedCluster) => Hello): ClusterParts {
  return {
    rewrite: (message, to, cluster) => {
      if (to.host !== DIRECTORY || typeof message !== "string") return message;
      if (!message.startsWith('{"type":"hello"')) return message;
      return JSON.stringify(change(JSON.parse(message) as Hello, cluster));
    },
  };
}

/** Changes the headers of frames on their way to nodes. */
function headers(change: (header: ReturnType<typeof readFrameHeader>) => object): ClusterParts {
  return {
    rewrite: (message, to) => {
      if (to.host === DIRECTORY || typeof message === "string") return message;
      const header = readFrameHeader(message);
      if (header.kind === 1) orderFrame(message, { ...header, ...change(header) });
      return message;
    },
  };
}

/** The messages that show a node that its link makes progress. */
const PROGRESS = /^\{"type":"(acknowledge|compared|wanted|reconcile-begin)"/;

/** Rules of the log, the outbox and reconciliation. */
export const LOG_RULES: readonly Rule[] = [
  {
    rule: "a node's place moves over contiguous sequences only",
    off: "every frame claims to begin at the start of the log",
    faults: "all",
    seed: 36,
    parts: () => headers(() => ({ after: 0 })),
  },
  {
    rule: "cursors wait until the log is durable",
    off: "every frame claims to be committed",
    faults: "all",
    seed: 1,
    parts: () => headers(({ through }) => ({ committedThrough: through })),
  },
  {
    rule: "an outbox frame goes only after its acknowledgement",
    off: "the store forgets a frame as soon as it is durable",
    faults: "all",
    seed: 1,
    parts: () => stores(RashStore),
  },
  {
    rule: "a write and its place in the outbox are one transaction",
    off: "the entries are committed first, their frame after",
    faults: "all",
    seed: 20,
    parts: () => stores(SplitStore),
  },
  {
    rule: "the directory acknowledges only what is durable",
    off: "the log calls back before it has committed",
    faults: "all",
    seed: 1,
    parts: () => slowLogs(HastyLog),
  },
  {
    rule: "a cursor of another log or a lost branch means to reconcile",
    off: "every greeting names a place on the log",
    faults: "all",
    seed: 194,
    parts: () =>
      greeting((hello, { logDisk }) => {
        if (hello.home === null) return hello;
        const { logId, committedThrough } = logDisk;
        const epoch = logDisk.epochs.at(-1)?.[0] ?? 1;
        const sequence = Math.min(hello.home.sequence, committedThrough);
        const place = { logId, epoch, sequence };
        return { ...hello, cursors: [place], home: place };
      }),
  },
  {
    rule: "acknowledged positions that the log lacks mean to reconcile",
    off: "the log claims to have what a greeting says was acknowledged",
    faults: "all",
    seed: 2,
    harder: () => lostDirectories(),
    parts: () => {
      const acknowledged = new Map<number, number>();
      class BoastfulLog extends TracedLog {
        override outboxMark(incarnation: number): OutboxMark | undefined {
          const mark = super.outboxMark(incarnation);
          const position = acknowledged.get(incarnation) ?? 0;
          if (position <= (mark?.position ?? 0)) return mark;
          return { position, sequence: this.committedThrough, highestTime: mark?.highestTime ?? 0 };
        }
      }
      return both(
        logs(BoastfulLog),
        greeting((hello) => {
          acknowledged.set(hello.incarnation, hello.outboxAcknowledged);
          return hello;
        }),
      );
    },
  },
  {
    rule: "a reconciliation that was begun is not forgotten",
    off: "the cursor stays where it is",
    faults: "horizon",
    seed: 16,
    harder: () => both(restoredDirectories(), dyingReconcilers()),
    parts: () => without("comparisonOutlivesCrash"),
  },
  {
    rule: "a directory draws a new epoch at each start",
    off: "the log stays in its first epoch",
    faults: "all",
    seed: 36,
    parts: () => logs(OneEpochLog),
  },
  {
    rule: "a log has an id of its own",
    off: "every log has the id 1",
    faults: "all",
    directories: 2,
    seed: 3,
    parts: () => logs(OneIdLog),
  },
  {
    rule: "what a log may have lost is sent again by who remembers it",
    off: "nothing is remembered",
    faults: "all",
    directories: 2,
    // A seed at which it also matters that not even one key is left out.
    seed: 54,
    harder: () => lostDirectories(),
    parts: () => without("recentKeysAreSentAgain"),
  },
  {
    rule: "a restored copy takes a new identity",
    off: "greetings claim an outbox that has gone on, and nodes do not look",
    faults: "all",
    seed: 29,
    harder: () => restoredBehind(),
    parts: () =>
      both(
        greeting((hello) => ({ ...hello, outboxThrough: Number.MAX_SAFE_INTEGER })),
        without("restoredCopyIsNoticed"),
      ),
  },
  {
    rule: "a reconciliation goes both ways",
    off: "a node gives nothing",
    faults: "all",
    directories: 2,
    seed: 6,
    harder: () => lostDirectories(),
    parts: () => without("wantedIsGiven"),
  },
  {
    rule: "donations are counted, because one may be lost",
    off: "any number is taken for the right one",
    faults: "all",
    seed: 8,
    harder: () => lost((message) => typeof message !== "string" && message[0] === 2, 4),
    parts: () => without("donationsAreCounted"),
  },
  {
    rule: "a reconciliation starts over when stamps are lowered under it",
    off: "it goes on",
    faults: "all",
    seed: 38,
    harder: () => straysAndLosses(),
    parts: () => without("restampingRestartsComparison"),
  },
  {
    rule: "a link on which nothing moves is given up",
    off: "no stall is seen",
    faults: "all",
    seed: 3,
    harder: () => lost((message) => typeof message === "string" && PROGRESS.test(message), 8),
    parts: () => without("stallsAreNoticed"),
  },
  {
    rule: "a node within a compacted part claims nothing there",
    off: "a compacted run does not say how far the log had come",
    faults: "all",
    seed: 344,
    parts: () => ({
      rewrite: (message, to) => {
        if (to.host === DIRECTORY || typeof message === "string") return message;
        const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
        if (view.getUint8(0) === 1 && view.getFloat64(48, true) === 0) view.setFloat64(56, 0, true);
        return message;
      },
    }),
  },
];
