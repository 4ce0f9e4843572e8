import { isPurgeable, stampTimeOf, type Entry } from "@meridian/protocol";
import {
  Directory,
  DIRECTORY_LIMITS,
  digestOf,
  Replica,
  type Digest,
  type DirectoryInfo,
  type DirectoryLimits,
  type Link,
  type LinkEvents,
  type ReplicaOptions,
  type SummarySource,
} from "@meridian/replication";
import { randomIdentity, silentLogger } from "@meridian/runtime";
import {
  copyLogDisk,
  copyReplicaDisk,
  emptyLogDisk,
  emptyReplicaDisk,
  type LogDisk,
  type ReplicaDisk,
  type ScheduleCommit,
} from "@meridian/testkit";

import { Auditor } from "./auditor.ts";
import { BOUNDS, DIRECTORY } from "./bounds.ts";
import { Network, type End, type NetworkFaults } from "./network.ts";
import { TracedLog } from "./traced-log.ts";
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
  /** It is a delete, or has a time to live that is over in the end. */
  readonly fades: boolean;
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
  openStore?(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
  openLog?(disk: LogDisk, epoch: number, schedule: ScheduleCommit, world: World): TracedLog;
  replicaOptions?(options: ReplicaOptions): ReplicaOptions;
  onStart?(id: string, replica: Replica): void;
  /** Removes some of what a node's store may forget. */
  sweep?(store: TracedStore, disk: ReplicaDisk, horizons: Horizons): void;
  readonly directoryLimits?: Partial<DirectoryLimits>;
  /** The directory's end of a link, as the directory is to see it. */
  directoryLink?(link: Link): Link;
  /** What arrives in place of a message; undefined for nothing. */
  rewrite?(
    message: string | Uint8Array,
    to: End,
    cluster: SimulatedCluster,
  ): string | Uint8Array | undefined;
  /** Changes the machines for as long as one simulation runs; returns how to change them back. */
  patch?(): () => void;
}

/** What a node could take for the horizon, other than its store's own. */
export interface Horizons {
  /** What the directory's is at this moment. */
  readonly directory: number;
  /** What the node's clock makes of it. */
  readonly local: number;
}

export const HONEST_PARTS: ClusterParts = {};

/** How many entries a store removes at a time. */
const SWEPT_ROWS = 5;
/** How long a node has to be connected before it counts as back. */
const BACK_FOR_GOOD_MS = 1_000;

