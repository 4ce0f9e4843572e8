/**
 * Which tags have been revalidated. A tag has a key, and each revalidation sets it, which gives it another etag. An entry holds the etags
 * that its tags had when it was set, in its own region: wherever they are different now, the entry is out of date.
 *
 * A page is made before it is set, and so are its etags read too late. So each revalidation also sets one key for all tags, whose etag is read before
 * the page is made: a tag with a later etag was revalidated since, and what the page is made of may be older.
 *
 * Why no times are compared: a page that is set in a region which has not heard of a revalidation yet is younger than
 * that, and may still be made of old data. Its etags are those from before, so that it goes as soon as the region hears of it.
 */
import type { MeridianClient, RawEntry } from "@meridian/client";
import { compareStamps, parseStamp } from "@meridian/protocol";

/** The etags of a tag: of its last revalidation, and of the last one that allows the old data for some more time. */
export interface TagVersion {
  readonly hard: string | undefined;
  readonly soft: string | undefined;
  /** Until when the old data may be used, in milliseconds since the Unix epoch; undefined without an end. */
  readonly softUntilMs: number | undefined;
}

/** How the data of an entry may be used by now. */
export type Freshness = "fresh" | "stale" | "expired";

/** The keys of tags. */
export class Tags {
  readonly #client: MeridianClient;
  readonly #prefix: string;
  readonly #lifeMs: number;

  /** `lifeMs`: how long a revalidation is remembered: longer than any entry lives. */
  constructor(client: MeridianClient, prefix: string, lifeMs: number) {
    this.#client = client;
    this.#prefix = prefix;
    this.#lifeMs = lifeMs;
  }

  /** The versions of tags now. All are asked for in one request. */
  async versions(tags: readonly string[]): Promise<Map<string, TagVersion>> {
    const found = await Promise.all(tags.map((tag) => this.#versionOf(tag)));
    return new Map(tags.map((tag, index) => [tag, found[index] as TagVersion]));
  }

  /** From now on, entries with these tags are out of date; with `staleMs`, they may be used for that long, or without an end. */
  async revalidate(
    tags: readonly string[],
    soft?: { readonly staleMs: number | undefined; readonly nowMs: number },
  ): Promise<void> {
    const kind = soft === undefined ? "hard" : "soft";
    const value = soft?.staleMs === undefined ? null : soft.nowMs + soft.staleMs;
    const ttlMs = this.#lifeMs;
    if (tags.length === 0) return;
    const keys = [...new Set(tags)].map((tag) => this.#keyOf(kind, tag));
    // The last one of all gets the latest etag.
    await this.#client.setMany(
      [...keys, this.#lastKey].map((key) => ({
        key,
        value: key === this.#lastKey ? null : value,
        ttlMs,
      })),
    );
  }

  /** The etag of the last revalidation of any tag, by now; null without any. */
  async last(): Promise<string | null> {
    return (await this.#client.getRaw(this.#lastKey))?.etag ?? null;
  }

  get #lastKey(): string {
    return `${this.#prefix}:last`;
  }

  async #versionOf(tag: string): Promise<TagVersion> {
    const [hard, soft] = await Promise.all([
      this.#client.getRaw(this.#keyOf("hard", tag)),
      this.#client.getRaw(this.#keyOf("soft", tag)),
    ]);
    return { hard: hard?.etag, soft: soft?.etag, softUntilMs: untilOf(soft) };
  }

  #keyOf(kind: "hard" | "soft", tag: string): string {
    return `${this.#prefix}:${kind}:${tag}`;
  }
}

function untilOf(entry: RawEntry | undefined): number | undefined {
  if (entry === undefined) return undefined;
  const until: unknown = JSON.parse(new TextDecoder().decode(entry.value));
  return typeof until === "number" ? until : undefined;
}

/** How an entry that was set when a tag had the version `then` may be used now. */
export function freshnessByVersions(
  then: Pick<TagVersion, "hard" | "soft">,
  now: TagVersion,
  nowMs: number,
): Freshness {
  if (now.hard !== then.hard) return "expired";
  if (now.soft === then.soft) return "fresh";
  return staleOrExpired(now, nowMs);
}

/**
 * The same by the last revalidation of any tag that was known before the data were read, null without any. It holds for a tag that was not known when the
 * entry was set, too, such as the path of a page that uses a `fetch`.
 */
export function freshnessByAge(since: string | null, now: TagVersion, nowMs: number): Freshness {
  if (isLater(now.hard, since)) return "expired";
  return isLater(now.soft, since) ? staleOrExpired(now, nowMs) : "fresh";
}

function staleOrExpired({ softUntilMs }: TagVersion, nowMs: number): Freshness {
  return softUntilMs === undefined || nowMs < softUntilMs ? "stale" : "expired";
}

function isLater(etag: string | undefined, than: string | null): boolean {
  if (etag === undefined || than === null) return etag !== undefined;
  return compareStamps(parseStamp(etag), parseStamp(than)) > 0;
}

/** The worse one of two. */
export function worse(one: Freshness, other: Freshness): Freshness {
  const order: readonly Freshness[] = ["fresh", "stale", "expired"];
  return order.indexOf(one) > order.indexOf(other) ? one : other;
}
