/** What the cache should do, in the dumbest way: a list in order of use, searched from end to end. */
export interface ModelEntry {
  key: string;
  value: number;
  bytes: number;
  expiresAtMs: number;
}

export class ModelCache {
  /** The least recently used first. */
  entries: ModelEntry[] = [];
  nowMs = 0;
  readonly #maxEntries: number;
  readonly #maxBytes: number;

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.entries = this.entries.filter((entry) => entry.expiresAtMs > this.nowMs);
  }

  find(key: string): ModelEntry | undefined {
    return this.entries.find((entry) => entry.key === key);
  }

  use(key: string): ModelEntry | undefined {
    const found = this.find(key);
    if (found !== undefined) {
      this.delete(key);
      this.entries.push(found);
    }
    return found;
  }

  set(key: string, value: number, bytes: number, ttlMs: number): boolean {
    this.delete(key);
    if (!(ttlMs > 0) || bytes > this.#maxBytes) return false;
    this.entries.push({ key, value, bytes, expiresAtMs: this.nowMs + ttlMs });
    while (this.entries.length > this.#maxEntries || this.bytes > this.#maxBytes) {
      this.entries.shift();
    }
    return true;
  }

  delete(key: string): boolean {
    const before = this.entries.length;
    this.entries = this.entries.filter((entry) => entry.key !== key);
    return this.entries.length < before;
  }

  get bytes(): number {
    return this.entries.reduce((sum, entry) => sum + entry.bytes, 0);
  }
}
