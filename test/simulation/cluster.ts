import type { Link, LinkEvents } from "@meridian/ports";
import { isPurgeable, stampTimeOf, type Entry } from "@meridian/protocol";
import {
  Directory,
  DIRECTORY_LIMITS,
  Replica,
  type DirectoryLimits,
  type DirectoryOptions,
  type ReplicaLimits,
  type ReplicaOptions,
  type ServingDirectory,
} from "@meridian/replication";
import { ALL_RULES, type Rules } from "@meridian/replication/source/rules";
import { randomIdentity, silentLogger } from "@meridian/runtime";
import {
  copyLogDisk,
  copyReplicaDisk,
  emptyLogDisk,
  emptyReplicaDisk,
  type LogDisk,
  type ReplicaDisk,
} from "@meridian/testkit";

import { AcknowledgedWrites, type AcknowledgedWrite } from "./acknowledged-writes.ts";
import { Auditor } from "./auditor.ts";
import { BOUNDS, DIRECTORY, FOLLOWER_LIMITS, NODE_LIMITS } from "./bounds.ts";
import { DurableWrites } from "./durable-writes.ts";
import { Ledger } from "./ledger.ts";
import { Network, type NetworkFaults } from "./network.ts";
import type { ClusterParts } from "./parts.ts";
import { StreamDirectories } from "./stream/stream-directories.ts";
import type { NatsFaults } from "./stream/nats.ts";
import { TracedLog } from "./traced-log.ts";
import { TracedStore, WriteNames } from "./traced-store.ts";
import { ProcessClock, type World } from "./world.ts";

export interface SimulatedNode {
  readonly id: string;
  readonly machine: { skewMs: number };
  disk: ReplicaDisk;
  backup: ReplicaDisk | undefined;
  /**
   * When the node was away, in true time. `spells`: the lengths of past absences, by their starts. `sinceMs`: the start of the present absence. `backMs`:
   * since when the node is connected again. `lateThroughMs`: what the node wrote by then may have waited in its outbox for longer than horizons
   * wait for connected nodes.
   */
  away: {
    spells: Map<number, number>;
    sinceMs: number | undefined;
    backMs: number | undefined;
    lateThroughMs: number;
  };
  process: { replica: Replica; store: TracedStore; clock: ProcessClock } | undefined;
}

export interface SimulatedDirectory {
  /** The host that it runs on. */
  readonly host: string;
  readonly machine: { skewMs: number };
  disk: LogDisk;
  backup: LogDisk | undefined;
  process:
    | { machine: Directory | ServingDirectory; log: TracedLog; clock: ProcessClock }
    | undefined;
}

/** How large a cluster is, and what the servers of the stream do that its log is in; without them, each directory has a log of its own. */
export interface ClusterSize {
  readonly nodes: number;
  readonly directories: number;
  readonly nats?: NatsFaults;
}

/** How many entries a store removes at a time. */
const SWEPT_ROWS = 5;

/** Directories and their nodes, on one machine each. */
export class SimulatedCluster {
  readonly world: World;
  readonly network: Network;
  readonly nodes: readonly SimulatedNode[];
  readonly names = new WriteNames();
  readonly ledger = new Ledger(this.names);
  readonly durable = new DurableWrites(this.names, this.ledger);
  readonly acknowledged = new AcknowledgedWrites();
  readonly auditor: Auditor;
  /** The largest frame that writes make here. */
  frameBytes: number = BOUNDS.frameBytes;
  /** Counts the events after which data that a client has seen may be lost for good. */
  losses = 0;
  /** Whether all faults are over. */
  isMended = false;
  readonly parts: ClusterParts;
  readonly rules: Rules;
  #passedHorizon = 0;
  /** After how many steps the process of a host is killed; other hosts are not in the map. */
  readonly #stepsLeft = new Map<string, number>();
  /** The longest that the disk of a node takes for a commit, and that of a directory. */
  commitMs = 3;
  logCommitMs = 3;
  /** Whether directories are lost, now and then, together with entries that no other directory has followed. */
  losesOnlyCopies = false;
  /** Whether clients ask for acknowledgements beyond that of their own node. */
  asksOthers = true;
  /** Whether clients begin to wait for an acknowledgement only some time after their write. */
  waitsLate = false;
  /** Limits of directories that this simulation makes smaller than usual. */
  directoryLimits: Partial<DirectoryLimits> = {};
  /** Limits of nodes that this simulation makes smaller than usual. */
  nodeLimits: Partial<ReplicaLimits> = {};
  /** In the order in which nodes prefer them. Invariant: there is at least one. */
  readonly directories: readonly SimulatedDirectory[];
  /** The directories' stream; undefined where each has a log of its own. */
  readonly over: StreamDirectories | undefined;
  /** How long tombstones are kept. */
  readonly horizonMs: number;

