/**
 * One WebSocket as a replication link.
 *
 * Whatever the socket does, the owner may rely on this: `onOpen` comes first, `onClose` comes once and last, no message comes after
 * `close`, and no callback runs inside a call of the owner. An error that a callback throws never reaches the socket: it closes the
 * link with the close code of that error.
 *
 * Messages that are sent while one callback runs, or while one chunk from the network is handled, leave in one write. Otherwise a burst
 * of small frames would cost one system call each.
 */
import type { Duplex } from "node:stream";

import {
  asMeridianError,
  closeCodeOf,
  connectionFailure,
  errorOfCloseCode,
  MESSAGE_BYTES_MAX,
  MeridianError,
  TEXT_BYTES_MAX,
  type ErrorCode,
} from "@meridian/protocol";
import { PART_BYTES, type Link, type LinkEvents } from "@meridian/ports";
import { systemClock, type Clock, type Logger } from "@meridian/runtime";
import type { ClientOptions, WebSocket } from "ws";

import { Inbox, type Arrived } from "./inbox.ts";
import { FAULTS, type LinkCuts } from "./link-cuts.ts";
import type { CountedLink, LinkAccount, LinkBytes } from "./link-bytes.ts";
import { ReadTurns, Share, type TurnTaker } from "./read-turns.ts";
import { isReadInPlace } from "./reads-in-place.ts";
import { isBetweenMessages, SmallFrames, wholeMessages } from "./small-frames.ts";

/** A link whose owner can hold back what the peer sends. */
export interface WebSocketLink extends Link {
  /** Stops reading until `resume`: what the peer sends waits on the peer's side. */
  pause(): void;
  resume(): void;
}

/** The options of a link. */
export interface LinkOptions {
  /** Told of errors that close the link. */
  readonly logger: Logger;
  /** Tells how long handling a message takes. Default: the system's. */
  readonly clock?: Pick<Clock, "elapsedMs">;
  /** See `onDrain`. It must not be above the bound at which the owner stops sending. Default: 1 MiB. */
  readonly drainBytes?: number;
  /** Counts and logs the links that this end ends. Default: the link logs each end itself. */
  readonly cuts?: LinkCuts;
}

/** The options of a link that shares its thread and memory with others. */
export interface SharedLinkOptions extends LinkOptions {
  /** The queue in which links wait to be read. Default: one for this link alone. */
  readonly turns?: ReadTurns;
  /** The bound on the bytes that are held for all links together. */
  readonly bytes?: LinkBytes;
  readonly watch?: LinkWatch;
}

/** What the acceptor of a link hears about it. */
export interface LinkWatch {
  /** This end has sent its first message. */
  answered(): void;
  /** This end has ended the link with that code. */
  parted(code: ErrorCode): void;
}

/** The credentials of the end that dials, and the authorities (`ca`) that it trusts over TLS: without a `ca`, those of the platform. */
export type DialCredentials = Pick<ClientOptions, "ca" | "cert" | "key" | "minVersion" | "headers">;

/** The options of both ends' sockets. They do not compress: values are mostly compressed already or small, and latency counts. */
export const SOCKET_OPTIONS: Readonly<
  Required<Pick<ClientOptions, "autoPong" | "maxPayload" | "perMessageDeflate">> & {
    closeTimeout: number;
  }
> = {
  /** The link counts pings and answers them in turn. */
  autoPong: false,
  maxPayload: MESSAGE_BYTES_MAX,
  perMessageDeflate: false,
  /** How long a peer may take to answer a close frame before the connection is cut, in milliseconds. */
  closeTimeout: 2_000,
};

/**
 * The most bytes that may wait on one link, whatever its owner does: a peer that keeps asking and never reads is cut off. The bound lies
 * one message of the largest size above the bounds at which owners stop sending.
 */
export const LINK_BYTES_MAX: number = MESSAGE_BYTES_MAX + 16 * 1024 * 1024;

const DRAIN_BYTES_DEFAULT = 1024 * 1024;
/** The size of a ping's header, in bytes. */
const CONTROL_HEAD_BYTES = 6;

/** How many pings and pongs may come between two messages. */
const PINGS_MAX = 128;

const CLOSED_ABNORMALLY = 1006;
const REASON_BYTES_MAX = 123;
const BINARY = { binary: true } as const;
const TEXT = { binary: false } as const;

