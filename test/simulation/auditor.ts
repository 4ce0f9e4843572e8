/** Checks, while a cluster runs, the invariants that must hold at every moment and not only in the end. */
import {
  compareStamps,
  decodeBlock,
  isPurgeable,
  type AckLevel,
  type Cursor,
  type Entry,
  type LogFrame,
} from "@meridian/protocol";
import type { Receipt } from "@meridian/replication";
import type { LogDisk, ReplicaDisk } from "@meridian/testkit";

import { BOUNDS } from "./bounds.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import type { End, Tap } from "./network.ts";
import { START_MS } from "./world.ts";

const VIOLATIONS_MAX = 20;
/** How long a simulated client waits for the acknowledgement of its write, in milliseconds. */
const ACKNOWLEDGEMENT_MS = 10_000;
/** How long a simulated client takes at most to begin to wait, in milliseconds. Reports come before it does. */
const LATE_MS = 2_000;
/** The directory's queue of recent frames is checked once in so many messages. */
const LOOK_EVERY = 64;

/** What a node has sent on one link and the directory has not acknowledged on it, by outbox position. */
type InFlight = Map<number, number>;

/** How often a host may begin to reconcile once all faults are over. The first time may be a reconciliation that was running and is lost. */
const RECONCILIATIONS_MAX = 4;

/** How many guarantees of each kind were checked. */
export interface Promises {
  acknowledgements: number;
  positions: number;
}

/** The disks that nodes and directories had when a write was answered. */
interface AtWrite {
  readonly disks: readonly ReplicaDisk[];
  readonly logs: readonly LogDisk[];
}

/** Whether the node's outbox has an entry of the key. The node may have forgotten a burial of its own, but keeps it in the outbox until the log has it. */
function isOnItsWay({ disk }: SimulatedNode, key: string): boolean {
  return disk.outbox
    .filter(({ position }) => position > disk.outboxAcknowledged)
    .some(({ block, count }) => decodeBlock(block, count).some((entry) => entry.key === key));
}

export class Auditor implements Tap {
  readonly #cluster: SimulatedCluster;
  readonly violations: string[] = [];
  readonly #inFlight = new WeakMap<End, InFlight>();
  readonly #waiting = new Map<object, number>();
  /** Where each epoch of a log has committed each outbox position. */
  readonly #committed = new Map<string, number>();
  /** The last cursor of each node that was compared with its disk. */
  readonly #covered = new WeakMap<SimulatedNode, Cursor>();
  #messages = 0;
  /** The latest time that a directory has gone by, its own or what other clocks agreed on, in milliseconds since the simulation began. */
  latestJudgedMs = 0;
  /** How often clients waited (`asked`), and how often with success (`kept`). A test checks that some waits succeed: one that never ends breaks no guarantee. */
  readonly asked: Promises = { acknowledgements: 0, positions: 0 };
  readonly reached: Promises = { acknowledgements: 0, positions: 0 };
  /** How often each host has begun to reconcile since everything was mended; undefined before. */
  #begun: Map<string, number> | undefined;

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  report(violation: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(violation);
    this.#cluster.onViolation();
  }

  /** All parties say what is true, so nobody may be taken for one that does not, unless the network or a test changes what they say. */
  onDisbelief({ host, peer }: End, reason: string): void {
    const { network, parts } = this.#cluster;
    if (!network.isFaithful || parts.rewrite !== undefined) return;
    this.report(`${host}: does not believe ${peer?.host ?? "nobody"}: ${reason}`);
  }

