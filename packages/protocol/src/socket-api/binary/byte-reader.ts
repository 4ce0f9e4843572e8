import { decodeUtf8 } from "../../text.ts";

/** A shorter text is read without a decoder, whose call costs more. */
const SHORT_BYTES = 64;

/** A binary message is not what it should be. */
export class BadBytes extends Error {}

/** Reads the fields of a binary message. Throws `BadBytes` where a field does not end before the message does, before anything is made of it. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    const { buffer, byteOffset, byteLength } = bytes;
    this.#bytes = new Uint8Array(buffer, byteOffset, byteLength);
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  text(): string {
    return this.#textOf(this.u16());
  }

  /** Bytes with their number in front: a part of the message, not a copy. */
  value(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** What is left, as text. */
  rest(): string {
    return this.#textOf(this.left);
  }

  /** Throws `BadBytes` if anything is left. */
  end(): void {
    if (this.left > 0)
      throw new BadBytes(`Expected the end of the message, got ${this.left} bytes`);
  }

  #textOf(length: number): string {
    const start = this.#take(length);
    const bytes = this.#bytes.subarray(start, start + length);
    if (length <= SHORT_BYTES && bytes.every(isAscii)) return String.fromCharCode(...bytes);
    try {
      return decodeUtf8(bytes);
    } catch {
      throw new BadBytes(`Expected a text of UTF-8 at byte ${start}, got other bytes`);
    }
  }

  /** Passes over so many bytes. Returns where they begin. */
  #take(count: number): number {
    const start = this.#at;
    if (count > this.left) {
      throw new BadBytes(`Expected ${count} bytes at byte ${start}, got ${this.left}`);
    }
    this.#at += count;
    return start;
  }
}

function isAscii(byte: number): boolean {
  return byte < 0x80;
}
