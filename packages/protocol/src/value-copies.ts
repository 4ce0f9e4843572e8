/**
 * Copies values out of a block. An array of its own costs more than the bytes of a small value, to make and to collect: so small values that lie
 * together are copied together, and are views on the same copy.
 */
import { NO_BYTES } from "./entry.ts";

/** A larger value is copied alone, in bytes. */
const SMALL_BYTES_MAX = 4 * 1024;

/** The most bytes of a copy that several values share: a value that is kept alone keeps no more than these. */
const COPY_BYTES_MAX = 16 * 1024;

/** Copies of the values of one block, which are asked for in their order. */
export class ValueCopies {
  readonly #block: Uint8Array;
  /** A copy of the block from `#from` to `#through`. */
  #copy = NO_BYTES;
  #from = 0;
  #through = 0;

  /** `block` is no Node.js Buffer, whose `slice` copies nothing. */
  constructor(block: Uint8Array) {
    this.#block = block;
  }

  /** The bytes from `start` to `end`. */
  take(start: number, end: number): Uint8Array {
    if (start === end) return NO_BYTES;
    if (end - start > SMALL_BYTES_MAX) return this.#block.slice(start, end);
    if (end > this.#through) this.#copyFrom(start);
    return new Uint8Array(this.#copy.buffer, start - this.#from, end - start);
  }

  #copyFrom(start: number): void {
    this.#from = start;
    this.#through = Math.min(start + COPY_BYTES_MAX, this.#block.byteLength);
    this.#copy = this.#block.slice(start, this.#through);
  }
}
