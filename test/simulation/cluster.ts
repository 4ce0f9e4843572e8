import { isPurgeable, stampTimeOf, type Entry } from "@meridian/protocol";
import {
  Directory,
  DIRECTORY_LIMITS,
  digestOf,
  Replica,
  type Digest,
  type Link,
  type LinkEvents,
  type SummarySource,
} from "@meridian/replication";
import { randomIdentity, silentLogger } from "@meridian/runtime";
import {
  copyLogDisk,
  copyReplicaDisk,
  emptyLogDisk,
  emptyReplicaDisk,
  MemoryDirectoryLog,
  type LogDisk,
  type ReplicaDisk,
  type ScheduleCommit,
} from "@meridian/testkit";

import { Network, type NetworkFaults } from "./network.ts";
import { TracedStore, WriteNames } from "./traced-store.ts";
import { ProcessClock, type World } from "./world.ts";

/** A write that was acknowledged to its client. */
export interface AcknowledgedWrite {
  readonly name: string;
  readonly key: string;
  readonly node: SimulatedNode;
  readonly outboxPosition: number;
  /** The write that this one replaced at its node; undefined if the key was new there. */
  readonly over: string | undefined;
  readonly deleted: boolean;
  /** When it expires, by wall time; 0 for never. */
  readonly expiresAtMs: number;
}

export interface SimulatedNode {
  readonly id: string;
  readonly machine: { skewMs: number };
  disk: ReplicaDisk;
  backup: ReplicaDisk | undefined;
  /**
   * The longest time that it could not speak with the directory, since when it has not done so for good, and since when
   * it can again; true time.
   */
  away: { longestMs: number; sinceMs: number | undefined; backMs: number | undefined };
  process: { replica: Replica; store: TracedStore; clock: ProcessClock } | undefined;
}

/** What parts a simulation is made of; a test that plants a fault replaces one. */
export interface ClusterParts {
  openStore(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
  openLog(
    disk: LogDisk,
    epoch: number,
    schedule: ScheduleCommit,
    framesMax: number,
  ): MemoryDirectoryLog;
  /** Removes some of what a node's store may forget. */
  sweep(store: TracedStore, disk: ReplicaDisk, horizons: Horizons): void;
}

/** What a node could take for the horizon, other than its store's own. */
export interface Horizons {
  /** What the directory's is at this moment. */
  readonly directory: number;
  /** What the node's clock makes of it. */
  readonly local: number;
}

export const HONEST_PARTS: ClusterParts = {
  openStore: (disk, clock, world) =>
    new TracedStore(disk, (run) => clock.after(world.between(0, 3), run)),
  openLog: (disk, epoch, schedule, framesMax) =>
    new MemoryDirectoryLog(disk, epoch, schedule, framesMax),
  sweep: (store) => store.sweep(SWEPT_ROWS),
};

const SWEPT_ROWS = 5;

const DIRECTORY = "directory";
/** How long a node has to be connected before it counts as back. */
const BACK_FOR_GOOD_MS = 1_000;
/** Small, so that simulated nodes fall behind and are fed from the log. */
const LINK_BYTES = 3_000;
const RECENT_BYTES = 4_000;
const LOG_FRAMES = 20;

/** A directory and its nodes, on one machine each. */
export class SimulatedCluster {
  readonly world: World;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  readonly names = new WriteNames();
  readonly acknowledged: AcknowledgedWrite[] = [];
  readonly #parts: ClusterParts;
  readonly directoryMachine = { skewMs: 0 };
  logDisk: LogDisk;
  logBackup: LogDisk | undefined;
  /** How long tombstones are kept. */
  readonly horizonMs: number;
  #directory: { machine: Directory; log: MemoryDirectoryLog; clock: ProcessClock } | undefined;

