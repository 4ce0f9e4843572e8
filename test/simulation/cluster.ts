import type { Entry } from "@meridian/protocol";
import {
  Directory,
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
  openStore(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
}

export const HONEST_PARTS: ClusterParts = {
  openStore: (disk, clock, world) =>
    new TracedStore(disk, (run) => clock.after(world.between(0, 3), run)),
};

const DIRECTORY = "directory";
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
  #directory: { machine: Directory; log: MemoryDirectoryLog; clock: ProcessClock } | undefined;

  constructor(world: World, size: number, faults: NetworkFaults, parts: ClusterParts) {
    this.world = world;
    this.#parts = parts;
    this.network = new Network(world, faults, LINK_BYTES / 2);
    this.logDisk = emptyLogDisk(randomIdentity(world.random));
    this.nodes = Array.from({ length: size }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
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
    const log = new MemoryDirectoryLog(
      this.logDisk,
      randomIdentity(world.random),
      schedule,
      LOG_FRAMES,
    );
    const machine = new Directory({
      cluster: "simulated",
      log,
      clock,
      logger: silentLogger,
      limits: { linkBytesMax: LINK_BYTES, recentBytesMax: RECENT_BYTES },
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
    const isLost = (write: AcknowledgedWrite): boolean =>
      write.node === node && write.outboxPosition > kept;
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
        const { deleted } = entry;
        this.acknowledged.push({ name, key, node, outboxPosition, over, deleted });
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
      return running && ((link) => running.machine.accept(link, "127.0.0.1"));
    });
  }
}
