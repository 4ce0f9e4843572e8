/**
 * Server-sent events (HTML Living Standard, section 9.2): answers that go on. All streams of a program share one timer. It sends comments, by which
 * both ends see that the other one is there, and ends the streams of clients that read nothing or whose token has expired.
 */
import type { ServerResponse } from "node:http";

import { MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Counter, Metrics } from "@meridian/runtime";

import { writePart } from "./answer-body.ts";
import { inTurns } from "./in-turns.ts";

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

/** How many streams are written to in one turn of the event loop. */
const STREAMS_PER_TURN = 64;

/** How many characters of an event are written in one turn, to all streams together. */
const LENGTH_PER_TURN = 1024 * 1024;

/** A client that leaves so many bytes unread gets no more events until it has read; one that reads nothing for two heartbeats is cut. */
const UNREAD_BYTES = 256 * 1024;

/**
 * How long a stream goes on after its token has expired, in milliseconds: clocks differ, and a new request with the token would be accepted for as
 * long.
 */
const TOLERANCE_MS = 10_000;

/** What a stream tells its owner about the client. */
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
    this.#beatLater();
    return stream;
  }

  /** Ends all streams, and opens no more. Resolves once all have been ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await inTurns(this.#streams, STREAMS_PER_TURN, (stream) => stream.end());
  }

  #beat(): void {
    this.#cancel = undefined;
    if (this.#streams.size > 0) this.#beatLater();
    const expiredByMs = this.#clock.nowMs() - TOLERANCE_MS;
    void inTurns(this.#streams, STREAMS_PER_TURN, (stream) => {
      if (!stream.beat(expiredByMs)) this.#cuts.add();
    });
  }

  #beatLater(): void {
    if (!this.#isClosed) this.#cancel ??= this.#clock.after(HEARTBEAT_MS, () => this.#beat());
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
    writePart(outgoing, "retry: 1000\n\n");
  }

  /** Whether the client reads what it is sent. */
  get isOpen(): boolean {
    return !this.#outgoing.destroyed && this.#outgoing.writableLength < UNREAD_BYTES;
  }

  /** Sends events: the texts of one or more, one behind the other. */
  send(text: string): void {
    if (this.#outgoing.destroyed || this.#outgoing.writableEnded) return;
    writePart(this.#outgoing, text);
  }

  /** Shows the client that the stream is there; ends it if its token has expired by then. Returns false where it had to be cut. */
  beat(expiredByMs: number): boolean {
    if (this.#principal !== undefined && this.#principal.expiresAtMs <= expiredByMs) this.end();
    if (this.#outgoing.writableEnded || this.#outgoing.destroyed) return true;
    const { socket } = this.#outgoing;
    const leftBytes = socket === null ? 0 : socket.bytesWritten - socket.writableLength;
    const hasMoved = leftBytes !== this.#seenBytes;
    this.#seenBytes = leftBytes;
    if (this.isOpen) writePart(this.#outgoing, ":\n\n");
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

/**
 * Sends an event to each of many streams, in as many turns of the event loop as its length asks for. A stream whose client does not read is
 * given to `onUnread` instead. Resolves once all have been sent it.
 */
export function sendInTurns(
  streams: Iterable<EventStream>,
  text: string,
  onUnread: (stream: EventStream) => void = () => {},
): Promise<void> {
  const perTurn = Math.min(STREAMS_PER_TURN, Math.ceil(LENGTH_PER_TURN / text.length));
  return inTurns(streams, perTurn, (stream) => {
    if (stream.isOpen) stream.send(text);
    else onUnread(stream);
  });
}

/** The text of an event whose data is JSON without line breaks. `id` comes back as `Last-Event-ID`. */
export function eventText(name: string, json: string, id?: string): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${json}\n\n`;
}

/** The text that makes a client note an id, without an event. */
export function idText(id: string): string {
  return `id: ${id}\n\n`;
}