/** A directory and its nodes, on one machine each. */
export class SimulatedCluster {
  readonly world: World;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  readonly names = new WriteNames();
  readonly acknowledged: AcknowledgedWrite[] = [];
  readonly auditor: Auditor;
  /** Grows whenever something is lost for good, or may be, that a client has seen. */
  losses = 0;
  readonly #parts: ClusterParts;
  /** How many steps the process of a host has left; hosts that live on are not in it. */
  readonly #stepsLeft = new Map<string, number>();
  readonly directoryMachine = { skewMs: 0 };
  logDisk: LogDisk;
  logBackup: LogDisk | undefined;
  /** How long tombstones are kept. */
  readonly horizonMs: number;
  #directory: { machine: Directory; log: TracedLog; clock: ProcessClock } | undefined;

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
    this.network = new Network(world, faults, BOUNDS.linkBytes / 2);
    this.logDisk = emptyLogDisk(randomIdentity(world.random));
    this.nodes = Array.from({ length: size }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
      away: { longestMs: 0, sinceMs: 0, backMs: undefined },
      process: undefined,
    }));
    this.auditor = new Auditor(this);
    this.network.taps.push(this.auditor);
    if (parts.rewrite !== undefined) {
      this.network.taps.push({ rewrite: (message, to) => parts.rewrite?.(message, to, this) });
    }
    this.network.onSent = (host) => this.step(host);
  }

  /** The directory that runs now, in numbers. */
  directoryInfo(): DirectoryInfo | undefined {
    return this.#directory?.machine.info();
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
    const log =
      this.#parts.openLog?.(this.logDisk, epoch, schedule, world) ??
      new TracedLog(this.logDisk, epoch, schedule, BOUNDS.logFrames);
    log.onStep = () => this.step(DIRECTORY);
    const machine = new Directory({
      cluster: "simulated",
      log,
      clock,
      logger: silentLogger,
      limits: {
        linkBytesMax: BOUNDS.linkBytes,
        recentBytesMax: BOUNDS.recentBytes,
        horizonMs: this.horizonMs,
        ...this.#parts.directoryLimits,
      },
      onFatal: () => this.killDirectory(),
    });
    machine.start();
    this.#directory = { machine, log, clock };
  }

  killDirectory(): void {
    this.losses += 1;
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
    const store =
      this.#parts.openStore?.(node.disk, clock, world) ??
      new TracedStore(node.disk, (run) => clock.after(world.between(0, 3), run));
    store.names = this.names;
    store.onStep = () => {
      this.auditor.checkCursor(node);
      return this.step(node.id);
    };
    const index = Number(node.id.slice(1));
    const options: ReplicaOptions = {
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
      limits: {
        windowBytes: BOUNDS.windowBytes,
        waitersMax: BOUNDS.waiters,
        backoffMaxMs: 1_000,
        stallMs: 1_500,
        lagMax: 20,
      },
      defer: (callback) => clock.after(0, callback),
    };
    const replica = new Replica(this.#parts.replicaOptions?.(options) ?? options);
    replica.start();
    this.#parts.onStart?.(node.id, replica);
    node.process = { replica, store, clock };
  }

  killNode(node: SimulatedNode): void {
    node.process?.store.crash();
    node.process?.clock.die();
    node.process = undefined;
    this.network.kill(node.id);
  }

  /** Kills the process of a host after so many more of its steps, between one and the next, and starts it again. */
  killWithin(host: string, steps: number): void {
    this.#stepsLeft.set(host, steps);
  }

  /** Whoever was to be killed lives on. */
  spare(): void {
    this.#stepsLeft.clear();
  }

  /** A process has taken a step: a message sent, or a commit that it has not heard of yet. Returns whether it lives on. */
  step(host: string): boolean {
    const left = this.#stepsLeft.get(host);
    if (left === undefined) return true;
    this.#stepsLeft.set(host, left - 1);
    if (left > 1) return true;
    this.#stepsLeft.delete(host);
    const node = this.nodes.find(({ id }) => id === host);
    if (node === undefined) this.killDirectory();
    else this.killNode(node);
    this.world.schedule(this.world.between(0, 2_000), () => {
      if (node === undefined) this.startDirectory();
      else this.startNode(node);
    });
    return false;
  }

  backUpNode(node: SimulatedNode): void {
    node.backup = copyReplicaDisk(node.disk);
  }

  /** The node's disk is lost, and its backup put in its place. What only that disk had is gone. */
  restoreNode(node: SimulatedNode): void {
    if (node.backup === undefined) return;
    this.killNode(node);
    this.losses += 1;
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

  /** Writes as a client would; `undefined` deletes. Calls back once it is acknowledged. */
  write(
    node: SimulatedNode,
    key: string,
    value: string | undefined,
    ttlMs: number,
    onAcknowledged?: (entry: Entry) => void,
  ): void {
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
    const level = this.auditor.levelOfNext();
    node.process?.replica.write([request], level !== "local").then(
      (receipt) => {
        const {
          entries: [entry],
          outboxPosition,
        } = receipt;
        if (entry === undefined) return;
        const name = this.names.nameOf(entry.stamp);
        const fades = entry.deleted || entry.expiresAtMs > 0;
        this.acknowledged.push({ name, key, node, outboxPosition, over, fades });
        this.auditor.auditAcknowledgement(node, receipt, level);
        onAcknowledged?.(entry);
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
      if (this.#parts.sweep === undefined) process.store.sweep(SWEPT_ROWS);
      else this.#parts.sweep(process.store, disk, { directory, local });
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
      const seen = (link: Link): Link => this.#parts.directoryLink?.(link) ?? link;
      return running && ((link) => running.machine.accept(seen(link), "127.0.0.1"));
    });
  }
}
