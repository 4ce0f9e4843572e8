import type { TlruCache } from "@meridian/cache";

import { OPTIONS, prefixOf, type StoreEntry, type StoreOptions } from "./store-entry.ts";

/** A store of Keyv in a cache of this process. Several Keyvs may share it: each has the keys of its namespace. */
export class CacheStore {
  readonly opts: StoreOptions = { ...OPTIONS };
  /** Set by Keyv 5. Keyv 6 takes a store that has this member for one that prefixes keys itself, so there is none before. */
  declare namespace: string | undefined;
  readonly #cache: TlruCache<string, unknown>;

  constructor(cache: TlruCache<string, unknown>) {
    this.#cache = cache;
  }

  /** A cache in memory has no failures to tell of. */
  on(): this {
    return this;
  }

  async get(key: string): Promise<unknown> {
    return this.#cache.get(key);
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    return keys.map((key) => this.#cache.get(key));
  }

  /** Whether the value was kept. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    return this.#cache.set(key, value, ttl !== undefined && ttl > 0 ? ttl : undefined);
  }

  setMany(entries: readonly StoreEntry[]): Promise<boolean[]> {
    return Promise.all(entries.map(({ key, value, ttl }) => this.set(key, value, ttl)));
  }

  async delete(key: string): Promise<boolean> {
    return this.#cache.delete(key);
  }

  /** Whether one of the keys had a value. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return keys.filter((key) => this.#cache.delete(key)).length > 0;
  }

  async has(key: string): Promise<boolean> {
    return this.#cache.has(key);
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return keys.map((key) => this.#cache.has(key));
  }

  /** Removes the keys of the namespace, or all without one. */
  async clear(): Promise<void> {
    for (const [key] of this.#within(this.namespace)) this.#cache.delete(key);
  }

  /** The keys and values of a namespace. */
  async *iterator(
    namespace: string | undefined,
  ): AsyncGenerator<[string, unknown], void, undefined> {
    yield* this.#within(namespace);
  }

  *#within(namespace: string | undefined): IterableIterator<[string, unknown]> {
    const prefix = prefixOf(namespace);
    for (const entry of this.#cache) if (entry[0].startsWith(prefix)) yield entry;
  }
}
