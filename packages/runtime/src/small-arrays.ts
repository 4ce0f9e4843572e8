/** The largest array that shares memory with others, and how much they share, in bytes. */
const SMALL_BYTES_MAX = 1_024;
const SHARED_BYTES = 16 * 1024;

/** Makes arrays. Small ones that are made one after the other share memory: to allocate some of its own for each takes V8 and Node.js longer than to fill it. */
export class SmallArrays {
  #memory = new ArrayBuffer(SHARED_BYTES);
  #used = 0;

  /** An array of `bytes` bytes, which belongs to the caller. */
  of(bytes: number): Uint8Array<ArrayBuffer> {
    if (bytes > SMALL_BYTES_MAX) return new Uint8Array(bytes);
    if (this.#used + bytes > SHARED_BYTES) {
      this.#memory = new ArrayBuffer(SHARED_BYTES);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += bytes;
    return new Uint8Array(this.#memory, from, bytes);
  }
}
