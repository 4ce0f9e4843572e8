import { Buffer } from "node:buffer";

import { richJson, type MeridianClient } from "@meridian/client";
import { parseStamp, unixMsOf } from "@meridian/protocol";
import { systemClock, type Clock } from "@meridian/runtime";

import type {
  CacheControl,
  CacheHandler,
  CacheHandlerValue,
  CachedData,
  GetContext,
  HandlerContext,
  SetContext,
} from "./cache-handler.ts";
import {
  freshnessByAge,
  freshnessByVersions,
  Tags,
  worse,
  type Freshness,
  type TagVersion,
} from "./tags.ts";

/** The options of a handler. */
export interface NextCacheOptions {
  /** In the cluster, keys begin with this and a colon. Default `next`. */
  readonly prefix?: string | undefined;
  /** How long an entry lives for which Next.js says nothing else, in milliseconds. Default: 30 days. */
  readonly ttlMs?: number | undefined;
  /** Called with errors of reads and writes, which Next.js is not told. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** The source of time, for tests. */
  readonly clock?: Pick<Clock, "nowMs"> | undefined;
}

/** What Next.js makes a handler of. */
export type NextCacheHandlerClass = new (context?: HandlerContext) => CacheHandler;

/** An entry as it is stored. */
interface StoredEntry {
  readonly data: CachedData | null;
  readonly cacheControl: CacheControl | undefined;
  /** The etags of its tags when it was set. */
  readonly tags: Readonly<Record<string, Pick<TagVersion, "hard" | "soft">>>;
  /** The last revalidation of any tag before its data were read, null without any; undefined where Next.js had not asked for the entry before. */
  readonly since?: string | null | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const TAGS_HEADER = "x-next-cache-tags";
/** A time so long ago that Next.js loads a `fetch` anew in the background, however long it is told to keep that. */
const LONG_AGO = -Number.MAX_SAFE_INTEGER;
/** The time by which Next.js knows a page that it has to render anew before it answers. */
const RENDER_FIRST = -1;

/**
 * Makes the class that `cacheHandler` of `next.config.js` needs: pages, answers of routes, `fetch` and images in a Meridian cluster. `revalidateTag`
 * and `revalidatePath` reach the servers of all regions.
 */
export function nextCacheHandler(
  client: MeridianClient,
  options: NextCacheOptions = {},
): NextCacheHandlerClass {
  const entries = new Entries(client, options);
  return class extends MeridianCacheHandler {
    constructor(context: HandlerContext = {}) {
      super(entries, context);
    }
  };
}

/** The entries and tags in the cluster. */
class Entries {
  readonly tags: Tags;
  readonly clock: Pick<Clock, "nowMs">;
  readonly onError: (error: unknown) => void;
  readonly #client: MeridianClient;
  readonly #prefix: string;
  readonly #ttlMs: number;
  readonly #codec = richJson<StoredEntry>();

  constructor(client: MeridianClient, options: NextCacheOptions) {
    const { prefix = "next", ttlMs = 30 * DAY_MS, onError = () => {} } = options;
    this.#client = client;
    this.#prefix = `${prefix}:data:`;
    this.#ttlMs = ttlMs;
    this.tags = new Tags(client, `${prefix}:tag`, 2 * ttlMs);
    this.clock = options.clock ?? systemClock;
    this.onError = onError;
  }

  async get(key: string): Promise<{ entry: StoredEntry; etag: string } | undefined> {
    const raw = await this.#client.getRaw(this.#prefix + key);
    if (raw === undefined) return undefined;
    return { entry: this.#codec.decode(raw.value, raw.contentType), etag: raw.etag };
  }

  async set(key: string, entry: StoredEntry): Promise<void> {
    const expire = entry.cacheControl?.expire;
    const lifeMs = expire === undefined ? this.#ttlMs : Math.min(this.#ttlMs, expire * 1_000);
    await this.#client.set(this.#prefix + key, this.#codec.encode(entry), {
      contentType: this.#codec.contentType,
      ttlMs: Math.max(1, lifeMs),
    });
  }
}

