/**
 * Keys in order, in chunks of bounded length: adding, removing and finding one costs about as much among a million as among
 * a thousand, because no chunk is longer than `CHUNK_MAX`.
 */
import { compareKeys } from "@meridian/protocol";

const CHUNK_MAX = 512;

/** An ordered set of keys. */
export class SortedKeys {
  /** Invariant: none is empty, each is in order, and its keys are before those of the next. */
  readonly #chunks: string[][] = [];

  /** `keys` are in order, each once. */
  constructor(keys: readonly string[] = []) {
    for (let start = 0; start < keys.length; start += CHUNK_MAX / 2) {
      this.#chunks.push(keys.slice(start, start + CHUNK_MAX / 2));
    }
  }

  /** Adds a key, unless it is there. */
  add(key: string): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    const place = placeOf(chunk, key);
    if (chunk[place] === key) return;
    chunk.splice(place, 0, key);
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(index + 1, 0, chunk.splice(CHUNK_MAX / 2));
  }

  delete(key: string): void {
    const index = this.#chunkOf(key);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return;
    const place = placeOf(chunk, key);
    if (chunk[place] !== key) return;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.#chunks.splice(index, 1);
  }

  /** The keys after `after` (null: from the start) in order. Nothing may be added or removed meanwhile. */
  *after(after: string | null): Generator<string, void, undefined> {
    let index = after === null ? 0 : this.#chunkOf(after);
    const first = this.#chunks[index];
    if (first === undefined) return;
    let place = after === null ? 0 : placeOf(first, after);
    if (first[place] === after) place += 1;
    for (let chunk: readonly string[] | undefined = first; chunk !== undefined;) {
      for (; place < chunk.length; place += 1) yield chunk[place] ?? "";
      index += 1;
      place = 0;
      chunk = this.#chunks[index];
    }
  }

  /** The last chunk that begins at or before `key`; the first if none does. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#chunks[middle]?.[0] ?? "", key) <= 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** The index of the first key of a chunk that is not before `key`. */
function placeOf(chunk: readonly string[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(chunk[middle] ?? "", key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
