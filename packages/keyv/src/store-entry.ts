/** One entry of `setMany`, as Keyv gives it. */
export interface StoreEntry {
  readonly key: string;
  readonly value: unknown;
  /** In milliseconds; without it, for ever. */
  readonly ttl?: number | undefined;
}

/** What Keyv reads of a store. */
export interface StoreOptions {
  readonly url: string;
  readonly dialect: string;
}

/** Keyv offers `iterator()` only for the dialects that it knows by name. Both stores list as `redis` does. */
export const OPTIONS: StoreOptions = { url: "meridian:", dialect: "redis" };

/** What the keys of a namespace begin with. */
export function prefixOf(namespace: string | undefined): string {
  return namespace === undefined ? "" : `${namespace}:`;
}
