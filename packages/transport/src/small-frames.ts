/**
 * Small WebSocket messages, each of them one frame (RFC 6455, section 5.2), without the streams and objects of `ws`. At a thousand messages a second those cost more
 * than what is done with a message.
 *
 * Only what is beyond doubt is read here: chunks that are made of whole messages and nothing else. Everything else is read by `ws`: control frames, messages in
 * several frames or chunks, and every error.
 */
import { isUtf8 } from "node:buffer";
import { randomFillSync } from "node:crypto";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

import { SmallArrays } from "@meridian/runtime";
import type { WebSocket } from "ws";

import type { Arrived } from "./inbox.ts";

/** The first byte of a whole message. */
const WHOLE_TEXT = 0x81;
const WHOLE_BINARY = 0x82;

/** The bit of the second byte that says that four bytes of a mask stand before the content, and how many they are. */
const MASKED = 0x80;
const MASK_BYTES = 4;

/** The length that says that the next two bytes have the length; larger ones stand for eight bytes. */
const LENGTH_IN_TWO = 126;

/** A larger message gains nothing here, in bytes. */
export const SMALL_MESSAGE_BYTES: number = 4 * 1024;

/** Messages that leave together are put into one array of this size, in bytes. */
const TOGETHER_BYTES = 64 * 1024;

const RANDOM_BYTES = 8 * 1024;

const arrays = new SmallArrays();

/** What `ws` keeps of what it reads. */
interface Receiver {
  readonly _state?: unknown;
  readonly _bufferedBytes?: unknown;
  readonly _fragmented?: unknown;
}

/** Whether `ws` has read all messages of a socket that have begun. False with a `ws` that does not say so. */
export function isBetweenMessages(socket: WebSocket): boolean {
  const { _receiver: receiver } = socket as unknown as { readonly _receiver?: Receiver };
  if (receiver === undefined) return false;
  const { _state: state, _bufferedBytes: bytes, _fragmented: fragmented } = receiver;
  return state === 0 && bytes === 0 && fragmented === 0;
}

/** The messages of a chunk that is made of whole ones and nothing else; undefined for any other chunk. Nothing is kept of the chunk itself. */
export function wholeMessages(
  chunk: Uint8Array,
  areMasked: boolean,
): readonly Arrived[] | undefined {
  const messages: Arrived[] = [];
  for (let at = 0; at < chunk.byteLength;) {
    const from = contentFrom(chunk, at, areMasked);
    if (from === 0) return undefined;
    const length = lengthAt(chunk, at);
    const end = from + length;
    if (end > chunk.byteLength) return undefined;
    const bytes = arrays.of(length);
    if (areMasked) unmask(chunk, from, bytes);
    else bytes.set(chunk.subarray(from, end));
    const isBinary = chunk[at] === WHOLE_BINARY;
    if (!isBinary && !isUtf8(bytes)) return undefined;
    messages.push({ bytes, isBinary });
    at = end;
  }
  return messages;
}

/** Where the content of the message begins that begins at `at`; 0 if no whole small one does. */
function contentFrom(chunk: Uint8Array, at: number, isMasked: boolean): number {
  const first = chunk[at];
  const second = chunk[at + 1] ?? 0xff;
  if (first !== WHOLE_BINARY && first !== WHOLE_TEXT) return 0;
  if (second >= MASKED !== isMasked) return 0;
  const length = second % MASKED;
  if (length > LENGTH_IN_TWO) return 0;
  const from = at + (length === LENGTH_IN_TWO ? 4 : 2) + (isMasked ? MASK_BYTES : 0);
  return from > chunk.byteLength ? 0 : from;
}

function lengthAt(chunk: Uint8Array, at: number): number {
  const length = (chunk[at + 1] ?? 0) % MASKED;
  if (length < LENGTH_IN_TWO) return length;
  return (chunk[at + 2] ?? 0) * 256 + (chunk[at + 3] ?? 0);
}

