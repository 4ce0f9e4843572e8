/** What the cache should do, in the dumbest way: a list in order of use, or of state, searched from end to end. */
export interface ModelEntry {
  key: string;
  value: number;
  bytes: number;
  expiresAtMs: number;
}

export class ModelCache {
  /** The least recently used first; or the one set first, where due dates count. */
  entries: ModelEntry[] = [];
  nowMs = 0;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #byDueDate: boolean;

  constructor(maxEntries: number, maxBytes: number, byDueDate = false) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    this.#byDueDate = byDueDate;
  }

  /** The first to leave first. */
  get order(): readonly ModelEntry[] {
    if (!this.#byDueDate) return this.entries;
    const later = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);
    return this.entries.toSorted((a, b) => later(a.expiresAtMs, b.expiresAtMs));
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.entries = this.entries.filter((entry) => entry.expiresAtMs > this.nowMs);
  }

  find(key: string): ModelEntry | undefined {
    return this.entries.find((entry) => entry.key === key);
  }

  use(key: string): ModelEntry | undefined {
    return this.#byDueDate ? this.find(key) : this.renew(key);
  }

  renew(key: string): ModelEntry | undefined {
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
    const entry = { key, value, bytes, expiresAtMs: this.nowMs + ttlMs };
    while (this.entries.length >= this.#maxEntries || this.bytes + bytes > this.#maxBytes) {
      this.delete(this.order[0]?.key ?? "");
    }
    this.entries.push(entry);
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