/** The close code and reason of a link. */
interface Ended {
  readonly code: number;
  readonly reason: string;
}

/** A WebSocket that a server has accepted, and the connection under it. */
export interface AcceptedSocket {
  readonly socket: WebSocket;
  readonly wire: Duplex;
}

/**
 * Makes a link of a socket that a server has accepted. `makeEvents` is called at once with the link; `onOpen`
 * follows before this function returns. If `makeEvents` throws, the link closes with the code of that error.
 */
export function acceptLink(
  { socket, wire }: AcceptedSocket,
  makeEvents: (link: WebSocketLink) => LinkEvents,
  options: SharedLinkOptions,
): SocketLink {
  const link = new SocketLink(socket, options, false);
  link.wire = wire;
  link.attach(() => makeEvents(link));
  link.open();
  return link;
}

/** A link over a socket that may still be connecting. For this package only. */
export class SocketLink implements WebSocketLink, TurnTaker, CountedLink {
  readonly #socket: WebSocket;
  readonly #isClient: boolean;
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "elapsedMs">;
  readonly #drainBytes: number;
  /** The connection under the socket, once there is one. */
  wire: Duplex | undefined;
  /** Whether sent messages are collected until the current callback or chunk is done. */
  #corked = false;
  #events: LinkEvents | undefined;
  /** Whether `bufferedBytes` has been above `drainBytes` since `onDrain` was last called. */
  #full = false;
  /** The code and reason with which the owner closed the link. */
  #closing: Ended | undefined;
  /** The code and reason with which the connection ended. */
  #ended: Ended | undefined;
  #failure = "";
  readonly #watch: LinkWatch | undefined;
  #hasAnswered = false;
  readonly #account: LinkAccount | undefined;
  /** Writes small messages; undefined until the link is open. */
  #small: SmallFrames | undefined;
  readonly #cuts: LinkCuts | undefined;
  readonly #turns: ReadTurns;
  readonly #share = new Share();
  /** Messages that wait for the turn of this link. */
  readonly #inbox = new Inbox();
  /** Whether the link waits for its turn, and whether its owner holds it back. */
  #isWaiting = false;
  #isPaused = false;
  /** Pings and pongs since the last message. */
  #pings = 0;
  /** Bytes that have come since the last message or part, and whether a message has come with the last of them. */
  #partBytes = 0;
  #isWhole = false;

  /** `isClient`: this end has dialled. */
  constructor(socket: WebSocket, options: SharedLinkOptions, isClient: boolean) {
    this.#socket = socket;
    this.#isClient = isClient;
    this.#logger = options.logger;
    this.#clock = options.clock ?? systemClock;
    this.#drainBytes = options.drainBytes ?? DRAIN_BYTES_DEFAULT;
    this.#turns = options.turns ?? new ReadTurns();
    this.#watch = options.watch;
    this.#cuts = options.cuts;
    this.#account = options.bytes?.follow(this);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount + (this.#small?.bytes ?? 0);
  }

  get waitingBytes(): number {
    return this.#inbox.bytes;
  }

