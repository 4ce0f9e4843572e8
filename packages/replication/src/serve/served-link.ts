/**
 * The link of a node at a directory that serves it beside the one that writes the log. What the node says goes to the writer, and what the writer
 * says comes back: greeting, outbox, comparison, members and questions are the writer's. Only the log itself does not pass through the writer: this
 * directory feeds the node from the stream.
 *
 * - What the writer says may refer to what it had committed. So it waits until that has come here, and is behind it on the link.
 * - A node lives on an answer to each heartbeat. If the writer owes one, this directory answers with what the writer has said last.
 * - If the way to the writer is lost, a node that has been taken in stays: it is fed and answered until there is a writer again. Then its link is closed, and it greets again and goes on where it stands.
 */
import type {
  DirectoryLog,
  FeedStart,
  Link,
  LinkEvents,
  Uplink,
  UplinkLink,
} from "@meridian/ports";
import {
  asMeridianError,
  closeCodeOf,
  decodeDirectoryMessage,
  decodeNodeMessage,
  EARLY,
  encodeMessage,
  GREETING_BYTES_MAX,
  MeridianError,
  TEXT_BYTES_MAX,
  type DirectoryMessage,
} from "@meridian/protocol";
import { Fifo, type Clock } from "@meridian/runtime";

import { Feed } from "../directory/feed.ts";
import type { DirectoryLimits } from "../limits.ts";
import type { OrderedFrame } from "../order/recent-frames.ts";
import { ALL_RULES } from "../rules.ts";
import type { SharedTurns } from "../shared-turns.ts";
import { PassingOutbox } from "./early-frames.ts";
import type { StreamFrames } from "./stream-frames.ts";

/** The directory that a link belongs to. */
export interface ServedLinkHost {
  readonly log: DirectoryLog;
  readonly frames: StreamFrames;
  readonly uplink: Uplink;
  readonly clock: Clock;
  readonly limits: DirectoryLimits;
  linkBytesMax(): number;
  /** Bytes of all nodes that are on their way to the writer. */
  sentBytes(): number;
  /** Shares turns of the event loop among the feeds of all links. */
  readonly turns: SharedTurns;
  /** Whether any other link takes what is not ordered yet. */
  takesEarly(from: ServedLink): boolean;
  /** Gives a frame that is not ordered yet to all other links. */
  giveEarly(from: ServedLink, bytes: Uint8Array): void;
  /** The link is over. */
  onOver(link: ServedLink): void;
}

type Echo = Extract<DirectoryMessage, { type: "echo" }>;

interface Held {
  readonly committedThrough: number;
  readonly bytes: number;
  readonly run: () => void;
}

/** What a message that asks for a decision has in it. */
const ASKS = /"type":"(?:propose|barrier)"/;

/** "Service restart": the node is to connect again, here. */
export const AGAIN_CODE = 1012;

/** As it stands at the begin of an encoded message of a directory. */
const ECHO = '{"type":"echo"';
const WELCOME = '{"type":"welcome"';

/** As it stands in every heartbeat, and perhaps in other messages. */
const HEARTBEAT = "heartbeat";

/** What is held back is bounded as what waits on a link is. */
const HELD_BYTES_MAX = 32 * 1024 * 1024;

/** One node's link, between the node and the writer. */
export class ServedLink {
  readonly #host: ServedLinkHost;
  readonly #node: Link;
  readonly #up: UplinkLink;
  readonly #held = new Fifo<Held>();
  #heldBytes = 0;
  #feed: Feed | undefined;
  #id: string | undefined;
  /** Whether the node takes frames that are not ordered yet. */
  #isEarlyAgreed = false;
  /** Says which frames of the node its neighbours get at once; undefined before it has greeted. */
  #outbox: PassingOutbox | undefined;
  #echo: Echo | undefined;
  /** By how much the wall time of the writer is ahead of elapsed time here; includes the way here. */
  #writerAheadMs = 0;
  /** Heartbeats that the writer has not answered. */
  #owed = 0;
  #isUp = true;
  #isOver = false;