  onSend(end: End, message: string | Uint8Array): void {
    const { linkBytes, windowBytes, readBytes, textBytes, recentBytes } = BOUNDS;
    const { frameBytes } = this.#cluster;
    const directory = this.#cluster.directoryAt(end.host);
    const directories = this.#cluster.directories.length;
    const bound =
      (directory ? linkBytes : windowBytes) + readBytes + frameBytes + directories * textBytes;
    this.#within(`${end.host}: bytes waiting on a link`, end.bufferedBytes, bound);
    if (directory !== undefined) {
      if (typeof message === "string" && message.startsWith('{"type":"welcome"')) {
        this.#cluster.acknowledged.onWelcome(end.peer?.host ?? "", this.#cluster.world.nowMs);
      }
      const judgedMs = (directory.process?.machine.clocks.nowMs() ?? START_MS) - START_MS;
      this.latestJudgedMs = Math.max(this.latestJudgedMs, judgedMs);
      if (typeof message !== "string") this.#checkEcho(end, message);
      this.#messages += 1;
      if (this.#messages % LOOK_EVERY !== 0) return;
      const held = directory.process?.machine.info().recentBytes ?? 0;
      const senders = this.#cluster.nodes.length + this.#cluster.directories.length - 1;
      // A small frame takes up to six times its bytes.
      const uncommitted = 6 * senders * (windowBytes + readBytes + frameBytes);
      this.#within("directory: bytes of recent frames", held, recentBytes + uncommitted);
    } else if (typeof message === "string") {
      this.#checkApplied(end, message);
    } else {
      this.#checkWindow(end, message);
    }
  }

  /** Called once all faults are over: counts reconciliations from then on. */
  onMended(): void {
    this.#begun = new Map();
  }

  onDeliver(end: End, message: string | Uint8Array): void {
    this.#countReconciliations(end, message);
    if (this.#cluster.directoryAt(end.host) !== undefined || typeof message !== "string") return;
    const through = /^\{"type":"acknowledge".*"outboxThrough":(\d+)/.exec(message)?.[1];
    const inFlight = through === undefined ? undefined : this.#inFlight.get(end);
    if (inFlight === undefined) return;
    for (const position of inFlight.keys()) {
      if (position <= Number(through)) inFlight.delete(position);
    }
  }

  /** The acknowledgement level of the next write. */
  levelOfNext(): AckLevel {
    const { asksOthers, world, nodes } = this.#cluster;
    if (!asksOthers || !world.chance(0.1)) return "local";
    return world.pick(["directory", "all", 1 + world.below(nodes.length)]);
  }

  /** Waits for the acknowledgement of a write, and compares the answer with the disks. */
  auditAcknowledgement(node: SimulatedNode, receipt: Receipt, level: AckLevel): void {
    const replica = node.process?.replica;
    if (level === "local" || replica === undefined || receipt.entries.length === 0) return;
    const { world, waitsLate, nodes, logDisks } = this.#cluster;
    const disks = nodes.map(({ disk }) => disk);
    const logs = logDisks;
    const wait = (): void => this.#audit(node, receipt, level, { disks, logs });
    if (!waitsLate) return wait();
    world.schedule(world.between(0, LATE_MS), () => {
      if (node.process?.replica === replica) wait();
    });
  }

  #audit(
    node: SimulatedNode,
    receipt: Receipt,
    level: Exclude<AckLevel, "local">,
    { disks, logs }: AtWrite,
  ): void {
    const replica = node.process?.replica;
    const [entry] = receipt.entries;
    if (replica === undefined || entry === undefined) return;
    const cluster = this.#cluster;
    const { names, nodes } = cluster;
    const name = names.nameOf(entry.stamp);
    // What a horizon has passed counts as known where it is forgotten or buried; the checks at the end see whether it may be.
    const holds = (held: Entry | undefined): boolean => {
      if (held !== undefined && names.isAtLeast(held.stamp, name)) return true;
      const isNothing = held === undefined || isPurgeable(held, cluster.passedHorizon);
      return isNothing && cluster.isPassed(name);
    };
    const leave = this.waits(replica, "an acknowledgement");
    this.asked.acknowledgements += 1;
    replica.acknowledgement(receipt, level, ACKNOWLEDGEMENT_MS).then(
      (known) => {
        leave();
        const said = `${node.id}: ${name} of ${entry.key} at level ${level}`;
        const areSame = cluster.logDisks.every((disk, index) => disk === logs[index]);
        if (known.directory && areSame) {
          if (!logs.some(({ entries }) => holds(entries.get(entry.key)?.entry))) {
            this.report(`${said} is said to be in the log`);
          }
        }
        for (const [index, other] of nodes.entries()) {
          if (other.disk !== disks[index] || !known.nodes.includes(other.id)) continue;
          if (other.process?.store.isRestamping === true) continue;
          if (!holds(other.disk.entries.get(entry.key))) {
            this.report(`${said} is said to be on ${other.id}`);
          }
        }
        if (!known.reached) return;
        this.reached.acknowledgements += 1;
        const isEnough =
          level === "directory"
            ? known.directory
            : level === "all"
              ? known.directory && known.ready.every((id) => known.nodes.includes(id))
              : known.nodes.length >= level;
        if (!isEnough) this.report(`${said} is said to be reached, by ${known.nodes.join()}`);
      },
      // The node refuses to wait because too many requests wait already.
      leave,
    );
  }

  /** Notes that a client begins to wait at a replica; returns a function to call when the wait is over. */
  waits(replica: object, what: string): () => void {
    this.#waiting.set(replica, (this.#waiting.get(replica) ?? 0) + 1);
    // By then the refused waiters have left. The bound counts twice: for acknowledgements and for positions.
    this.#cluster.world.schedule(0, () => {
      const waiting = this.#waiting.get(replica) ?? 0;
      this.#within(`requests waiting, the last for ${what}`, waiting, 2 * BOUNDS.waiters);
    });
    return () => void this.#waiting.set(replica, (this.#waiting.get(replica) ?? 1) - 1);
  }