  attach(makeEvents: () => LinkEvents): void {
    this.#socket.on("message", (data, isBinary) => {
      this.#take({ bytes: plainView(data as Buffer), isBinary });
    });
    this.#socket.on("ping", (data) => this.#onPing(data));
    this.#socket.on("pong", () => this.#countPing());
    this.#socket.on("error", (error) => {
      this.#failure ||= connectionFailure(error).message;
    });
    this.#socket.on("close", (code, reason) => this.#end(code, reason.toString()));
    try {
      this.#events = makeEvents();
    } catch (cause) {
      this.#fail(asMeridianError(cause));
    }
  }

  /** Sets why the link will not open, in place of the platform's reason. */
  explain(why: string): void {
    this.#failure = why;
  }

  open(): void {
    const { wire } = this;
    if (wire !== undefined) {
      this.#small = new SmallFrames(wire, this.#isClient, this.#onSent);
      if (isReadInPlace(wire)) wire.onRead = (bytes) => this.#readInPlace(bytes);
    }
    // This listener runs before the socket parses the chunk into messages.
    this.wire?.prependListener("data", (chunk: Uint8Array) => {
      this.#account?.arrived(chunk.byteLength);
    });
    this.wire?.on("data", (chunk: Uint8Array) => this.#countRead(chunk.byteLength));
    this.#guard((events) => events.onOpen());
  }

  /** Takes what was read, if it is made of whole messages. */
  #readInPlace(bytes: Buffer): boolean {
    if (this.#isHeldBack || !isBetweenMessages(this.#socket)) return false;
    const messages = wholeMessages(bytes, !this.#isClient);
    if (messages === undefined) return false;
    this.#account?.arrived(bytes.byteLength);
    for (const message of messages) this.#take(message);
    this.#countRead(bytes.byteLength);
    return true;
  }

  #countRead(bytes: number): void {
    this.#share.addBytes(bytes);
    if (this.#share.isUsedUp) this.#wait();
    this.#countPart(bytes);
  }

  send(message: string | Uint8Array): void {
    const socket = this.#socket;
    if (this.#closing !== undefined || socket.readyState !== socket.OPEN) return;
    if (!this.#hasAnswered) this.#watch?.answered();
    this.#hasAnswered = true;
    const before = this.bufferedBytes;
    // What waits for an uncorked connection must not be overtaken.
    if (!this.#corked && this.#small?.add(message) === true) return this.#countBuffered(before);
    this.#small?.flush();
    this.#cork();
    const format = typeof message === "string" ? TEXT : BINARY;
    socket.send(message, format, this.#onSentOf(message));
    this.#countBuffered(before);
  }

  /** Returns the function to call once a message has left. */
  #onSentOf(message: string | Uint8Array): (error?: Error | null) => void {
    const hasLeft = this.#account?.sends(message);
    if (hasLeft === undefined) return this.#onSent;
    return (error) => {
      hasLeft();
      this.#onSent(error);
    };
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isWaiting) this.#readOn();
  }

  takeTurn(): void {
    this.#isWaiting = false;
    this.#share.renew();
    if (!this.#isPaused) this.#readOn();
  }

  /** Stops reading until it is the turn of this link. */
  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#socket.pause();
    this.#turns.wait(this);
  }

  /** Hands on the messages that wait, and reads more, until the share of this turn is used up. */
  #readOn(): void {
    while (!this.#isHeldBack && !this.#inbox.isEmpty) this.#deliver(this.#inbox.take());
    if (this.#isHeldBack) return;
    if (this.#ended !== undefined) this.#finish(this.#ended);
    else this.#socket.resume();
  }

  get #isHeldBack(): boolean {
    return this.#isPaused || this.#isWaiting;
  }

  close(code: number, reason: string): void {
    if (this.#closing !== undefined) return;
    const cut = cutReason(reason);
    this.#small?.flush();
    this.#closing = { code, reason: cut };
    this.#socket.close(code, cut);
    const error = errorOfCloseCode(code);
    if (error !== undefined) this.#part(error, reason);
  }

  /** Ends the link at once, without a close frame, which the peer would not read. */
  cut(error: MeridianError): void {
    if (this.#closing !== undefined) return;
    this.#closing = { code: closeCodeOf(error.code), reason: error.message };
    if (this.#cuts === undefined) {
      this.#logger.warn("A replication link was cut", { code: error.code, error: error.message });
    }
    this.#socket.terminate();
    this.#part(error.code, error.message);
  }

  /** Logs that this end has ended the link. Of an expired lease, the owner logs more. */
  #part(code: ErrorCode, error: string): void {
    this.#watch?.parted(code);
    if (FAULTS.has(code) && code !== "LEASE_EXPIRED") this.#cuts?.tell(code, { error });
    else this.#cuts?.count(code);
  }

  #cork(): void {
    const { wire } = this;
    if (this.#corked || wire === undefined) return;
    this.#corked = true;
    wire.cork();
    process.nextTick(() => {
      this.#corked = false;
      wire.uncork();
    });
  }

  /** Counts the bytes that a write has added to those that waited before. */
  #countBuffered(before: number): void {
    const bytes = this.bufferedBytes;
    if (bytes > this.#drainBytes) this.#full = true;
    this.#account?.sent(bytes - before);
    if (bytes <= LINK_BYTES_MAX) return;
    const said = `Expected at most ${LINK_BYTES_MAX} bytes waiting on a link, got ${bytes}`;
    this.cut(new MeridianError("OVERLOADED", said));
  }

  readonly #onSent = (error?: Error | null): void => {
    if (!this.#full || error || this.#closing !== undefined) return;
    if (this.bufferedBytes > this.#drainBytes / 4) return;
    this.#full = false;
    this.#guard((events) => events.onDrain());
  };

  /** Counts bytes that have come, unless they have made a message whole. */
  #countPart(bytes: number): void {
    this.#partBytes = this.#isWhole ? 0 : this.#partBytes + bytes;
    this.#isWhole = false;
    if (this.#partBytes < PART_BYTES || this.#closing !== undefined) return;
    this.#partBytes = 0;
    this.#guard((events) => events.onPart());
  }

  /** A message has arrived. */
  #take(message: Arrived): void {
    this.#isWhole = true;
    this.#pings = 0;
    this.#account?.completed();
    if (this.#closing !== undefined) return;
    if (this.#isHeldBack) this.#inbox.add(message);
    else this.#deliver(message);
  }

  #deliver(message: Arrived | undefined): void {
    if (message === undefined || this.#closing !== undefined) return;
    const { bytes, isBinary } = message;
    // Larger messages are frames. A larger text would be refused by its reader, and is not decoded.
    if (!isBinary && bytes.byteLength > TEXT_BYTES_MAX) {
      const said = `Expected text of at most ${TEXT_BYTES_MAX} bytes, got ${bytes.byteLength}`;
      return this.#fail(new MeridianError("MALFORMED_MESSAGE", said));
    }
    const content = isBinary
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
    const startedMs = this.#clock.elapsedMs();
    this.#guard((events) => events.onMessage(content));
    this.#share.addMessage(bytes.byteLength, this.#clock.elapsedMs() - startedMs);
    if (this.#share.isUsedUp) this.#wait();
  }

  #onPing(data: Buffer): void {
    this.#countPing();
    const socket = this.#socket;
    if (this.#closing !== undefined || socket.readyState !== socket.OPEN) return;
    this.#account?.passed(data.byteLength + CONTROL_HEAD_BYTES);
    const before = this.bufferedBytes;
    this.#small?.flush();
    this.#cork();
    socket.pong(data);
    this.#countBuffered(before);
  }

  #countPing(): void {
    if (this.#closing !== undefined) return;
    this.#pings += 1;
    this.#share.addMessage(0);
    if (this.#share.isUsedUp) this.#wait();
    if (this.#pings <= PINGS_MAX) return;
    const said = `Expected at most ${PINGS_MAX} pings and pongs between two messages, got one more`;
    this.#fail(new MeridianError("MALFORMED_MESSAGE", said));
  }

  /** The connection is gone. Messages that came over it are still handed on. */
  #end(code: number, reason: string): void {
    this.#ended = { code, reason };
    if (this.#closing !== undefined) this.#inbox.clear();
    if (this.#inbox.isEmpty) this.#finish(this.#ended);
    // The owner of a paused link learns of the end only after it has got the remaining messages.
    else if (!this.#isWaiting) this.resume();
  }

  #finish({ code, reason }: Ended): void {
    const closed = this.#closing ?? {
      code,
      reason: reason === "" && code === CLOSED_ABNORMALLY ? this.#failure : reason,
    };
    this.#closing = closed;
    this.#turns.leave(this);
    this.#account?.end();
    this.#guard((events) => events.onClose(closed.code, closed.reason));
    this.#events = undefined;
  }

  #guard(callback: (events: LinkEvents) => void): void {
    if (this.#events === undefined) return;
    try {
      callback(this.#events);
    } catch (cause) {
      this.#fail(asMeridianError(cause));
    }
  }

  #fail(error: MeridianError): void {
    const fields = { code: error.code, error: error.message };
    if (error.code === "INTERNAL") {
      const { cause } = error;
      this.#logger.error("A replication link failed", {
        ...fields,
        stack: cause instanceof Error ? cause.stack : error.stack,
      });
    } else if (this.#cuts === undefined) {
      this.#logger.warn("A replication link was closed because of what came over it", fields);
    }
    this.close(closeCodeOf(error.code), error.message);
  }
}

/** A plain view, not the Buffer itself: the `slice` of a Buffer shares memory where that of an array copies. */
function plainView({ buffer, byteOffset, byteLength }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The longest beginning of `reason` that fits in a close frame and ends between characters. */
function cutReason(reason: string): string {
  if (Buffer.byteLength(reason) <= REASON_BYTES_MAX) return reason;
  const bytes = Buffer.from(reason).subarray(0, REASON_BYTES_MAX);
  return new TextDecoder().decode(bytes, { stream: true });
}
