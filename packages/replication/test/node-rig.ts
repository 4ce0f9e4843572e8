import type { Link, LinkEvents } from "@meridian/ports";
import type { Entry, MeridianError } from "@meridian/protocol";
import {
  Replica,
  type DirectoryLimits,
  type TracedFrame,
  type WriteRequest,
} from "@meridian/replication";
import { seededRandom, silentLogger } from "@meridian/runtime";
import {
  emptyReplicaDisk,
  MemoryReplicaStore,
  type LogDisk,
  type ReplicaDisk,
} from "@meridian/testkit";

import { DirectoryRig, readyLogDisk } from "./rig.ts";
import { SteppedRig } from "./stepped-rig.ts";

/** One node of a `ClusterRig`. */
export interface NodeRig {
  readonly replica: Replica;
  readonly store: MemoryReplicaStore;
  readonly disk: ReplicaDisk;
  readonly changes: Entry[];
  readonly forgotten: string[];
  /** Records that the store has been given, by kind. */
  readonly records: string[];
}

/** A directory and nodes in one process: messages and commits happen when `settle` is called. */
export class ClusterRig extends SteppedRig {
  readonly #limits: Partial<DirectoryLimits>;
  directory: DirectoryRig;
  /** Whether nodes can reach the directory. */
  isReachable = true;
  readonly #links = new Map<LinkEvents, string>();
  readonly #away = new Set<string>();
  #epoch = 1;
  #started = 0;

  /** How often a node has asked for its turn to reconcile. */
  reconciliations = 0;
  /** Told of every text that a node sends. */
  onText: (text: string) => void = () => {};

  constructor(limits: Partial<DirectoryLimits> = {}, disk: LogDisk = readyLogDisk(7)) {
    super();
    this.#limits = limits;
    this.directory = new DirectoryRig(limits, { disk, clock: this.clock });
  }

  /** A directory over another disk takes the place of the one that there is. */
  async replaceDirectory(disk: LogDisk): Promise<void> {
    for (const [events] of this.#links) events.onClose(1006, "");
    this.#links.clear();
    await this.settle();
    this.#epoch += 1;
    this.directory = new DirectoryRig(this.#limits, {
      disk,
      clock: this.clock,
      epoch: this.#epoch,
    });
  }

  /** One node cannot reach the directory until it comes back. */
  async leave(id: string): Promise<void> {
    this.#away.add(id);
    for (const [events, owner] of this.#links) {
      if (owner !== id) continue;
      events.onClose(1006, "");
      this.#links.delete(events);
    }
    await this.settle();
  }

  comeBack(id: string): void {
    this.#away.delete(id);
  }

  node(
    id: string,
    options: {
      skewMs?: number;
      disk?: ReplicaDisk | undefined;
      onTraced?: (frame: TracedFrame) => void;
    } = {},
  ): NodeRig {
    const disk = options.disk ?? emptyReplicaDisk(100 + id.charCodeAt(0));
    const store = new MemoryReplicaStore(disk, (run) => this.queue.push(run));
    const rig = {
      store,
      disk,
      changes: [] as Entry[],
      forgotten: [] as string[],
      records: [] as string[],
    };
    const append = store.append.bind(store);
    store.append = (record, done) => {
      rig.records.push(record.kind);
      append(record, done);
    };
    const { clock } = this;
    // No two processes draw the same.
    this.#started += 1;
    const replica = new Replica({
      node: { cluster: "test", id, region: id, ip: null, port: 1, url: null, lat: 0, lon: 0 },
      store,
      dial: (events) => this.#dial(id, events),
      clock: {
        nowMs: () => clock.nowMs() + (options.skewMs ?? 0),
        elapsedMs: () => clock.elapsedMs(),
        after: (delayMs, callback) => clock.after(delayMs, callback),
      },
      random: seededRandom(id.charCodeAt(0) + 1_000 * this.#started),
      logger: silentLogger,
      defer: (callback) => this.queue.push(callback),
      onChange: (entries) => rig.changes.push(...entries),
      onRestamped: (entries) => rig.forgotten.push(...entries.map(({ key }) => key)),
      ...(options.onTraced && { onTraced: options.onTraced }),
    });
    replica.start();
    return { ...rig, replica };
  }

  protected override commit(): void {
    this.directory.commit();
  }

  /** Every link breaks, and none can be made until `isReachable` is set. */
  async cut(): Promise<void> {
    this.isReachable = false;
    for (const [events] of this.#links) events.onClose(1006, "");
    this.#links.clear();
    await this.settle();
  }

  #dial(id: string, node: LinkEvents): Link {
    const isReachable = this.isReachable && !this.#away.has(id);
    const ends = { isOpen: isReachable };
    const later = (run: () => void): void => {
      this.queue.push(() => {
        if (ends.isOpen && this.isReachable && !this.#away.has(id)) run();
      });
    };
    const close = (events: LinkEvents, code: number, reason: string): void => {
      if (!ends.isOpen) return;
      ends.isOpen = false;
      this.queue.push(() => events.onClose(code, reason));
    };
    if (!isReachable) this.queue.push(() => node.onClose(1006, "unreachable"));
    const far = {} as { events: LinkEvents };
    const near: Link = {
      bufferedBytes: 0,
      send: (message) => {
        if (typeof message === "string") {
          if (message.includes('"reconcile"')) this.reconciliations += 1;
          this.onText(message);
        }
        later(() => far.events.onMessage(copyOf(message)));
      },
      close: (code, reason) => {
        close(far.events, code, reason);
        node.onClose(code, reason);
      },
    };
    far.events = this.directory.directory.accept(
      {
        bufferedBytes: 0,
        send: (message) => later(() => node.onMessage(copyOf(message))),
        close: (code, reason) => {
          close(node, code, reason);
          far.events.onClose(code, reason);
        },
      },
      "127.0.0.1",
    );
    this.#links.set(node, id);
    this.#links.set(far.events, id);
    later(() => node.onOpen());
    return near;
  }
}

function copyOf(message: string | Uint8Array): string | Uint8Array {
  return typeof message === "string" ? message : message.slice();
}

export function set(key: string, value = "v", more: Partial<WriteRequest> = {}): WriteRequest {
  const bytes = new TextEncoder().encode(value);
  return { key, value: bytes, contentType: "text/plain", ttlMs: 0, deleted: false, ...more };
}

export function textOf(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
}

export function codeOf(failure: unknown): string {
  return (failure as MeridianError).code;
}
