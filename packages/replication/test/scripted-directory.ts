import type { LinkEvents } from "@meridian/ports";
import {
  blockOf,
  decodeBlock,
  decodeNodeMessage,
  encodeMessage,
  readFrameHeader,
  tracesOf,
  type DirectoryMessage,
  type Entry,
  type FrameHeader,
  type NodeMessage,
  type TraceContext,
  type Welcome,
} from "@meridian/protocol";
import { Replica, type ReplicaOptions } from "@meridian/replication";
import { seededRandom, silentLogger } from "@meridian/runtime";
import {
  emptyReplicaDisk,
  frameWith,
  ManualClock,
  MemoryReplicaStore,
  type ReplicaDisk,
  welcomeWith,
} from "@meridian/testkit";

/** A frame of a node's outbox, taken apart. */
export interface SentFrame {
  readonly position: number;
  readonly incomplete: boolean;
  readonly entries: readonly Entry[];
  readonly traces: readonly TraceContext[];
}

/** A node whose directory says what a test has it say. Commits happen when `settle` is called. */
export class ScriptedDirectory {
  #queue: (() => void)[] = [];
  readonly clock = new ManualClock();
  readonly disk: ReplicaDisk;
  readonly store: MemoryReplicaStore;
  readonly frames: SentFrame[] = [];
  readonly texts: NodeMessage[] = [];
  readonly replica: Replica;
  /** With which code the node closed its link first. */
  closed: number | undefined;
  /** What has not left the node. */
  bufferedBytes = 0;
  #events: LinkEvents | undefined;

  constructor(
    directories = 1,
    disk: ReplicaDisk = emptyReplicaDisk(1),
    more: Partial<ReplicaOptions> = {},
  ) {
    this.disk = disk;
    this.store = new MemoryReplicaStore(disk, (run) => this.#queue.push(run));
    this.replica = new Replica({
      node: { cluster: "test", id: "a", region: "a", ip: null, port: 1, url: null, lat: 0, lon: 0 },
      store: this.store,
      directories,
      dial: (events) => {
        this.#events = events;
        const close = (code: number): void => {
          this.closed ??= code;
        };
        const bufferedBytes = (): number => this.bufferedBytes;
        return {
          get bufferedBytes() {
            return bufferedBytes();
          },
          send: (message) => this.#hear(message),
          close,
        };
      },
      clock: this.clock,
      random: seededRandom(1),
      logger: silentLogger,
      defer: (callback) => this.#queue.push(callback),
      ...more,
    });
    this.replica.start();
    this.#events?.onOpen();
  }

  /** The node hears text that need not be a message. */
  hear(text: string): void {
    this.#events?.onMessage(text);
  }

  say(message: DirectoryMessage): void {
    this.#events?.onMessage(encodeMessage(message));
  }

  /** A part of a large message comes. */
  part(): void {
    this.#events?.onPart();
  }

  /** The link breaks, or the directory closes it with a code of its own, and the node makes another. */
  reconnect(code = 1006): void {
    const events = this.#events;
    events?.onClose(code, "");
    this.clock.advance(1_000);
    if (this.#events !== events) this.#events?.onOpen();
  }

  /** Takes the node in, and goes on after its cursor, unless it is told otherwise. */
  welcome(head: number, more: Partial<Welcome> = {}): void {
    const nowMs = this.clock.nowMs();
    this.say(welcomeWith({ nowMs, head, committedThrough: head, ...more }));
  }

  feed(header: Partial<FrameHeader>, entries: readonly Entry[]): void {
    const sentAtMs = this.clock.nowMs();
    this.#events?.onMessage(frameWith({ sentAtMs, ...header }, entries));
  }

  /** Lets happen what is due now, and not what comes of it: a write begins its commit. */
  turn(): void {
    for (const run of this.#queue.splice(0)) run();
  }

  /** Lets every commit happen that is under way, and the reactions to it. */
  async settle(): Promise<void> {
    do {
      const queue = this.#queue;
      this.#queue = [];
      for (const run of queue) run();
      for (let reaction = 0; reaction < 5; reaction += 1) await Promise.resolve();
    } while (this.#queue.length > 0);
  }

  #hear(message: string | Uint8Array): void {
    if (typeof message === "string") {
      this.texts.push(decodeNodeMessage(message));
      return;
    }
    const { position, incomplete, count } = readFrameHeader(message);
    const entries = decodeBlock(blockOf(message), count);
    this.frames.push({ position, incomplete, entries, traces: tracesOf(message) });
  }
}
