/**
 * Server-sent events (HTML Living Standard, section 9.2): answers that go on. All streams of a program share one timer, which sends the
 * comments by which both ends see that the other is there, and looks who reads nothing and whose token has expired.
 */
import type { ServerResponse } from "node:http";

import { MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Counter, Metrics } from "@meridian/runtime";

/** How streams are made. */
export interface EventStreamsOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Default: 5 000. */
  readonly streamsMax?: number;
}

const STREAMS_MAX = 5_000;

/** How often a comment is sent, in milliseconds. */
const HEARTBEAT_MS = 15_000;

/** A client that leaves so much unread is told no more until it has read, in bytes; one that moves nothing for two heartbeats is cut. */
const UNREAD_BYTES = 256 * 1024;

/** How long a stream goes on behind the expiry of its token: as long as another would be let in with it, because clocks differ. */
const TOLERANCE_MS = 10_000;

/** What a stream is told of its client. */
export interface StreamEvents {
  /** The client reads again. */
  readonly onDrain?: () => void;
  /** The client is gone. */
  readonly onGone: () => void;
}

/** The streams of a program. */
export class EventStreams {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #streams = new Set<EventStream>();
  readonly #cuts: Counter;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor({ clock, metrics, streamsMax = STREAMS_MAX }: EventStreamsOptions) {
    this.#clock = clock;
    this.#max = streamsMax;
    this.#cuts = metrics.counter(
      "meridian_event_stream_cuts_total",
      "Streams of events that were cut because the client read nothing.",
    );
    metrics.level(() => [{ name: "eventStreams", now: this.#streams.size, max: this.#max }]);
  }

  /** Throws `OVERLOADED` where there are too many streams, and `NODE_DRAINING` in a program that stops. */
  check(): void {
    if (this.#isClosed) throw new MeridianError("NODE_DRAINING", "The program is shutting down");
    const [now, max] = [this.#streams.size + 1, this.#max];
    if (now <= max) return;
    const said = `Expected at most ${max} streams of events, got ${now}`;
    throw new MeridianError("OVERLOADED", said, { details: { now, max } });
  }

  /** Makes a stream of an answer whose head has been written. */
  open(
    outgoing: ServerResponse,
    principal: Principal | undefined,
    events: StreamEvents,
  ): EventStream {
    const stream = new EventStream(outgoing, principal, events);
    this.#streams.add(stream);
    outgoing.once("close", () => this.#streams.delete(stream));
    if (this.#isClosed) stream.end();
    else this.#cancel ??= this.#clock.after(HEARTBEAT_MS, () => this.#beat());
    return stream;
  }

  /** Ends all streams, and opens no more. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    for (const stream of this.#streams) stream.end();
  }

  #beat(): void {
    this.#cancel = undefined;
    const nowMs = this.#clock.nowMs();
    for (const stream of this.#streams) {
      if (!stream.beat(nowMs - TOLERANCE_MS)) this.#cuts.add();
    }
    if (this.#streams.size === 0 || this.#isClosed) return;
    this.#cancel = this.#clock.after(HEARTBEAT_MS, () => this.#beat());
  }
}

/** One answer that goes on. */
export class EventStream {
  readonly #outgoing: ServerResponse;
  readonly #principal: Principal | undefined;
  /** What had left when it was last looked. */
  #seenBytes = 0;

  constructor(outgoing: ServerResponse, principal: Principal | undefined, events: StreamEvents) {
    this.#outgoing = outgoing;
    this.#principal = principal;
    const { onDrain = () => {}, onGone } = events;
    outgoing.on("drain", onDrain);
    outgoing.once("close", onGone);
    // A browser asks again a second after the stream has ended.
    outgoing.write("retry: 1000\n\n");
  }

  /** Whether the client reads what it is sent. */
  get isOpen(): boolean {
    return !this.#outgoing.destroyed && this.#outgoing.writableLength < UNREAD_BYTES;
  }

  /** Sends an event. `id` comes back as `Last-Event-ID`; `json` has no line breaks. Without a name and data, only the id is noted. */
  send(id: string | undefined, name?: string, json?: string): void {
    if (this.#outgoing.destroyed || this.#outgoing.writableEnded) return;
    const noted = id === undefined ? "" : `id: ${id}\n`;
    const told = name === undefined ? "" : `event: ${name}\ndata: ${json ?? "{}"}\n`;
    this.#outgoing.write(`${noted}${told}\n`);
  }

  /** Shows the client that the stream is there; ends it if its token has expired by then. Returns false where it had to be cut. */
  beat(expiredByMs: number): boolean {
    if (this.#principal !== undefined && this.#principal.expiresAtMs <= expiredByMs) this.end();
    if (this.#outgoing.writableEnded || this.#outgoing.destroyed) return true;
    const { socket } = this.#outgoing;
    const leftBytes = socket === null ? 0 : socket.bytesWritten - socket.writableLength;
    const hasMoved = leftBytes !== this.#seenBytes;
    this.#seenBytes = leftBytes;
    if (this.isOpen) this.#outgoing.write(":\n\n");
    else if (!hasMoved) {
      this.#outgoing.destroy();
      return false;
    }
    return true;
  }

  /** Ends the answer. */
  end(): void {
    if (!this.#outgoing.writableEnded) this.#outgoing.end();
  }
}
