/**
 * One end of a link of a node that is passed on between two directories.
 *
 * The wire loses packets when a connection breaks, so packets are counted, and a gap ends the link: the node connects again, and goes on where it
 * stands. What the other end has not taken counts as buffered, so whoever sends keeps to the pace at which the node reads, as on any link.
 *
 * Invariant: taken by the other end ≤ sent; what is buffered is what is between.
 */
import type { UplinkLink } from "@meridian/ports";
import { asMeridianError, closeCodeOf, MESSAGE_BYTES_MAX } from "@meridian/protocol";
import { Fifo } from "@meridian/runtime";

import {
  decodeClose,
  encodeClose,
  PACKET,
  RELAY_PART_BYTES,
  type RelayPacket,
} from "./relay-packets.ts";

/** How one end of a link is made. */
export interface RelayLinkOptions {
  /** Sends a packet of this link. */
  readonly send: (packet: Omit<RelayPacket, "link" | "committedThrough">) => void;
  /** What the end hears. */
  readonly hears: RelayLinkEvents;
  /** The link is over: no packet of it is to be received any more. */
  readonly onOver: () => void;
  /** How many packets one end sends at most. Default: as many as have numbers. */
  readonly packetsMax?: number;
}

/** What one end of a link hears. */
interface RelayLinkEvents {
  message(message: string | Uint8Array, committedThrough: number): void;
  /** A part of a large message has come, or the sign that the node is there. */
  part(): void;
  drain(): void;
  /** Where the feed of the node starts, encoded. */
  feed(data: Uint8Array, committedThrough: number): void;
  /** Called once, last. `isLost`: packets are missing, or the other directory is. */
  close(code: number, reason: string, isLost: boolean): void;
}

/** As on a WebSocket: the largest message, and what may wait before it. */
const BUFFERED_BYTES_MAX: number = MESSAGE_BYTES_MAX + 16 * 1024 * 1024;

/** Below this, who waits for room may go on. */
const DRAINED_BYTES = 1024 * 1024;

/** So many bytes are taken before the other end is told so by a packet of its own. */
const TELL_BYTES = 64 * 1024;

/** What a message takes beside its bytes, so that empty ones are bounded, too. */
const PACKET_COST = 64;

/** The last number is for the packet that closes the link. At a thousand packets a second they last for seven weeks. */
const PACKETS_MAX: number = 2 ** 32 - 2;

/** "Try again later": nobody has closed the link. */
export const LOST_CODE = 1013;

const NONE = new Uint8Array(0);

