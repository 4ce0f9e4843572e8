import { deletePrefix, type MeridianClient } from "@meridian/client";

/** The options of the second level. */
export interface MeridianDriverOptions {
  readonly client: MeridianClient;
  /** In the cluster, keys begin with this and a colon. Default: that of Bentocache, `bentocache`. */
  readonly prefix?: string | undefined;
}

const TEXT_TYPE = "text/plain; charset=utf-8";

/** The second level of a Bentocache: what `useL2Layer` takes. */
export function meridianDriver(options: MeridianDriverOptions): {
  options: MeridianDriverOptions;
  factory: (config: MeridianDriverOptions) => MeridianDriver;
} {
  return { options, factory: (config) => new MeridianDriver(config) };
}

/** A driver of Bentocache in a Meridian cluster. The text that Bentocache makes of a value is stored as text. */
export class MeridianDriver {
  readonly type = "l2" as const;
  readonly #config: MeridianDriverOptions;
  readonly #client: MeridianClient;
  /** What keys begin with. */
  readonly #prefix: string;

  constructor(config: MeridianDriverOptions) {
    this.#config = config;
    this.#client = config.client;
    const prefix = (config.prefix ?? "").replace(/:+$/, "");
    this.#prefix = prefix === "" ? "" : `${prefix}:`;
  }

  namespace(namespace: string): MeridianDriver {
    return new MeridianDriver({ ...this.#config, prefix: this.#prefix + namespace });
  }

  async get(key: string): Promise<string | undefined> {
    return textOf(await this.#client.get(this.#prefix + key));
  }

  /** Reads the value and deletes it: of several calls at once on one node, one gets it. */
  async pull(key: string): Promise<string | undefined> {
    return textOf(await this.#client.pull(this.#prefix + key));
  }

  /** Sets the value for `ttl` milliseconds, or for ever. */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const ttlMs = ttl === undefined || ttl <= 0 ? undefined : ttl;
    await this.#client.set(this.#prefix + key, value, { ttlMs, contentType: TEXT_TYPE });
    return true;
  }

  /** Whether there was a value; true where nobody knows. */
  async delete(key: string): Promise<boolean> {
    return (await this.#client.delete(this.#prefix + key)).deleted ?? true;
  }

  async deleteMany(keys: readonly string[]): Promise<boolean> {
    if (keys.length > 0) await this.#client.deleteMany(keys.map((key) => this.#prefix + key));
    return true;
  }

  /** Deletes the keys that begin with the prefix. Throws `INVALID_ARGUMENT` without one: all keys of the cluster would go. */
  async clear(): Promise<void> {
    await deletePrefix(this.#client, this.#prefix);
  }

  /** The client stays open. */
  async disconnect(): Promise<void> {}
}

function textOf(value: unknown): string | undefined {
  return value === undefined || typeof value === "string" ? value : JSON.stringify(value);
}
