import {
  compareKeys,
  decodeUtf8,
  formatStamp,
  MeridianError,
  stampTimeOf,
  toBase64,
} from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/** A value as it is held. */
export interface TestEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly contentType: string;
  /** In its quotes. */
  readonly etag: string;
  /** Null for never. */
  readonly expiresAtMs: number | null;
}

/** What has become of a key. */
export interface TestChange {
  readonly event: "set" | "delete" | "expire";
  readonly key: string;
  readonly etag: string;
  /** What was set, as JSON tells of it. */
  readonly told: ToldEntry | undefined;
}

/** An entry as JSON tells of it. */
export interface ToldEntry extends Omit<TestEntry, "value"> {
  readonly value: string;
  readonly encoding: "utf8" | "base64";
}

interface Lease {
  readonly id: string;
  readonly done: Promise<void>;
  readonly end: () => void;
}

/** The data of all nodes of a test cluster: each write is on all nodes at once. */
export class TestData {
  readonly clock: Clock;
  readonly #entries = new Map<string, TestEntry>();
  readonly #leases = new Map<string, Lease>();
  /** All changes, the oldest first. */
  readonly changes: TestChange[] = [];
  readonly #watchers = new Set<() => void>();
  #time = 0;
  #leased = 0;
  /** How many writes there have been. */
  writes = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The live entry of a key. */
  get(key: string): TestEntry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAtMs === null) return entry;
    if (this.clock.nowMs() < entry.expiresAtMs) return entry;
    this.#expire(entry);
    return undefined;
  }

  /** Calls back after each change, also when something expires. Returns the end of that. */
  watch(onChange: () => void): () => void {
    if (this.#watchers.size === 0) {
      for (const entry of this.#entries.values()) this.#awaitExpiry(entry);
    }
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  /** The live entry of a key. Throws `KEY_NOT_FOUND`. */
  need(key: string): TestEntry {
    const entry = this.get(key);
    if (entry !== undefined) return entry;
    const said = `Expected a live value for key \`${key}\`, got none`;
    throw new MeridianError("KEY_NOT_FOUND", said);
  }

  set(entry: Omit<TestEntry, "etag">): TestEntry {
    const stamped = { ...entry, etag: this.#stamp() };
    const { key, etag } = stamped;
    this.#entries.set(key, stamped);
    if (this.#watchers.size > 0) this.#awaitExpiry(stamped);
    this.#changed({ event: "set", key, etag, told: toldOf(stamped) });
    return stamped;
  }

  /** Deletes a key. Returns the etag of that, and whether there was a value. */
  delete(key: string): { readonly key: string; readonly etag: string; readonly deleted: boolean } {
    const deleted = this.get(key) !== undefined;
    this.#entries.delete(key);
    const etag = this.#stamp();
    this.#changed({ event: "delete", key, etag, told: undefined });
    return { key, etag, deleted };
  }

  /** The live entries in key order. */
  list(prefix: string, after: string): readonly TestEntry[] {
    return [...this.#entries.keys()]
      .filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0)
      .toSorted(compareKeys)
      .flatMap((key) => this.get(key) ?? []);
  }

  /** Resolves to the id of the lease of a key; to null if another client holds it, once that one has given it back or the wait is over. */
  async acquire(key: string, ttlMs: number, waitMs: number): Promise<string | null> {
    const held = this.#leases.get(key);
    if (held !== undefined) {
      const late = new Promise<void>((resolve) => void this.clock.after(waitMs, resolve));
      await Promise.race([held.done, late]);
      return null;
    }
    let end = (): void => {};
    const done = new Promise<void>((resolve) => {
      end = () => {
        if (this.#leases.get(key)?.id === id) this.#leases.delete(key);
        resolve();
      };
    });
    const id = `lease-${(this.#leased += 1)}`;
    this.#leases.set(key, { id, done, end });
    this.clock.after(ttlMs, end);
    return id;
  }

  /** Gives a lease back. Returns whether it was held. */
  release(key: string, id: string): boolean {
    const lease = this.#leases.get(key);
    if (lease?.id !== id) return false;
    lease.end();
    return true;
  }

  #changed(change: TestChange): void {
    this.changes.push(change);
    for (const tell of this.#watchers) tell();
  }

  #awaitExpiry(entry: TestEntry): void {
    if (entry.expiresAtMs === null) return;
    this.clock.after(entry.expiresAtMs - this.clock.nowMs(), () => this.#expire(entry));
  }

  #expire(entry: TestEntry): void {
    const { key, etag } = entry;
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#changed({ event: "expire", key, etag, told: undefined });
  }

  #stamp(): string {
    this.#time = Math.max(this.#time + 1, stampTimeOf(this.clock.nowMs()));
    this.writes += 1;
    return `"${formatStamp({ time: this.#time, origin: 1 })}"`;
  }
}

/** The entry as JSON tells of it. */
export function toldOf({ value, ...facts }: TestEntry): ToldEntry {
  try {
    return { ...facts, value: decodeUtf8(value), encoding: "utf8" };
  } catch {
    return { ...facts, value: toBase64(value), encoding: "base64" };
  }
}