  constructor(host: ServedLinkHost, node: Link, remoteAddress: string) {
    this.#host = host;
    this.#node = node;
    this.#up = host.uplink.open(
      {
        onMessage: (message, committedThrough) =>
          this.#hold(committedThrough, message.length, () => this.#pass(message)),
        onFeed: (start, committedThrough) =>
          this.#hold(committedThrough, 0, () => this.#startFeed(start)),
        onClose: (code, reason, isLost) => this.#onUpClosed(code, reason, isLost),
      },
      remoteAddress,
    );
  }

  /** The id of the node; undefined before it has greeted. */
  get id(): string | undefined {
    return this.#id;
  }

  get bufferedBytes(): number {
    return this.#node.bufferedBytes;
  }

  /** Bytes of the node that are on their way to the writer. */
  get sentBytes(): number {
    return this.#up.bufferedBytes;
  }

  /** Whether the writer has taken the node in, and is lost since. */
  get isOrphan(): boolean {
    return !this.#isUp;
  }

  /** Sequences that have come and were not yet sent to the node. */
  get unsent(): number {
    return this.#feed === undefined ? 0 : this.#host.frames.head - this.#feed.sentThrough;
  }

  /** What the node's end of the link hears. */
  get events(): LinkEvents {
    return {
      onOpen: () => {},
      onMessage: (message) => this.#guard(() => this.#onNodeMessage(message)),
      onPart: () => {
        if (this.#isUp) this.#up.alive();
      },
      onDrain: () => this.#onDrain(),
      onClose: (code, reason) => {
        this.#over();
        this.#up.close(code === 1006 ? AGAIN_CODE : code, reason);
      },
    };
  }

  /** Whether the node takes what is not ordered yet. One that is behind has enough to take. */
  get takesEarly(): boolean {
    const isLevel = this.#feed?.sentThrough === this.#host.frames.head;
    return this.#isEarlyAgreed && isLevel && this.#node.bufferedBytes < this.#host.linkBytesMax();
  }

  /** Sends a frame of a neighbour that is not ordered yet. */
  sendEarly(bytes: Uint8Array): void {
    this.#node.send(bytes);
  }

  /** A frame has come from the stream. What the writer has said behind it may go now. */
  push(frame: OrderedFrame): void {
    this.#feed?.push(frame);
    this.#release();
  }

  /** Ends the link: the node is to turn to another directory, or to connect again if `code` is `AGAIN_CODE`. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#over();
    this.#up.close(code, reason);
    this.#node.close(code, reason);
  }

  #onDrain(): void {
    this.#setPace();
    this.#feed?.pump();
  }

  /** Has the writer send on only while the node's link has room. */
  #setPace(): void {
    const { bufferedBytes } = this.#node;
    const bytesMax = this.#host.linkBytesMax();
    if (bufferedBytes >= bytesMax) this.#up.pause(true);
    else if (bufferedBytes <= bytesMax / 4) this.#up.pause(false);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.onOver(this);
  }

  #onNodeMessage(message: string | Uint8Array): void {
    if (this.#isOver) return;
    if (typeof message === "string") this.#look(message);
    else this.#giveEarly(message);
    // An orphan's writes stay in its outbox, and go to the next writer.
    if (!this.#isUp) {
      if (typeof message === "string") this.#leaveUndecided(message);
      return;
    }
    this.#up.send(message);
    const { nodeBytesMax } = this.#host.limits;
    const { bufferedBytes } = this.#up;
    if (bufferedBytes <= nodeBytesMax / 4) return;
    const isOver = bufferedBytes > nodeBytesMax + TEXT_BYTES_MAX;
    if (!isOver && this.#host.sentBytes() <= this.#host.limits.commitBytesMax) return;
    const said = `Expected at most ${nodeBytesMax} bytes on their way to the writer, and less with other nodes, got ${bufferedBytes}`;
    throw new MeridianError("OVERLOADED", said);
  }

  /** Gives a frame of the node to its neighbours, if the log is sure to take it in. A node that is not fed yet may have to compare first. */
  #giveEarly(bytes: Uint8Array): void {
    if (this.#feed === undefined) return;
    const early = this.#outbox?.pass(bytes, this.#host.takesEarly(this));
    if (early !== undefined) this.#host.giveEarly(this, early);
  }

  /**
   * Looks at the messages that mean something here. The others are for the writer, which says what is wrong with them, and may be of another
   * version than this directory. Throws what is wrong.
   */
  #look(text: string): void {
    const bytesMax = this.#id === undefined ? GREETING_BYTES_MAX : TEXT_BYTES_MAX;
    if (text.length > bytesMax) {
      const said = `Expected text of at most ${bytesMax} bytes, got ${text.length}`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    if (this.#id !== undefined && !text.includes(HEARTBEAT)) return;
    const message = decodeNodeMessage(text, bytesMax);
    if (message.type === "hello") {
      this.#id = message.nodeId;
      this.#outbox = new PassingOutbox(this.#host.log, message.incarnation);
    }
    if (message.type === "follow") {
      const said =
        "Expected a directory that follows to ask the one that writes, whose log this is";
      throw new MeridianError("SAME_LOG", said);
    }
    if (message.type !== "heartbeat") return;
    this.#onDrain();
    if (this.#owed > 0 || !this.#isUp) this.#answer(message.nowMs);
    this.#owed += 1;
  }

  /** Says for the writer, which is lost, that nobody decides. What it was asked before stays without an answer. */
  #leaveUndecided(text: string): void {
    if (!ASKS.test(text)) return;
    const message = decodeNodeMessage(text);
    if (message.type !== "propose" && message.type !== "barrier") return;
    const { id } = message;
    const nowMs = this.#host.clock.elapsedMs() + this.#writerAheadMs;
    const why = "No directory writes the stream of the log";
    const code = "CONDITIONS_UNAVAILABLE";
    const decision = { id, code, sequence: 0, time: 0, atMs: nowMs, why } as const;
    this.#node.send(encodeMessage({ type: "decided", nowMs, ...decision }));
  }

  /** Answers a heartbeat for the writer. */
  #answer(echoMs: number): void {
    if (this.#echo === undefined) return;
    // The echo tells the cluster's time by the writer's clock, not by the one of this machine.
    const nowMs = this.#host.clock.elapsedMs() + this.#writerAheadMs;
    const echo = { ...this.#echo, nowMs, echoMs };
    // A node that is told to hold back leaves soon. Another writer comes sooner than this one is missed.
    this.#node.send(encodeMessage(this.#ownHead(echo)));
  }

  /** The place in the log that this directory has reached stands for that of the writer. */
  #ownHead(echo: Echo): Echo {
    const { head, committedThrough } = this.#host.frames;
    return { ...echo, head, committedThrough };
  }

  #hold(committedThrough: number, bytes: number, run: () => void): void {
    if (this.#isOver) return;
    const { head } = this.#host.frames;
    if (this.#held.length === 0 && committedThrough <= head) return this.#guard(run);
    this.#heldBytes += bytes;
    this.#held.push({ committedThrough, bytes, run });
    if (this.#heldBytes <= HELD_BYTES_MAX) return;
    this.close(closeCodeOf("GOING_AWAY"), "The directory lags behind the stream of the log");
  }

  #release(): void {
    const { head } = this.#host.frames;
    for (let next = this.#held.at(0); next !== undefined && !this.#isOver;) {
      if (next.committedThrough > head) return;
      this.#held.shift();
      this.#heldBytes -= next.bytes;
      this.#guard(next.run);
      next = this.#held.at(0);
    }
  }

  /** Passes on what the writer has said. */
  #pass(message: string | Uint8Array): void {
    if (this.#isOver) return;
    if (typeof message === "string" && message.startsWith(ECHO)) {
      const echo = decodeDirectoryMessage(message);
      if (echo.type !== "echo") return;
      this.#echo = echo;
      this.#writerAheadMs = echo.nowMs - this.#host.clock.elapsedMs();
      this.#owed = Math.max(0, this.#owed - 1);
      this.#node.send(encodeMessage(this.#ownHead(echo)));
    } else {
      if (typeof message === "string" && message.startsWith(WELCOME)) this.#agree(message);
      this.#node.send(message);
      this.#setPace();
    }
  }

  #agree(text: string): void {
    const welcome = decodeDirectoryMessage(text);
    this.#isEarlyAgreed = welcome.type === "welcome" && welcome.features.includes(EARLY);
  }

  #startFeed(start: FeedStart): void {
    if (this.#isOver) return;
    const { log, frames, clock } = this.#host;
    if (start.after < log.purgedThrough) {
      // This directory was the writer once, and has forgotten more than the one that is it now.
      return this.close(
        closeCodeOf("GOING_AWAY"),
        "The directory has forgotten what the node lacks",
      );
    }
    const feed: Feed = new Feed({
      ...start,
      link: this.#node,
      log,
      sequencer: frames,
      // What the writer says is passed on without a look at the feed.
      tellsLater: false,
      linkBytesMax: () => this.#host.linkBytesMax(),
      rules: ALL_RULES,
      nowMs: () => clock.nowMs(),
      later: (callback) =>
        this.#host.turns.later(() => {
          if (!this.#isOver && this.#feed === feed) this.#guard(callback);
        }),
    });
    this.#feed = feed;
    feed.pump();
  }

  #onUpClosed(code: number, reason: string, isLost: boolean): void {
    this.#isUp = false;
    if (this.#isOver) return;
    // What the writer has said and is held back here was said by nobody.
    this.#held.takeAll();
    this.#heldBytes = 0;
    if (isLost && this.#echo !== undefined && !this.#host.uplink.isUp) return;
    this.#over();
    this.#node.close(isLost ? AGAIN_CODE : code, reason);
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (cause) {
      const { code, message } = asMeridianError(cause);
      this.close(closeCodeOf(code), message);
    }
  }
}