  /** Called when a log has committed a frame, which may have no refused write. Records the last sequence of the frame under its epoch and outbox position. */
  onLogCommit(epoch: number, { incarnation, position, through, block, count }: LogFrame): void {
    const entries = decodeBlock(block, count);
    this.#cluster.durable.onHandedOver(entries);
    for (const entry of entries) {
      if (!this.#cluster.ledger.isRefused(entry)) continue;
      const name = this.#cluster.names.nameOf(entry.stamp);
      this.report(`the log has ${entry.key} at ${name}, which was refused`);
    }
    if (position > 0) this.#committed.set(`${epoch} ${incarnation} ${position}`, through);
  }

  /**
   * Checks a commit of a node's store. The log is durable through the node's cursor. For every entry that the log has through the cursor, and for
   * every acknowledged entry that the outbox deletes, the node's disk has that entry or a newer one.
   */
  checkCommit(node: SimulatedNode): void {
    const { id, disk } = node;
    const { cursor, outboxAcknowledged } = disk;
    const log = this.#cluster.logInEpoch(cursor?.epoch);
    if (cursor === undefined || log === undefined) return;
    const { committedThrough } = log;
    this.#within(`${id}: cursor in the log`, cursor.sequence, committedThrough);
    const acknowledged = `${cursor.epoch} ${disk.incarnation} ${outboxAcknowledged}`;
    this.#within(
      `${id}: place of what is acknowledged durably`,
      this.#committed.get(acknowledged) ?? 0,
      cursor.sequence,
    );
    const sequence = this.#covered.get(node)?.sequence;
    if (sequence === cursor.sequence && this.#covered.get(node)?.epoch === cursor.epoch) return;
    this.#covered.set(node, cursor);
    this.#checkCovered(node, log, cursor.sequence, "cursor");
  }

  /** Checks that what a node reports as applied is on its disk. It may report less than before, if its disk has refused entries and it went back to its cursor. */
  #checkApplied({ host, peer }: End, message: string): void {
    // A node buries entries as old as its horizon; the cursor waits until the log has the burials, but this check does not.
    if (this.#cluster.isForgetful) return;
    const said = /^\{"type":"heartbeat".*"appliedThrough":(\d+)/.exec(message)?.[1];
    const through = Number(said ?? 0);
    const { over } = this.#cluster;
    const directory = this.#cluster.directoryAt(peer?.host ?? "");
    const node = this.#cluster.nodes.find(({ id }) => id === host);
    if (through === 0 || node === undefined || directory === undefined) return;
    // The link may be to a process that has died, over another log.
    const epoch = node.process?.replica.info().epoch;
    if (over === undefined && directory.process?.log.epoch !== epoch) return;
    const log = this.#cluster.logInEpoch(epoch);
    if (log !== undefined) this.#checkCovered(node, log, through, "applied");
  }

  #checkCovered(node: SimulatedNode, log: LogDisk, through: number, what: string): void {
    const { highestHorizon, names } = this.#cluster;
    if (node.process?.store.isRestamping === true) return;
    for (const { entry, sequence } of log.entries.values()) {
      if (sequence > through || isPurgeable(entry, highestHorizon)) continue;
      const held = node.disk.entries.get(entry.key);
      // Compared by the stamp in the log: the node may have re-stamped the entry since.
      if (held !== undefined && compareStamps(held.stamp, entry.stamp) >= 0) continue;
      const name = names.nameOf(entry.stamp);
      if (held !== undefined && names.isAtLeast(held.stamp, name)) continue;
      // The node, or another party, buries what the log has and what was replaced by a write that is forgotten.
      const isPassed = entry.stamp.time <= node.disk.horizon;
      const isBuried = isOnItsWay(node, entry.key) || this.#cluster.isReplaced(entry.key, name);
      if (isPassed && isBuried) continue;
      const has = held === undefined ? "nothing" : names.nameOf(held.stamp);
      const said = `${node.id}: ${what} at ${through}, past ${entry.key} at ${sequence}`;
      this.report(`${said}, of which its disk has ${has}`);
    }
  }

  /** Counts reconciliations: a node that stalls and starts again for ever could still converge by the writes of others, and the fault would not show. */
  #countReconciliations({ host }: End, message: string | Uint8Array): void {
    if (typeof message !== "string" || !message.startsWith('{"type":"reconcile-begin"')) return;
    const count = (this.#begun?.get(host) ?? 0) + 1;
    this.#begun?.set(host, count);
    if (this.#begun !== undefined) {
      const more = this.#cluster.over === undefined ? 0 : RECONCILIATIONS_MAX;
      this.#within(`${host}: reconciliations begun in peace`, count, RECONCILIATIONS_MAX + more);
    }
  }

  #checkEcho(end: End, frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const node = this.#cluster.nodes.find(({ id }) => id === end.peer?.host);
    const store = node?.process?.store;
    const isOwn = view.getFloat64(48, true) === store?.incarnation;
    // A node that has taken stamps back asks for its frames: a log may have them under those.
    if (isOwn && store?.takenBack.isEmpty === true && view.getUint32(4, true) > 0) {
      this.report(`${node?.id}: got its own entries back`);
    }
  }

  #checkWindow(end: End, frame: Uint8Array): void {
    const inFlight = this.#inFlight.get(end) ?? new Map<number, number>();
    this.#inFlight.set(end, inFlight);
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const position = view.getFloat64(56, true);
    let bytes = 0;
    for (const [before, each] of inFlight) {
      // What is sent again takes the place of what was sent from there on.
      if (before >= position) inFlight.delete(before);
      else bytes += each;
    }
    inFlight.set(position, frame.byteLength);
    // The frame that fills the window, or one that is read with it, may be of any size.
    const { windowBytes, readBytes } = BOUNDS;
    this.#within(`${end.host}: bytes in flight before a frame`, bytes, windowBytes + 2 * readBytes);
  }

  #within(what: string, value: number, bound: number): void {
    if (value > bound) this.report(`${what}: ${value}, above ${bound}`);
  }
}
