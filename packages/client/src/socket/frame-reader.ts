/** Reads the frames of a server (RFC 6455, section 5): whole binary messages, pings and the close. */
import { joinBytes } from "@meridian/protocol";

/** What has been read. */
export interface FrameEvents {
  readonly message: (message: Uint8Array) => void;
  readonly ping: (payload: Uint8Array) => void;
  /** The server's close message; without a code it is 1005. */
  readonly close: (code: number, reason: string) => void;
}

const OPCODE = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const NO_CODE = 1005;

/** No larger message is read, in bytes. Nothing is set aside for one before it has come. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

/** Puts frames together from the chunks in which they come. */
export class FrameReader {
  readonly #events: FrameEvents;
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** How many bytes there must be before it is worth looking again. */
  #wanted = 2;
  /** The parts of a message whose last frame has not come. */
  #parts: Uint8Array[] | undefined;
  #partBytes = 0;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** Whether a part of a message has come. */
  get isPartial(): boolean {
    return this.#length > 0 || this.#parts !== undefined;
  }

  /** Takes what has come. Throws `Error` for what no server may send. */
  take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#wanted) return;
    let bytes = this.#chunks.length === 1 ? chunk : joinBytes(this.#chunks);
    for (;;) {
      const used = this.#read(bytes);
      if (used === 0) break;
      bytes = bytes.subarray(used);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#length = bytes.length;
  }

  /** Reads one frame. Returns how many bytes it has; 0 if it has not come whole. */
  #read(bytes: Uint8Array): number {
    this.#wanted = 2;
    const [first = 0, second = 0] = bytes;
    if (bytes.length < 2) return 0;
    if ((first & 0x70) !== 0 || (second & 0x80) !== 0) {
      throw new Error("Expected a frame of a server without extensions, got another one");
    }
    const lengthBytes = second === 127 ? 8 : second === 126 ? 2 : 0;
    const start = 2 + lengthBytes;
    this.#wanted = start;
    if (bytes.length < start) return 0;
    const length = lengthBytes === 0 ? second : lengthOf(bytes.subarray(2, start));
    if (length + this.#partBytes > MESSAGE_BYTES_MAX) {
      throw new Error(`Expected a message of at most ${MESSAGE_BYTES_MAX} bytes, got ${length}`);
    }
    this.#wanted = start + length;
    if (bytes.length < start + length) return 0;
    this.#wanted = 2;
    this.#frame(first & 0x0f, (first & 0x80) !== 0, bytes.subarray(start, start + length));
    return start + length;
  }

  #frame(opcode: number, isLast: boolean, payload: Uint8Array): void {
    switch (opcode) {
      case OPCODE.ping:
        return this.#events.ping(payload);
      case OPCODE.pong:
        return;
      case OPCODE.close: {
        const code = payload.length < 2 ? NO_CODE : lengthOf(payload.subarray(0, 2));
        return this.#events.close(code, new TextDecoder().decode(payload.subarray(2)));
      }
      case OPCODE.binary:
      case OPCODE.continuation:
        if ((opcode === OPCODE.binary) === (this.#parts === undefined)) {
          return this.#part(isLast, payload);
        }
    }
    throw new Error(`Expected a binary message, got a frame of opcode ${opcode}`);
  }

  #part(isLast: boolean, payload: Uint8Array): void {
    if (isLast && this.#parts === undefined) return this.#events.message(payload);
    const parts = (this.#parts ??= []);
    parts.push(payload);
    this.#partBytes += payload.length;
    if (!isLast) return;
    const message = joinBytes(parts);
    this.#parts = undefined;
    this.#partBytes = 0;
    this.#events.message(message);
  }
}

function lengthOf(bytes: Uint8Array): number {
  let length = 0;
  for (const byte of bytes) length = length * 256 + byte;
  return length;
}