  constructor(
    world: World,
    size: ClusterSize,
    faults: NetworkFaults,
    parts: ClusterParts,
    horizonMs: number = DIRECTORY_LIMITS.horizonMs,
  ) {
    this.world = world;
    this.horizonMs = horizonMs;
    this.parts = parts;
    this.rules = { ...ALL_RULES, ...parts.rules };
    this.network = new Network(world, faults, BOUNDS.linkBytes / 2);
    this.over = size.nats && this.#makeStream(size.nats);
    this.directories = Array.from({ length: size.directories }, (_, index) => {
      const host = index === 0 ? DIRECTORY : `${DIRECTORY}-${index}`;
      return this.over?.make(host) ?? this.#makeDirectory(host);
    });
    this.nodes = Array.from({ length: size.nodes }, (_, index) => ({
      id: `n${index}`,
      machine: { skewMs: 0 },
      disk: emptyReplicaDisk(randomIdentity(world.random)),
      backup: undefined,
      away: { spells: new Map(), sinceMs: 0, backMs: undefined, lateThroughMs: 0 },
      process: undefined,
    }));
    this.auditor = new Auditor(this);
    this.network.taps.push(this.auditor);
    if (parts.rewrite !== undefined) {
      this.network.taps.push({ rewrite: (message, to) => parts.rewrite?.(message, to, this) });
    }
    this.network.onSent = (host) => this.step(host);
  }

