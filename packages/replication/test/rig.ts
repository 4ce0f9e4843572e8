import type { Link, LinkEvents } from "@meridian/ports";
import {
  decodeDirectoryMessage,
  encodeMessage,
  capabilities,
  OWN_FRAMES,
  readFrameHeader,
  stampTimeOf,
  type Cursor,
  type DirectoryMessage,
  type Entry,
  type FrameHeader,
  type Hello,
  type NodeMessage,
} from "@meridian/protocol";
import { Directory, type DirectoryLimits, type FollowOptions } from "@meridian/replication";
import { Metrics, silentLogger } from "@meridian/runtime";
import {
  emptyLogDisk,
  ManualClock,
  MemoryDirectoryLog,
  type LogDisk,
  frameWith,
} from "@meridian/testkit";

/** The node's end of a link to a directory, in memory: what it was sent, and what it says. */
export class TestLink implements Link {
  readonly texts: DirectoryMessage[] = [];
  readonly frames: { readonly header: FrameHeader; readonly bytes: Uint8Array }[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  /** What the node has not read yet. */
  bufferedBytes = 0;
  /** Whether what is sent waits to be read. */
  isSlow = false;
  events: LinkEvents | undefined;

  send(message: string | Uint8Array): void {
    if (this.closed !== undefined) return;
    if (this.isSlow) this.bufferedBytes += message.length;
    if (typeof message === "string") this.texts.push(decodeDirectoryMessage(message));
    else this.frames.push({ header: readFrameHeader(message), bytes: message.slice() });
  }

  close(code: number, reason: string): void {
    if (this.closed !== undefined) return;
    this.closed = { code, reason };
    this.events?.onClose(code, reason);
  }

  say(message: NodeMessage): void {
    this.events?.onMessage(encodeMessage(message));
  }

  /** The messages of one type that have come. */
  of<Type extends DirectoryMessage["type"]>(
    type: Type,
  ): Extract<DirectoryMessage, { type: Type }>[] {
    return this.texts.filter(
      (message): message is Extract<DirectoryMessage, { type: Type }> => message.type === type,
    );
  }

  /** Reads everything that waits. */
  drain(): void {
    this.bufferedBytes = 0;
    this.events?.onDrain();
  }
}

/** What is special about a node's introduction; `cursor` stands for the only place it knows, and its home. */
export type HelloParts = Partial<Hello> & { readonly cursor?: Cursor };

/** What a directory shares with others, where there are several. */
export interface DirectoryRigParts {
  readonly clock?: ManualClock;
  readonly disk?: LogDisk;
  readonly epoch?: number;
  /** All but the newest so many frames of the log are compacted. */
  readonly framesMax?: number;
  readonly follow?: FollowOptions;
  /** Default: the clock runs what is deferred when it advances. */
  readonly defer?: (callback: () => void) => void;
}

/** The disk of a log without entries that durably admits stamps up to `aheadMs` ahead of the clock: frames go out at once. */
export function readyLogDisk(logId: number, aheadMs = 10_000, clock = new ManualClock()): LogDisk {
  return { ...emptyLogDisk(logId), admittedTime: stampTimeOf(clock.nowMs() + aheadMs) };
}

/** A directory over a log in memory, whose commits finish when told. */
export class DirectoryRig {
  readonly clock: ManualClock;
  readonly metrics: Metrics = new Metrics();
  readonly directory: Directory;
  fatal: string | undefined;
  #commits: (() => void)[] = [];
  /** What was deferred since the last commits began. */
  #deferred: (() => void)[] = [];

  constructor(limits: Partial<DirectoryLimits> = {}, parts: DirectoryRigParts = {}) {
    const { clock = new ManualClock(), epoch = 1, framesMax, follow } = parts;
    const { disk = readyLogDisk(7, 10_000, clock) } = parts;
    const { defer = (callback) => this.#defer(callback) } = parts;
    this.clock = clock;
    const schedule = (run: () => void): void => void this.#commits.push(run);
    const log = new MemoryDirectoryLog(disk, epoch, schedule, framesMax);
    this.log = log;
    this.clock = clock;
    this.directory = new Directory({
      cluster: "test",
      log,
      clock: this.clock,
      logger: silentLogger,
      metrics: this.metrics,
      limits,
      ...(follow && { follow }),
      onFatal: ({ code }) => {
        this.fatal = code;
      },
      defer,
    });
    this.directory.start();
  }

  readonly log: MemoryDirectoryLog;

  /** Finishes every commit that is under way, and the turn after it. */
  commit(): void {
    const commits = this.#commits;
    this.#commits = [];
    this.#deferred = [];
    for (const commit of commits) commit();
    // What is committed together is told together, in the next turn.
    for (const deferred of this.#deferred) deferred();
  }

  #defer(callback: () => void): void {
    let isDue = true;
    const once = (): void => {
      if (isDue) callback();
      isDue = false;
    };
    this.#deferred.push(once);
    this.clock.after(0, once);
  }

  connect(): TestLink {
    const link = new TestLink();
    link.events = this.directory.accept(link, "10.0.0.9");
    return link;
  }

  /** Connects a node that has greeted. */
  join(nodeId: string, incarnation: number, hello: HelloParts = {}): TestLink {
    const link = this.connect();
    link.say(this.hello(nodeId, incarnation, hello));
    return link;
  }

  hello(nodeId: string, incarnation: number, { cursor, ...hello }: HelloParts = {}): Hello {
    return {
      type: "hello",
      ...capabilities(OWN_FRAMES),
      cluster: "test",
      nodeId,
      region: nodeId,
      incarnation,
      ip: null,
      port: 7_401,
      url: null,
      lat: 0,
      lon: 0,
      status: "ready",
      cursors: cursor === undefined ? [] : [cursor],
      home: cursor ?? null,
      outboxThrough: 0,
      outboxAcknowledged: 0,
      admittedTime: 0,
      horizon: 0,
      nowMs: this.clock.nowMs(),
      ...hello,
    };
  }

  beat(link: TestLink, appliedThrough = 0, lowestTime = 0): void {
    link.say({
      type: "heartbeat",
      nowMs: this.clock.nowMs(),
      status: "ready",
      appliedThrough,
      outboxPending: 0,
      lowestTime,
      lagMs: 0,
      load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
    });
  }

  entry(key: string, aheadMs = 0, size = 4): Entry {
    const time = stampTimeOf(this.clock.nowMs() + aheadMs);
    const value = new Uint8Array(size).fill(65);
    const stamp = { time, origin: 5 };
    return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
  }

  /** Sends a frame of a node's outbox. */
  submit(
    link: TestLink,
    incarnation: number,
    position: number,
    entries: readonly Entry[],
    header: Partial<FrameHeader> = {},
  ): void {
    const sentAtMs = this.clock.nowMs();
    const frame = frameWith({ sentAtMs, incarnation, position, ...header }, entries);
    link.events?.onMessage(frame);
  }
}
