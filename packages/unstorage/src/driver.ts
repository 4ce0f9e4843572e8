import { deletePrefix, type MeridianClient } from "@meridian/client";
import { MeridianError } from "@meridian/protocol";

import { watchKeys } from "./watch-keys.ts";

/** The options of a driver. */
export interface MeridianDriverOptions {
  readonly client: MeridianClient;
  /** In the cluster, keys begin with this and a colon. */
  readonly base: string;
  /** How long values live, in seconds, as in other drivers; 0 for ever. Default: for ever. */
  readonly ttl?: number | undefined;
  /** Called when a watch has ended although nobody ended it, such as because a token was revoked. */
  readonly onWatchError?: ((error: unknown) => void) | undefined;
}

/** The options of one call of unstorage. */
export interface ItemOptions {
  /** How long the value lives, in seconds; 0 for ever, whatever the driver's option says. */
  readonly ttl?: number | undefined;
}

/** What unstorage takes a value for; null where there is none. */
export type ItemValue = string | number | boolean | object | null;

/** One of several values to set. */
export interface NewItem {
  readonly key: string;
  readonly value: string;
  readonly options?: ItemOptions | undefined;
}

/** One of several values that were asked for. */
export interface KeptItem {
  readonly key: string;
  readonly value: ItemValue;
}

/** Called with a key that was set, or that has no value any more. */
export type Changed = (event: "update" | "remove", key: string) => unknown;

/** A driver, as unstorage calls it: each function by itself, without the object. */
export interface MeridianDriver {
  readonly name: string;
  readonly flags: { readonly ttl: boolean };
  readonly options: MeridianDriverOptions;
  readonly getInstance: () => MeridianClient;
  readonly hasItem: (key: string) => Promise<boolean>;
  readonly getItem: (key: string) => Promise<ItemValue>;
  readonly getItems: (items: readonly { readonly key: string }[]) => Promise<KeptItem[]>;
  readonly getItemRaw: (key: string) => Promise<unknown>;
  readonly setItem: (key: string, value: string, options?: ItemOptions) => Promise<void>;
  readonly setItems: (items: readonly NewItem[], options?: ItemOptions) => Promise<void>;
  readonly setItemRaw: (key: string, value: unknown, options?: ItemOptions) => Promise<void>;
  readonly removeItem: (key: string) => Promise<void>;
  /** How many seconds the value lives; nothing for one that lives for ever. */
  readonly getMeta: (key: string) => Promise<{ ttl?: number } | null>;
  readonly getKeys: (base?: string) => Promise<string[]>;
  readonly clear: (base?: string) => Promise<void>;
  /** Ends its watches; the client stays open. */
  readonly dispose: () => void;
  readonly watch: (changed: Changed) => Promise<() => void>;
}

const TEXT_TYPE = "text/plain; charset=utf-8";

/**
 * A driver of unstorage for a Meridian cluster. The text that unstorage makes of a value is stored as text, and raw bytes are stored as bytes.
 * JSON that other programs have stored is read as what it means. Every call rejects with the `MeridianError` of the client.
 */
export function meridianDriver(options: MeridianDriverOptions): MeridianDriver {
  const { client, base } = options;
  if (typeof base !== "string" || base === "" || base.endsWith(":")) {
    const said = `Expected \`base\` as text without a colon at its end, got \`${String(base)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const items = client.namespace<ItemValue>(base);
  const ttlMsOf = (given: ItemOptions | undefined): number | undefined => {
    const seconds = given?.ttl ?? options.ttl;
    return seconds === undefined || seconds === 0 ? undefined : seconds * 1_000;
  };
  const setItemRaw = async (key: string, value: unknown, given?: ItemOptions): Promise<void> => {
    const contentType = typeof value === "string" ? TEXT_TYPE : undefined;
    await items.set(key, value as ItemValue, { ttlMs: ttlMsOf(given), contentType });
  };
  const watches = new Set<AbortController>();
  const getItem = async (key: string): Promise<ItemValue> => (await items.get(key)) ?? null;
  return {
    name: "meridian",
    flags: { ttl: true },
    options,
    getInstance: () => client,
    hasItem: (key) => items.has(key),
    getItem,
    getItemRaw: getItem,
    getItems: async (wanted) => {
      const found = await items.getMany(wanted.map(({ key }) => key));
      return wanted.map(({ key }) => ({ key, value: found.get(key) ?? null }));
    },
    setItem: setItemRaw,
    setItemRaw,
    setItems: async (given, common) => {
      if (given.length === 0) return;
      await items.setMany(
        given.map(({ key, value, options: own }) => ({
          key,
          value,
          contentType: TEXT_TYPE,
          ttlMs: ttlMsOf({ ...common, ...own }),
        })),
      );
    },
    removeItem: async (key) => void (await items.delete(key)),
    getMeta: async (key) => {
      const ttlMs = await items.ttl(key);
      if (ttlMs === undefined) return null;
      return ttlMs === Infinity ? {} : { ttl: ttlMs / 1_000 };
    },
    getKeys: async (prefix = "") => {
      const keys: string[] = [];
      for await (const { key } of items.keys({ prefix })) keys.push(key);
      return keys;
    },
    clear: async (prefix = "") => void (await deletePrefix(client, `${base}:${prefix}`)),
    dispose: () => {
      for (const watch of watches) watch.abort();
      watches.clear();
    },
    watch: async (changed) => {
      const ended = new AbortController();
      watches.add(ended);
      const done = (): void => void watches.delete(ended);
      const failed = options.onWatchError;
      await watchKeys({ client, base, changed, failed, done, signal: ended.signal });
      return () => ended.abort();
    },
  };
}
