import type { Entry } from "@meridian/protocol";

/** What a commit has written so far, by key. Most commits write one entry, and need no table for it. */
export class WrittenEntries {
  #only: Entry | undefined;
  /** Undefined while there is one entry or none. */
  #byKey: Map<string, Entry> | undefined;

  /** Of several entries of a key, the last one counts. */
  constructor(entries: readonly Entry[] = []) {
    for (const entry of entries) this.add(entry);
  }

  /** The last entry that was written of a key. */
  get(key: string): Entry | undefined {
    if (this.#byKey !== undefined) return this.#byKey.get(key);
    return this.#only?.key === key ? this.#only : undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  add(entry: Entry): void {
    const only = this.#only;
    if (this.#byKey !== undefined) this.#byKey.set(entry.key, entry);
    else if (only === undefined || only.key === entry.key) this.#only = entry;
    else {
      this.#byKey = new Map([
        [only.key, only],
        [entry.key, entry],
      ]);
    }
  }
}