/** Fills `content` with what stands at `from`, behind its mask. */
function unmask(chunk: Uint8Array, from: number, content: Uint8Array): void {
  const mask = from - MASK_BYTES;
  for (let index = 0; index < content.length; index += 1) {
    content[index] = (chunk[from + index] ?? 0) ^ (chunk[mask + (index & 3)] ?? 0);
  }
}

/** Random bytes for masks, some at a time. */
const random = new Uint8Array(RANDOM_BYTES);
let randomUsed = RANDOM_BYTES;

/** Where messages are put together for connections of which the system has all at once. All links are of one thread. */
let together = Buffer.allocUnsafeSlow(TOGETHER_BYTES);

/** Writes small messages, those of one turn together. */
export class SmallFrames {
  readonly #wire: Duplex;
  readonly #areMasked: boolean;
  /** Whether what has been written is read no more once nothing waits. */
  readonly #isDirect: boolean;
  readonly #onWritten: (error?: Error | null) => void;
  #waiting: Arrived[] = [];
  /** The bytes of the frames that wait for the end of the turn. */
  bytes = 0;

  /** `areMasked`: this end has dialled. `onWritten` is called after each write. */
  constructor(wire: Duplex, areMasked: boolean, onWritten: (error?: Error | null) => void) {
    this.#wire = wire;
    this.#areMasked = areMasked;
    this.#isDirect = wire instanceof Socket && !(wire instanceof TLSSocket);
    this.#onWritten = onWritten;
  }

  /** Takes a message, if it is small. It leaves when `flush` is called, which the first of a turn has called at the end of the turn. */
  add(message: string | Uint8Array): boolean {
    if (message.length > SMALL_MESSAGE_BYTES) return false;
    const isBinary = typeof message !== "string";
    const bytes = isBinary ? message : Buffer.from(message);
    const frameBytes = bytes.byteLength + this.#headBytes(bytes.byteLength);
    if (this.bytes + frameBytes > TOGETHER_BYTES) this.flush();
    if (this.#waiting.push({ bytes, isBinary }) === 1) process.nextTick(() => this.flush());
    this.bytes += frameBytes;
    return true;
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const { bytes } = this;
    this.bytes = 0;
    const wire = this.#wire;
    // A connection that has ended tells its link so by itself.
    if (!wire.writable) return;
    const frames = this.#isDirect ? together.subarray(0, bytes) : Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const message of waiting) at = this.#put(message, frames, at);
    wire.write(frames, this.#onWritten);
    // What the system has not taken at once is still to be read from there.
    if (this.#isDirect && wire.writableLength > 0)
      together = Buffer.allocUnsafeSlow(TOGETHER_BYTES);
  }

  #headBytes(length: number): number {
    return (length < LENGTH_IN_TWO ? 2 : 4) + (this.#areMasked ? MASK_BYTES : 0);
  }

  /** Puts a frame into `frames` at `at`, and returns where it ends. */
  #put({ bytes, isBinary }: Arrived, frames: Uint8Array, at: number): number {
    const length = bytes.byteLength;
    const from = at + this.#headBytes(length);
    const maskBit = this.#areMasked ? MASKED : 0;
    frames[at] = isBinary ? WHOLE_BINARY : WHOLE_TEXT;
    if (length < LENGTH_IN_TWO) {
      frames[at + 1] = maskBit + length;
    } else {
      frames[at + 1] = maskBit + LENGTH_IN_TWO;
      frames[at + 2] = length >> 8;
      frames[at + 3] = length & 0xff;
    }
    if (!this.#areMasked) {
      frames.set(bytes, from);
      return from + length;
    }
    if (randomUsed === RANDOM_BYTES) {
      randomFillSync(random);
      randomUsed = 0;
    }
    const mask = from - MASK_BYTES;
    for (let index = 0; index < MASK_BYTES; index += 1) {
      frames[mask + index] = random[randomUsed + index] ?? 0;
    }
    randomUsed += MASK_BYTES;
    for (let index = 0; index < length; index += 1) {
      frames[from + index] = (bytes[index] ?? 0) ^ (frames[mask + (index & 3)] ?? 0);
    }
    return from + length;
  }
}
