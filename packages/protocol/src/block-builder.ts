import { encodeBlock, entriesBytes, writeEntries } from "./frame.ts";
import type { Entry } from "./entry.ts";
import { joinBytes } from "./join-bytes.ts";

/** What is gathered before it is copied. Entries that are more take the place that `encodeBlock` gives them. */
const GATHERED_BYTES = 64 * 1024;

/** Makes one block of entries that come a few at a time, without a block for each of them. */
export class BlockBuilder {
  readonly #gathered = new Uint8Array(GATHERED_BYTES);
  readonly #view = new DataView(this.#gathered.buffer);
  #gatheredBytes = 0;
  /** What stands before that. */
  #parts: Uint8Array[] = [];

  /** Puts entries behind those that came before. Returns how many bytes they take. Throws what `encodeBlock` does, and has none of them then. */
  add(entries: readonly Entry[]): number {
    const bytes = entriesBytes(entries);
    if (bytes > GATHERED_BYTES) {
      const block = encodeBlock(entries);
      this.#part();
      this.#parts.push(block);
      return bytes;
    }
    if (this.#gatheredBytes + bytes > GATHERED_BYTES) this.#part();
    this.#gatheredBytes = writeEntries(this.#gathered, this.#view, this.#gatheredBytes, entries);
    return bytes;
  }

  /** The block of all that was added since the last call, in bytes of its own. */
  take(): Uint8Array {
    this.#part();
    const parts = this.#parts;
    this.#parts = [];
    const [first] = parts;
    return first !== undefined && parts.length === 1 ? first : joinBytes(parts);
  }

  #part(): void {
    if (this.#gatheredBytes === 0) return;
    this.#parts.push(this.#gathered.slice(0, this.#gatheredBytes));
    this.#gatheredBytes = 0;
  }
}
