import type { Entry } from "@meridian/protocol";
import {
  Directory,
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
  process: { replica: Replica; store: TracedStore; clock: ProcessClock } | undefined;
}

/** What parts a simulation is made of; a test that plants a fault replaces one. */
export interface ClusterParts {
  openStore?(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
  openLog?(disk: LogDisk, epoch: number, schedule: ScheduleCommit, world: World): TracedLog;
  replicaOptions?(options: ReplicaOptions): ReplicaOptions;
  onStart?(id: string, replica: Replica): void;
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

export const HONEST_PARTS: ClusterParts = {};

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
  /** The longest that a disk takes for a commit. */
  commitMs = 3;
  logDisk: LogDisk;
  logBackup: LogDisk | undefined;
  #directory: { machine: Directory; log: TracedLog; clock: ProcessClock } | undefined;

  constructor(world: World, size: number, faults: NetworkFaults, parts: ClusterParts) {
    this.world = world;
    this.#parts = parts;
    this.network = new Network(world, faults, BOUNDS.linkBytes / 2);
    this.logDisk = emptyLogDisk(randomIdentity(world.random));
    this.nodes = Array.from({ length: size }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
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
    const schedule = (run: () => void): void =>
      void clock.after(world.between(0, this.commitMs), run);
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
      new TracedStore(node.disk, (run) => clock.after(world.between(0, this.commitMs), run));
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
    const isLost = (write: AcknowledgedWrite): boolean =>
      write.node === node && write.outboxPosition > kept;
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

  digests(): Digest[] {
    const sources: SummarySource[] = this.nodes.flatMap(({ process }) => process?.store ?? []);
    if (this.#directory !== undefined) sources.push(this.#directory.log);
    return sources.map((source) => digestOf(source.summariesAfter(null, Infinity)));
  }

  #dial(node: SimulatedNode, events: LinkEvents): Link {
    return this.network.dial(node.id, DIRECTORY, events, () => {
      const running = this.#directory;
      const seen = (link: Link): Link => this.#parts.directoryLink?.(link) ?? link;
      return running && ((link) => running.machine.accept(seen(link), "127.0.0.1"));
    });
  }
}
