import { deletePrefix, type MeridianClient } from "@meridian/client";

import { OPTIONS, prefixOf, type StoreEntry, type StoreOptions } from "./store-entry.ts";

/** Is told what failed. */
export type ErrorListener = (error: unknown) => void;

const TEXT_TYPE = "text/plain; charset=utf-8";

/**
 * A store of Keyv in a Meridian cluster. Keyv puts its namespace before each key (`users:7`) and makes text of each value;
 * the cluster has that text under that key. Keyv hides what a `get` throws, so the store also tells `error` listeners, of which Keyv is one.
 */
export class MeridianStore {
  readonly opts: StoreOptions = { ...OPTIONS };
  /** Set by Keyv 5. Keyv 6 takes a store that has this member for one that prefixes keys itself, so there is none before. */
  declare namespace: string | undefined;
  readonly #client: MeridianClient;
  readonly #listeners = new Set<ErrorListener>();

  constructor(client: MeridianClient) {
    this.#client = client;
  }

  on(event: string, listener: ErrorListener): this {
    if (event === "error") this.#listeners.add(listener);
    return this;
  }

  get(key: string): Promise<unknown> {
    return this.#told(this.#client.get(key));
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    const found = await this.#told(this.#client.getMany(keys));
    return keys.map((key) => found.get(key));
  }

  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const { value: stored, ...terms } = termsOf({ key, value, ttl });
    await this.#told(
      this.#client.set(key, stored, { ttlMs: terms.ttlMs, contentType: terms.contentType }),
    );
    return true;
  }

  async setMany(entries: readonly StoreEntry[]): Promise<boolean[]> {
    if (entries.length > 0) await this.#told(this.#client.setMany(entries.map(termsOf)));
    return entries.map(() => true);
  }

  /** Whether there was a value; true where nobody knows. */
  async delete(key: string): Promise<boolean> {
    return (await this.#told(this.#client.delete(key))).deleted ?? true;
  }

  /** Whether one of the keys had a value. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    return (await this.#told(this.#client.deleteMany(keys))).deleted.length > 0;
  }

  has(key: string): Promise<boolean> {
    return this.#told(this.#client.has(key));
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    const found = await this.#told(this.#client.hasMany(keys));
    return keys.map((key) => found.has(key));
  }

  /** Deletes the keys of the namespace, page by page. Throws `INVALID_ARGUMENT` without one: all keys of the cluster would go. */
  async clear(): Promise<void> {
    await this.#told(deletePrefix(this.#client, prefixOf(this.namespace)));
  }

  /** The keys and values of a namespace. */
  async *iterator(
    namespace: string | undefined,
  ): AsyncGenerator<[string, unknown], void, undefined> {
    for await (const { key, value } of this.#client.entries({ prefix: prefixOf(namespace) })) {
      yield [key, value];
    }
  }

  /** Closes the client. */
  async disconnect(): Promise<void> {
    this.#client.close();
  }

  async #told<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      for (const listener of this.#listeners) listener(error);
      throw error;
    }
  }
}

interface Terms {
  readonly key: string;
  readonly value: unknown;
  readonly ttlMs: number | undefined;
  readonly contentType: string | undefined;
}

function termsOf({ key, value, ttl }: StoreEntry): Terms {
  const ttlMs = ttl !== undefined && ttl > 0 ? ttl : undefined;
  return { key, value, ttlMs, contentType: typeof value === "string" ? TEXT_TYPE : undefined };
}