/** One end of a link. */
export class RelayLink implements UplinkLink {
  readonly #options: RelayLinkOptions;
  readonly #waiting = new Fifo<{ readonly number: number; readonly bytes: number }>();
  #sent = 0;
  #received = 0;
  /** What the other end has been told to be taken. Invariant: ≤ received. */
  #told = 0;
  #untoldBytes = 0;
  #isPaused = false;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #bufferedBytes = 0;
  /** Nothing is sent or taken any more. */
  #isClosed = false;
  #isOver = false;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  send(message: string | Uint8Array): void {
    const isText = typeof message === "string";
    const bytes = isText ? Buffer.from(message) : message;
    for (let start = 0; ;) {
      const end = Math.min(start + RELAY_PART_BYTES, bytes.byteLength);
      const isLast = end === bytes.byteLength;
      const kind = isText ? PACKET.text : PACKET.binary;
      this.sendPacket(isLast ? kind : PACKET.part, bytes.subarray(start, end));
      if (isLast) return;
      start = end;
    }
  }

  alive(): void {
    this.sendPacket(PACKET.alive);
  }

  /** Sends one packet. */
  sendPacket(kind: RelayPacket["kind"], data: Uint8Array = NONE): void {
    if (this.#isClosed) return;
    if (this.#sent >= (this.#options.packetsMax ?? PACKETS_MAX)) return this.#exhaust();
    this.#sent += 1;
    const bytes = PACKET_COST + data.byteLength;
    this.#waiting.push({ number: this.#sent, bytes });
    this.#bufferedBytes += bytes;
    this.#options.send({ kind, number: this.#sent, taken: this.#taken(), data });
    if (this.#bufferedBytes <= BUFFERED_BYTES_MAX) return;
    const said = `Expected at most ${BUFFERED_BYTES_MAX} bytes waiting on a link, got ${this.#bufferedBytes}`;
    this.close(closeCodeOf("OVERLOADED"), said);
  }

  close(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#sendClose(code, reason);
    // Its owner may be in the midst of something.
    queueMicrotask(() => this.#end(code, reason, false));
  }

  /** There are no numbers left for packets. The node connects again, and goes on where it stands. */
  #exhaust(): void {
    const said = `A link has had all of its ${this.#sent} packets`;
    this.#sendClose(LOST_CODE, said);
    queueMicrotask(() => this.lose(said));
  }

  /** The other directory is gone. */
  lose(reason: string): void {
    this.#end(LOST_CODE, reason, true);
  }

  /** Takes a packet of this link. */
  receive(packet: RelayPacket): void {
    if (this.#isClosed) return;
    if (this.#confirm(packet.taken)) this.#guard(() => this.#options.hears.drain());
    if (packet.kind === PACKET.taken || this.#isClosed) return;
    if (packet.number !== this.#received + 1) {
      const said = `Expected packet ${this.#received + 1} between two directories, got ${packet.number}`;
      this.#sendClose(LOST_CODE, said);
      return this.lose(said);
    }
    this.#received = packet.number;
    this.#untoldBytes += PACKET_COST + packet.data.byteLength;
    this.#guard(() => this.#take(packet));
    if (this.#untoldBytes >= TELL_BYTES) this.#tell();
  }

  pause(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (this.#untoldBytes > 0) this.#tell();
  }

  #tell(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#options.send({ kind: PACKET.taken, number: 0, taken: this.#taken(), data: NONE });
  }

  /** What the other end is told to be taken now. */
  #taken(): number {
    if (this.#isPaused) return this.#told;
    this.#told = this.#received;
    this.#untoldBytes = 0;
    return this.#told;
  }

  /** What its owner throws ends the link. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (cause) {
      const { code, message } = asMeridianError(cause);
      this.close(closeCodeOf(code), message);
    }
  }

  #sendClose(code: number, reason: string): void {
    this.#isClosed = true;
    const data = encodeClose(code, reason);
    const number = this.#sent + 1;
    this.#options.send({ kind: PACKET.close, number, taken: this.#taken(), data });
  }

  #take(packet: RelayPacket): void {
    const { kind, data, committedThrough } = packet;
    const { hears } = this.#options;
    switch (kind) {
      case PACKET.part:
        this.#partBytes += data.byteLength;
        if (this.#partBytes > MESSAGE_BYTES_MAX) {
          const said = `Expected a message of at most ${MESSAGE_BYTES_MAX} bytes, got more`;
          return this.close(closeCodeOf("MALFORMED_MESSAGE"), said);
        }
        this.#parts.push(data);
        return hears.part();
      case PACKET.alive:
        return hears.part();
      case PACKET.text:
        return hears.message(Buffer.from(this.#whole(data)).toString(), committedThrough);
      case PACKET.binary:
        // It is read and written in place, so it must begin its own buffer.
        return hears.message(new Uint8Array(this.#whole(data)), committedThrough);
      case PACKET.close: {
        const { code, reason } = decodeClose(data) ?? { code: LOST_CODE, reason: "" };
        return this.#end(code, reason, code === LOST_CODE);
      }
      case PACKET.feed:
        return hears.feed(data, committedThrough);
      case PACKET.open:
      case PACKET.taken:
      case PACKET.ping:
      case PACKET.registry:
      case PACKET.ask:
      case PACKET.answer:
        // They are none of a link that is open.
        return;
    }
  }

  #whole(last: Uint8Array): Uint8Array {
    if (this.#parts.length === 0) return last;
    const whole = Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#partBytes = 0;
    return whole;
  }

  /** Returns whether there is room again. */
  #confirm(taken: number): boolean {
    const before = this.#bufferedBytes;
    for (let first = this.#waiting.at(0); first !== undefined && first.number <= taken;) {
      this.#bufferedBytes -= first.bytes;
      this.#waiting.shift();
      first = this.#waiting.at(0);
    }
    return before > DRAINED_BYTES && this.#bufferedBytes <= DRAINED_BYTES;
  }

  #end(code: number, reason: string, isLost: boolean): void {
    this.#isClosed = true;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onOver();
    this.#options.hears.close(code, reason, isLost);
  }
}