  constructor(
    world: World,
    size: number,
    faults: NetworkFaults,
    parts: ClusterParts,
    horizonMs: number = DIRECTORY_LIMITS.horizonMs,
  ) {
    this.world = world;
    this.horizonMs = horizonMs;
    this.#parts = parts;
    this.network = new Network(world, faults, LINK_BYTES / 2);
    this.logDisk = emptyLogDisk(randomIdentity(world.random));
    this.nodes = Array.from({ length: size }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
      away: { longestMs: 0, sinceMs: 0, backMs: undefined },
      process: undefined,
    }));
  }

  get directoryRuns(): boolean {
    return this.#directory !== undefined;
  }

  startDirectory(): void {
    if (this.#directory !== undefined) return;
    const { world } = this;
    const clock = new ProcessClock(world, this.directoryMachine);
    const schedule = (run: () => void): void => void clock.after(world.between(0, 3), run);
    const epoch = randomIdentity(world.random);
    const log = this.#parts.openLog(this.logDisk, epoch, schedule, LOG_FRAMES);
    const machine = new Directory({
      cluster: "simulated",
      log,
      clock,
      logger: silentLogger,
      limits: {
        linkBytesMax: LINK_BYTES,
        recentBytesMax: RECENT_BYTES,
        horizonMs: this.horizonMs,
      },
      onFatal: () => this.killDirectory(),
    });
    machine.start();
    this.#directory = { machine, log, clock };
  }

  killDirectory(): void {
    this.#directory?.log.crash();
    this.#directory?.clock.die();
    this.#directory = undefined;
    this.network.kill(DIRECTORY);
  }

  /** The directory's database is lost, and an empty one takes its place. */
  replaceDirectory(): void {
    this.killDirectory();
    this.logDisk = emptyLogDisk(randomIdentity(this.world.random));
  }

  backUpDirectory(): void {
    this.logBackup = copyLogDisk(this.logDisk);
  }

  restoreDirectory(): void {
    if (this.logBackup === undefined) return;
    this.killDirectory();
    this.logDisk = copyLogDisk(this.logBackup);
  }

  startNode(node: SimulatedNode): void {
    if (node.process !== undefined) return;
    const { world } = this;
    const clock = new ProcessClock(world, node.machine);
    const store = this.#parts.openStore(node.disk, clock, world);
    store.names = this.names;
    const index = Number(node.id.slice(1));
    const replica = new Replica({
      node: {
        cluster: "simulated",
        id: node.id,
        region: node.id,
        ip: "127.0.0.1",
        port: 7_401 + index,
        url: null,
        lat: index,
        lon: index,
      },
      store,
      dial: (events) => this.#dial(node, events),
      clock,
      random: world.random,
      logger: silentLogger,
      limits: { windowBytes: 4_000, backoffMaxMs: 1_000, stallMs: 1_500, lagMax: 20 },
      defer: (callback) => clock.after(0, callback),
    });
    replica.start();
    node.process = { replica, store, clock };
  }

  killNode(node: SimulatedNode): void {
    node.process?.store.crash();
    node.process?.clock.die();
    node.process = undefined;
    this.network.kill(node.id);
  }

  backUpNode(node: SimulatedNode): void {
    node.backup = copyReplicaDisk(node.disk);
  }

  /** The node's disk is lost, and its backup put in its place. What only that disk had is gone. */
  restoreNode(node: SimulatedNode): void {
    if (node.backup === undefined) return;
    this.killNode(node);
    const kept = node.disk.outboxAcknowledged;
    const quarantined = new Set(this.quarantinedNames(node));
    const isLost = (write: AcknowledgedWrite): boolean =>
      quarantined.has(write.name) || (write.node === node && write.outboxPosition > kept);
    for (let index = this.acknowledged.length - 1; index >= 0; index -= 1) {
      const write = this.acknowledged[index];
      if (write !== undefined && isLost(write)) this.acknowledged.splice(index, 1);
    }
    node.disk = copyReplicaDisk(node.backup);
  }

  write(node: SimulatedNode, key: string, value: string | undefined, ttlMs: number): void {
    let over: string | undefined;
    const request = {
      key,
      value: new TextEncoder().encode(value ?? ""),
      contentType: "text/plain",
      ttlMs,
      deleted: value === undefined,
      check: (current: Entry | undefined) => {
        over = current === undefined ? undefined : this.names.nameOf(current.stamp);
      },
    };
    node.process?.replica.write([request]).then(
      ({ entries: [entry], outboxPosition }) => {
        if (entry === undefined) return;
        const name = this.names.nameOf(entry.stamp);
        const { deleted, expiresAtMs } = entry;
        this.acknowledged.push({ name, key, node, outboxPosition, over, deleted, expiresAtMs });
      },
      () => {
        // The write was refused, and its client knows.
      },
    );
  }

  /** Whether everyone runs, is level, and has nothing left to send. */
  isQuiet(): boolean {
    const head = this.#directory?.machine.info().head;
    return this.nodes.every(({ process }) => {
      const info = process?.replica.info();
      return (
        process?.replica.status === "ready" && info?.outboxPending === 0 && info.applied === head
      );
    });
  }

  /** The names of what a node has in its quarantine. */
  quarantinedNames(node: SimulatedNode): string[] {
    return [...node.disk.quarantine.values()].map(({ entry }) => this.names.nameOf(entry.stamp));
  }

  /** Removes some of what may be forgotten, everywhere. */
  sweep(): void {
    const directory = this.#directory?.machine.info().horizon ?? 0;
    this.#directory?.log.sweep(SWEPT_ROWS);
    for (const { process, disk } of this.nodes) {
      if (process === undefined) continue;
      const local = stampTimeOf(process.clock.nowMs() - this.horizonMs);
      this.#parts.sweep(process.store, disk, { directory, local });
    }
  }

  /** Takes note of who can speak with the directory, and is level with it but for what is under way. */
  watchAway(): void {
    const { network, world } = this;
    const isDirectoryThere = this.directoryRuns && !network.isCut(DIRECTORY);
    for (const { id, process, away } of this.nodes) {
      const info = process?.replica.info();
      const isThere =
        isDirectoryThere && !network.isCut(id) && info?.connected === true && !info.reconciling;
      away.backMs = isThere ? (away.backMs ?? world.nowMs) : undefined;
      if (!isThere) away.sinceMs ??= world.nowMs;
      if (away.sinceMs === undefined) continue;
      const awayMs = (away.backMs ?? world.nowMs) - away.sinceMs;
      away.longestMs = Math.max(away.longestMs, awayMs);
      // Who comes back for a moment has not handed over what it had to send.
      if (away.backMs !== undefined && world.nowMs - away.backMs > BACK_FOR_GOOD_MS) {
        away.sinceMs = undefined;
      }
    }
  }

  /** How many entries are held, the directory's first. */
  sizes(): number[] {
    return [this.#directory?.log.size ?? 0, ...this.nodes.map(({ disk }) => disk.entries.size)];
  }

  /** What a node has of a key that means anything. */
  entryOf(node: SimulatedNode, key: string): Entry | undefined {
    const entry = node.process?.store.get(key);
    return entry === undefined || isPurgeable(entry, this.highestHorizon) ? undefined : entry;
  }

  /** The highest horizon that anyone has. */
  get highestHorizon(): number {
    const horizons = this.nodes.map(({ disk }) => disk.horizon);
    return Math.max(this.#directory?.log.horizonState.horizon ?? 0, ...horizons);
  }

  digests(): Digest[] {
    const sources: SummarySource[] = this.nodes.flatMap(({ process }) => process?.store ?? []);
    if (this.#directory !== undefined) sources.push(this.#directory.log);
    return sources.map((source) =>
      digestOf(source.summariesAfter(null, Infinity, this.highestHorizon)),
    );
  }

  #dial(node: SimulatedNode, events: LinkEvents): Link {
    return this.network.dial(node.id, DIRECTORY, events, () => {
      const running = this.#directory;
      return running && ((link) => running.machine.accept(link, "127.0.0.1"));
    });
  }
}
