import type { Link, LinkEvents } from "@meridian/ports";
import { Replica, type DirectoryLimits, type ReplicaOptions } from "@meridian/replication";
import { seededRandom, silentLogger } from "@meridian/runtime";
import {
  emptyReplicaDisk,
  MemoryReplicaStore,
  type LogDisk,
  type ReplicaDisk,
} from "@meridian/testkit";

import { DirectoryRig, readyLogDisk } from "./rig.ts";
import { SteppedRig } from "./stepped-rig.ts";

interface Wire {
  readonly hosts: readonly string[];
  readonly break: () => void;
}

/** Directories `d0`, `d1`, … that follow each other, and nodes, in one process: messages and commits happen when `settle` is called. */
export class GroupRig extends SteppedRig {
  readonly directories: (DirectoryRig | undefined)[] = [];
  /** What each directory has left on its disk, or leaves there. */
  readonly disks: LogDisk[] = [];
  readonly #count: number;
  readonly #limits: Partial<DirectoryLimits>;
  readonly #stores: MemoryReplicaStore[] = [];
  #wires: Wire[] = [];
  /** Pairs of hosts between which nothing gets through. */
  readonly #cuts = new Set<string>();

  constructor(count: number, limits: Partial<DirectoryLimits> = {}) {
    super();
    this.#count = count;
    this.#limits = limits;
    for (let index = 0; index < count; index += 1) this.start(index);
  }

  /** Directories that have caught up with each other. */
  static async start(count: number, limits: Partial<DirectoryLimits> = {}): Promise<GroupRig> {
    const rig = new GroupRig(count, limits);
    await rig.pass(2_000);
    return rig;
  }

  /** Starts a directory, by default with an empty log. */
  start(index: number, disk: LogDisk = readyLogDisk(70 + index, 10_000, this.clock)): DirectoryRig {
    const host = `d${index}`;
    const others = Array.from({ length: this.#count }, (_, other) => other);
    const peers = others
      .filter((other) => other !== index)
      .map((other) => ({
        name: `d${other}`,
        dial: (events: LinkEvents) => this.#dial(host, other, events),
      }));
    this.disks[index] = disk;
    const rig = new DirectoryRig(this.#limits, {
      clock: this.clock,
      disk,
      epoch: 100 + index + 10 * disk.epochs.length,
      follow: { random: seededRandom(index + 1), peers },
    });
    this.directories[index] = rig;
    return rig;
  }

  /** A directory that runs. */
  directory(index: number): DirectoryRig {
    const rig = this.directories[index];
    if (rig === undefined) throw new Error(`Expected d${index} to run`);
    return rig;
  }

  /** Ends a directory for good. */
  async kill(index: number): Promise<void> {
    this.directories[index] = undefined;
    for (const wire of this.#wires) if (wire.hosts.includes(`d${index}`)) wire.break();
    await this.settle();
  }

  /** Breaks the links between two hosts, and lets none be made. */
  cut(a: string, b: string): void {
    this.#cuts.add(`${a} ${b}`).add(`${b} ${a}`);
    for (const { hosts, break: end } of this.#wires) {
      if (hosts.includes(a) && hosts.includes(b)) end();
    }
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(`${a} ${b}`);
    this.#cuts.delete(`${b} ${a}`);
  }

  /** A node that prefers the directories in their order. */
  node(
    id: string,
    disk: ReplicaDisk = emptyReplicaDisk(100 + id.charCodeAt(0)),
    more: Pick<ReplicaOptions, "onTraced"> = {},
  ): Replica {
    const store = new MemoryReplicaStore(disk, (run) => this.queue.push(run));
    this.#stores.push(store);
    const replica = new Replica({
      node: { cluster: "test", id, region: id, ip: null, port: 1, url: null, lat: 0, lon: 0 },
      store,
      dial: (events, index) => this.#dial(id, index, events),
      directories: this.#count,
      clock: this.clock,
      random: seededRandom(id.charCodeAt(0)),
      logger: silentLogger,
      defer: (callback) => this.queue.push(callback),
      ...more,
    });
    replica.start();
    return replica;
  }

  /** Has everyone forget what may be forgotten. Returns how many entries are left, the logs' first. */
  forget(): number[] {
    const logs = this.directories.flatMap((rig) => rig?.log ?? []);
    for (const each of [...logs, ...this.#stores]) each.sweep(Infinity);
    return [...logs, ...this.#stores].map(({ size }) => size);
  }

  protected override commit(): void {
    for (const rig of this.directories) rig?.commit();
  }

  #dial(host: string, index: number, near: LinkEvents): Link {
    const hosts = [host, `d${index}`];
    const rig = this.directories[index];
    let isOpen = rig !== undefined && !this.#cuts.has(hosts.join(" "));
    const later = (run: () => void): void => {
      this.queue.push(() => {
        if (isOpen) run();
      });
    };
    const end = (code: number, reason: string): void => {
      if (!isOpen) return;
      isOpen = false;
      this.queue.push(
        () => near.onClose(code, reason),
        () => far?.onClose(code, reason),
      );
    };
    const linkTo = (other: () => LinkEvents | undefined): Link => ({
      bufferedBytes: 0,
      send: (message) => {
        const copy = typeof message === "string" ? message : message.slice();
        later(() => other()?.onMessage(copy));
      },
      close: end,
    });
    const far = isOpen
      ? rig?.directory.accept(
          linkTo(() => near),
          "127.0.0.1",
        )
      : undefined;
    if (!isOpen) this.queue.push(() => near.onClose(1006, "unreachable"));
    later(() => near.onOpen());
    this.#wires.push({ hosts, break: () => end(1006, "") });
    return linkTo(() => far);
  }
}
