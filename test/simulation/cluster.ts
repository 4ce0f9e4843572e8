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

export interface SimulatedDirectory {
  /** The host that it runs on. */
  readonly host: string;
  readonly machine: { skewMs: number };
  disk: LogDisk;
  backup: LogDisk | undefined;
  process: { machine: Directory; log: MemoryDirectoryLog; clock: ProcessClock } | undefined;
}

/** What parts a simulation is made of; a test that plants a fault replaces one. */
export interface ClusterParts {
  openStore(disk: ReplicaDisk, clock: ProcessClock, world: World): TracedStore;
}

export const HONEST_PARTS: ClusterParts = {
  openStore: (disk, clock, world) =>
    new TracedStore(disk, (run) => clock.after(world.between(0, 3), run)),
};

/** Small, so that simulated nodes fall behind and are fed from the log. */
const LINK_BYTES = 3_000;
const RECENT_BYTES = 4_000;
const LOG_FRAMES = 20;

/** How long nodes and directories wait for each other: short, so that much happens in little time. */
const NODE_LIMITS = {
  windowBytes: 4_000,
  backoffMaxMs: 1_000,
  stallMs: 1_500,
  lagMax: 20,
  probeMs: 300,
  returnMs: 800,
  returnMaxMs: 4_000,
  returnSettledMs: 2_000,
} as const;
const FOLLOWER_LIMITS = { backoffMaxMs: 500, stallMs: 1_500 } as const;

/** Directories and their nodes, on one machine each. */
export class SimulatedCluster {
  readonly world: World;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  readonly names = new WriteNames();
  readonly acknowledged: AcknowledgedWrite[] = [];
  readonly #parts: ClusterParts;
  /** In the order in which nodes prefer them. */
  readonly directories: readonly SimulatedDirectory[];

  constructor(
    world: World,
    size: { readonly nodes: number; readonly directories: number },
    faults: NetworkFaults,
    parts: ClusterParts,
  ) {
    this.world = world;
    this.#parts = parts;
    this.network = new Network(world, faults, LINK_BYTES / 2);
    this.directories = Array.from({ length: size.directories }, (_, index) => ({
      host: index === 0 ? "directory" : `directory-${index}`,
      machine: { skewMs: 0 },
      disk: emptyLogDisk(randomIdentity(world.random)),
      backup: undefined,
      process: undefined,
    }));
    this.nodes = Array.from({ length: size.nodes }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
      process: undefined,
    }));
  }

  startDirectory(directory: SimulatedDirectory): void {
    if (directory.process !== undefined) return;
    const { world } = this;
    const clock = new ProcessClock(world, directory.machine);
    const schedule = (run: () => void): void => void clock.after(world.between(0, 3), run);
    const epoch = randomIdentity(world.random);
    const log = new MemoryDirectoryLog(directory.disk, epoch, schedule, LOG_FRAMES);
    const others = this.directories.filter((other) => other !== directory);
    const peers = others.map((other) => ({
      name: other.host,
      dial: (events: LinkEvents) => this.#dial(directory.host, other, events),
    }));
    const machine = new Directory({
      cluster: "simulated",
      log,
      clock,
      logger: silentLogger,
      limits: { linkBytesMax: LINK_BYTES, recentBytesMax: RECENT_BYTES, joinMs: 1_000 },
      ...(peers.length > 0 && { follow: { random: world.random, peers, limits: FOLLOWER_LIMITS } }),
      onFatal: () => this.killDirectory(directory),
    });
    machine.start();
    directory.process = { machine, log, clock };
  }

  killDirectory(directory: SimulatedDirectory): void {
    directory.process?.log.crash();
    directory.process?.clock.die();
    directory.process = undefined;
    this.network.kill(directory.host);
  }

  /** The directory's database is lost, and an empty one takes its place. */
  replaceDirectory(directory: SimulatedDirectory): void {
    this.killDirectory(directory);
    directory.disk = emptyLogDisk(randomIdentity(this.world.random));
  }

  backUpDirectory(directory: SimulatedDirectory): void {
    directory.backup = copyLogDisk(directory.disk);
  }

  restoreDirectory(directory: SimulatedDirectory): void {
    if (directory.backup === undefined) return;
    this.killDirectory(directory);
    directory.disk = copyLogDisk(directory.backup);
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
      dial: (events, index) => this.#dial(node.id, this.directories[index], events),
      directories: this.directories.length,
      clock,
      random: world.random,
      logger: silentLogger,
      limits: NODE_LIMITS,
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
    const heads = new Map<number, number>();
    for (const { process } of this.directories) {
      const info = process?.machine.info();
      if (info !== undefined) heads.set(info.logId, info.head);
    }
    const isLevel = ({ process }: SimulatedNode): boolean => {
      const info = process?.replica.info();
      const isReady = process?.replica.status === "ready" && info?.outboxPending === 0;
      return isReady && info.applied === heads.get(info.logId);
    };
    return this.nodes.every(isLevel) && this.directories.every(isSynced);

    function isSynced({ process }: SimulatedDirectory): boolean {
      const info = process?.machine.info();
      const hasAll = info?.peers.every(
        ({ connected, logId, applied }) => connected && applied === heads.get(logId),
      );
      return hasAll === true && info?.syncing === false;
    }
  }

  digests(): Digest[] {
    const stores: SummarySource[] = this.nodes.flatMap(({ process }) => process?.store ?? []);
    const logs = this.directories.flatMap(({ process }) => process?.log ?? []);
    return [...stores, ...logs].map((source) => digestOf(source.summariesAfter(null, Infinity)));
  }

  #dial(host: string, directory: SimulatedDirectory | undefined, events: LinkEvents): Link {
    if (directory === undefined) throw new Error("Expected a directory to dial");
    return this.network.dial(host, directory.host, events, () => {
      const running = directory.process;
      return running && ((link) => running.machine.accept(link, "127.0.0.1"));
    });
  }
}