class MeridianCacheHandler implements CacheHandler {
  readonly #entries: Entries;
  readonly #revalidated: ReadonlySet<string>;
  /** By key: the last revalidation of any tag when Next.js asked for the entry. */
  readonly #asked = new Map<string, string | null>();

  constructor(entries: Entries, { revalidatedTags }: HandlerContext) {
    this.#entries = entries;
    this.#revalidated = new Set(revalidatedTags);
  }

  /** Null where there is nothing, where it is out of date, and where the cluster does not answer: Next.js then renders. */
  async get(key: string, context: GetContext = {}): Promise<CacheHandlerValue | null> {
    const asked = [...(context.tags ?? []), ...(context.softTags ?? [])];
    try {
      const [since, found] = await Promise.all([this.#entries.tags.last(), this.#entries.get(key)]);
      this.#asked.set(key, since);
      if (found === undefined || asked.some((tag) => this.#revalidated.has(tag))) return null;
      const { entry, etag } = found;
      const freshness = await this.#freshnessOf(entry, etag, asked);
      if (freshness === "expired") return null;
      const { data, cacheControl } = entry;
      const whenStale = data?.kind === "FETCH" ? LONG_AGO : RENDER_FIRST;
      const lastModified = freshness === "stale" ? whenStale : unixMsOf(parseStamp(etag).time);
      return { lastModified, value: withBuffers(data), ...(cacheControl && { cacheControl }) };
    } catch (error) {
      this.#entries.onError(error);
      return null;
    }
  }

  /** Where the cluster does not answer, nothing is stored. */
  async set(key: string, data: CachedData | null, context: SetContext = {}): Promise<void> {
    try {
      const versions = await this.#entries.tags.versions(tagsOf(data, context));
      const tags = Object.fromEntries(
        [...versions].map(([name, { hard, soft }]) => [name, { hard, soft }]),
      );
      const { cacheControl } = context;
      await this.#entries.set(key, { data, cacheControl, tags, since: this.#asked.get(key) });
    } catch (error) {
      this.#entries.onError(error);
    }
  }

  /** Throws where the cluster does not answer: the caller has to know that old data stay. */
  async revalidateTag(
    names: string | readonly string[],
    durations?: { readonly expire?: number | undefined },
  ): Promise<void> {
    const { tags, clock } = this.#entries;
    const expire = durations?.expire;
    const staleMs = expire === undefined ? undefined : expire * 1_000;
    const list = typeof names === "string" ? [names] : names;
    await tags.revalidate(list, durations && { staleMs, nowMs: clock.nowMs() });
  }

  /** There is nothing to reset: a handler keeps no entries. */
  resetRequestCache(): void {}

  async #freshnessOf(
    { tags: known, since }: StoredEntry,
    etag: string,
    asked: readonly string[],
  ): Promise<Freshness> {
    const { tags, clock } = this.#entries;
    const nowMs = clock.nowMs();
    let freshness: Freshness = "fresh";
    for (const [name, now] of await tags.versions([
      ...new Set([...Object.keys(known), ...asked]),
    ])) {
      const then = Object.hasOwn(known, name) ? known[name] : undefined;
      if (then === undefined || since !== undefined) {
        freshness = worse(
          freshness,
          freshnessByAge(since === undefined ? etag : since, now, nowMs),
        );
      }
      if (then !== undefined) freshness = worse(freshness, freshnessByVersions(then, now, nowMs));
    }
    return freshness;
  }
}

function tagsOf(data: CachedData | null, context: SetContext): string[] {
  const header = data?.headers?.[TAGS_HEADER];
  const ofPage = typeof header === "string" ? header.split(",") : [];
  return [...new Set([...ofPage, ...(data?.tags ?? []), ...(context.tags ?? [])])];
}

/** Next.js writes its answers from `Buffer`s; what is read of a cluster are plain bytes. */
function withBuffers(data: CachedData | null): CachedData | null {
  if (data === null) return null;
  const members = Object.entries(data).map(([name, value]) => [name, buffered(value)]);
  return Object.fromEntries(members) as CachedData;
}

function buffered(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  if (!(value instanceof Map)) return value;
  return new Map([...value].map(([name, each]) => [name, buffered(each)]));
}