  #makeDirectory(host: string): SimulatedDirectory {
    const disk = emptyLogDisk(randomIdentity(this.world.random));
    return { host, machine: { skewMs: 0 }, disk, backup: undefined, process: undefined };
  }

  #makeStream(faults: NatsFaults): StreamDirectories {
    const over = new StreamDirectories(this, faults);
    over.truth.onFrame = (epoch, frame) => this.auditor.onLogCommit(epoch, frame);
    return over;
  }

  report(violation: string): void {
    this.auditor.report(violation);
  }

  /** The logs: of each directory, or the one of the stream. */
  get logDisks(): readonly LogDisk[] {
    return this.over === undefined
      ? this.directories.map(({ disk }) => disk)
      : [this.over.truth.disk];
  }

  /** The log that is in that epoch now. */
  logInEpoch(epoch: number | undefined): LogDisk | undefined {
    if (this.over !== undefined) {
      const { epoch: newest, disk } = this.over.truth;
      return newest !== 0 && newest === epoch ? disk : undefined;
    }
    return this.directories.find(({ process }) => process?.log.epoch === epoch)?.disk;
  }

  /** The auditor has reported a violation. */
  onViolation(): void {
    if (this.parts.endsAtViolation === true) this.world.end();
  }

  /** The additional faults of this simulation. */
  get moreFaults(): readonly (() => void)[] {
    return this.parts.faults?.(this) ?? [];
  }

  /** Whether deletes are forgotten while the simulation lasts. */
  get isForgetful(): boolean {
    return this.horizonMs < DIRECTORY_LIMITS.horizonMs;
  }

  /** The directory that nodes prefer. */
  get directory(): SimulatedDirectory {
    const [first] = this.directories;
    if (first === undefined) throw new Error("Expected a cluster with a directory");
    return first;
  }

  get logDisk(): LogDisk {
    return this.over?.truth.disk ?? this.directory.disk;
  }

  directoryAt(host: string): SimulatedDirectory | undefined {
    return this.directories.find((directory) => directory.host === host);
  }

  startDirectory(directory: SimulatedDirectory = this.directory): void {
    if (this.over !== undefined) return this.over.start(directory);
    if (directory.process !== undefined) return;
    const { world } = this;
    const clock = new ProcessClock(world, directory.machine);
    const schedule = (run: () => void): void =>
      void clock.after(world.between(0, this.logCommitMs), run);
    const epoch = randomIdentity(world.random);
    const log =
      this.parts.openLog?.(directory.disk, epoch, schedule, world) ??
      new TracedLog(directory.disk, epoch, schedule, BOUNDS.logFrames);
    log.onStep = () => this.step(directory.host);
    log.onCommit = (frame) => this.auditor.onLogCommit(epoch, frame);
    const others = this.directories.filter((other) => other !== directory);
    const peers = others.map((other) => ({
      name: other.host,
      dial: (events: LinkEvents) => this.dial(directory.host, other, events),
    }));
    const options: DirectoryOptions = {
      cluster: "simulated",
      log,
      clock,
      logger: silentLogger,
      limits: this.limits(),
      ...(peers.length > 0 && {
        follow: { random: world.random, peers, limits: { ...FOLLOWER_LIMITS, ...this.nodeLimits } },
      }),
      onFatal: () => this.killDirectory(directory),
      defer: (callback) => clock.after(0, callback),
    };
    const machine = new Directory(options, this.rules);
    machine.start();
    directory.process = { machine, log, clock };
  }

  /** The limits of directories. */
  limits(): Partial<DirectoryLimits> {
    return {
      linkBytesMax: BOUNDS.linkBytes,
      recentBytesMax: BOUNDS.recentBytes,
      joinMs: 1_000,
      horizonMs: this.horizonMs,
      doubtMs: 500,
      confirmMs: 2_000,
      ...this.directoryLimits,
      ...this.parts.directoryLimits,
    };
  }

  killDirectory(directory: SimulatedDirectory = this.directory): void {
    this.over?.kill(directory);
    directory.process?.log.crash();
    directory.process?.clock.die();
    directory.process = undefined;
    this.network.kill(directory.host);
  }

  /** The directory's database is lost, and an empty one takes its place. */
  replaceDirectory(directory: SimulatedDirectory = this.directory): void {
    this.killDirectory(directory);
    if (this.over !== undefined) return this.over.empty(directory);
    this.noteLoss();
    directory.disk = emptyLogDisk(randomIdentity(this.world.random));
  }

  backUpDirectory(directory: SimulatedDirectory = this.directory): void {
    directory.backup = copyLogDisk(directory.disk);
  }

  restoreDirectory(directory: SimulatedDirectory = this.directory): void {
    if (directory.backup === undefined) return;
    this.killDirectory(directory);
    // What only a folder had is in the stream.
    if (this.over === undefined) this.noteLoss();
    directory.disk = copyLogDisk(directory.backup);
  }

  startNode(node: SimulatedNode): void {
    if (node.process !== undefined) return;
    const { world } = this;
    const { disk } = node;
    const clock = new ProcessClock(world, node.machine);
    const store =
      this.parts.openStore?.(disk, clock, world) ??
      new TracedStore(disk, (run) => clock.after(world.between(0, this.commitMs), run));
    store.names = this.names;
    store.onMade = (entry) => {
      const wrong = this.ledger.made(entry);
      if (wrong !== undefined) this.auditor.report(`${node.id}: ${entry.key} ${wrong}`);
    };
    store.onBuried = (entry) => this.ledger.buried(entry);
    store.onRefused = (entries) => this.ledger.unmade(entries);
    store.onInverted = ({ key }) =>
      this.auditor.report(`${node.id}: ${key} is older than what stands before it in its frame`);
    store.onCommitted = (record) => this.durable.onCommitted(disk, record);
    store.onRestamped = (old, renewed) => {
      // What a copy had not sent is written anew where nobody finds the copy out.
      if (this.acknowledged.isUnknownCopy(node)) {
        this.acknowledged.excuse(({ key }) => key === old.key);
      }
      const wrong = this.ledger.wrongRenewal(old, renewed);
      if (wrong !== undefined) this.auditor.report(`${node.id}: ${old.key} ${wrong}`);
    };
    store.onStep = () => {
      this.auditor.checkCommit(node);
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
      dial: (events, directory) => this.dial(node.id, this.directories[directory], events),
      directories: this.directories.length,
      clock,
      random: world.random,
      logger: silentLogger,
      limits: { ...NODE_LIMITS, ...this.nodeLimits },
      defer: (callback) => clock.after(0, callback),
    };
    const made = this.parts.replicaOptions?.(options) ?? options;
    const replica = this.parts.openReplica?.(made, this.rules) ?? new Replica(made, this.rules);
    replica.start();
    this.parts.onStart?.(node.id, replica);
    node.process = { replica, store, clock };
  }

  killNode(node: SimulatedNode): void {
    node.process?.store.crash();
    node.process?.clock.die();
    node.process = undefined;
    this.network.kill(node.id);
    this.acknowledged.onEnded(node, this.world.nowMs);
  }

  /** Kills the process of a host after `steps` more of its steps, between two of them, and starts it again. */
  killWithin(host: string, steps: number): void {
    this.#stepsLeft.set(host, steps);
  }

  /** Cancels all scheduled kills. */
  spare(): void {
    this.#stepsLeft.clear();
  }

  /** Counts a step of a process: a message that it has sent, or a commit before its callback. Returns whether the process lives on. */
  step(host: string): boolean {
    const left = this.#stepsLeft.get(host);
    if (left === undefined) return true;
    this.#stepsLeft.set(host, left - 1);
    if (left > 1) return true;
    this.#stepsLeft.delete(host);
    const node = this.nodes.find(({ id }) => id === host);
    const directory = this.directoryAt(host);
    if (node !== undefined) this.killNode(node);
    else this.killDirectory(directory);
    this.world.schedule(this.world.between(0, 2_000), () => {
      if (node !== undefined) this.startNode(node);
      else this.startDirectory(directory);
    });
    return false;
  }

  backUpNode(node: SimulatedNode): void {
    node.backup = copyReplicaDisk(node.disk);
  }

  /**
   * Replaces the node's disk by its backup. Data that only that disk had are lost. If directories may be apart for longer than the horizon, data that
   * only logs have besides may be lost, too: they are buried, and no node has them live for its quarantine.
   */
  restoreNode(node: SimulatedNode): void {
    if (node.backup === undefined) return;
    this.killNode(node);
    this.noteLoss();
    const kept = node.disk.outboxAcknowledged;
    const quarantined = new Set(this.quarantinedNames(node));
    const isForgetful = this.directories.length > 1 && this.isForgetful;
    // What came to a log later than the horizon is buried, and only its own node has it, or what has replaced it there.
    const isBuried = ({ key, name }: AcknowledgedWrite): boolean =>
      this.durable.wasBuried(key, this.names.stampOf(name));
    const isLost = (write: AcknowledgedWrite): boolean =>
      quarantined.has(write.name) ||
      (write.node === node && (write.outboxPosition > kept || isBuried(write))) ||
      (isForgetful && !write.fades && !this.#isElsewhere(write, node));
    this.acknowledged.excuse(isLost);
    const restored = copyReplicaDisk(node.backup);
    this.durable.onRestored(node.disk, restored);
    this.acknowledged.onRestored(node, restored);
    node.disk = restored;
  }

  /** Data that a client has seen may be lost for good. */
  noteLoss(): void {
    this.losses += 1;
    this.#passedHorizon = this.passedHorizon;
  }

  #isElsewhere({ key, name }: AcknowledgedWrite, node: SimulatedNode): boolean {
    return this.nodes.some(({ disk }) => {
      const held = disk === node.disk ? undefined : disk.entries.get(key);
      return held !== undefined && this.names.isAtLeast(held.stamp, name);
    });
  }

  /** The names of what a node has in its quarantine. */
  quarantinedNames(node: SimulatedNode): string[] {
    return [...node.disk.quarantine.values()].map(({ entry }) => this.names.nameOf(entry.stamp));
  }

  /** Whether a newer write of the key, which may be gone by now, has taken the place of the write `name`. */
  isReplaced(key: string, name: string): boolean {
    const quarantined = new Set(this.nodes.flatMap((node) => this.quarantinedNames(node)));
    const gone = { passedHorizon: this.passedHorizon, quarantined };
    return this.durable.mayBeForgotten(key, name, gone);
  }

  /** Whether a horizon has passed the write `name`, so that there may be nothing left of it, or only its burial. */
  isPassed(name: string): boolean {
    return this.names.stampOf(name).time <= this.passedHorizon;
  }

  /** Removes some purgeable entries of all stores and logs. */
  sweep(rowsMax = SWEPT_ROWS): void {
    this.#passedHorizon = this.passedHorizon;
    const horizons = this.directories.map(({ process }) => process?.machine.info().horizon ?? 0);
    const directory = Math.max(...horizons);
    for (const { process } of this.directories) process?.log.sweep(rowsMax);
    for (const { process, disk } of this.nodes) {
      if (process === undefined) continue;
      const local = stampTimeOf(process.clock.nowMs() - this.horizonMs);
      if (this.parts.sweep === undefined) process.store.sweep(rowsMax);
      else this.parts.sweep(process.store, disk, { directory, local });
    }
  }

  /** The number of entries in each database, the directories' first. */
  sizes(): number[] {
    return [
      ...this.directories.map(({ process }) => process?.log.size ?? 0),
      ...this.nodes.map(({ disk }) => disk.entries.size),
    ];
  }

  /** The entry that a node has of a key, unless the horizon has passed it. */
  entryOf(node: SimulatedNode, key: string, horizon = this.highestHorizon): Entry | undefined {
    const entry = node.process?.store.get(key);
    return entry === undefined || isPurgeable(entry, horizon) ? undefined : entry;
  }

  /** The highest horizon of all nodes and directories. */
  get highestHorizon(): number {
    const horizons = this.nodes.map(({ disk }) => disk.horizon);
    const logs = this.directories.map(({ disk }) => disk.horizonState.horizon);
    return Math.max(0, ...logs, ...horizons);
  }

  /** The highest horizon that there has ever been: disks may have been lost with theirs. */
  get passedHorizon(): number {
    return Math.max(this.#passedHorizon, this.highestHorizon);
  }

  /** Makes a link from a host to a directory. */
  dial(host: string, directory: SimulatedDirectory | undefined, events: LinkEvents): Link {
    if (directory === undefined) throw new Error("Expected a directory to dial");
    return this.network.dial(host, directory.host, events, () => {
      const running = directory.process;
      const seen = (link: Link): Link => this.parts.directoryLink?.(link) ?? link;
      return running && ((link) => running.machine.accept(seen(link), "127.0.0.1"));
    });
  }
}
