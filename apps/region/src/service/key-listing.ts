/** Lists the keys that clients may see, in bounded steps: what has expired takes its time, too. */
import type { Entry } from "@meridian/protocol";

/** Which keys to list. */
export interface KeyQuery {
  readonly prefix: string;
  /** Only keys after this one. */
  readonly after?: string;
  readonly limit: number;
}

/** A live key as it is listed. */
export interface ListedKey extends Pick<Entry, "key" | "contentType" | "stamp" | "expiresAtMs"> {
  /** The value's length. */
  readonly bytes: number;
}

/** A page of keys. It may be short, even empty, and yet not be the last. */
export interface KeyPage {
  readonly entries: readonly ListedKey[];
  /** The key that the next page starts after; null at the end. */
  readonly next: string | null;
}

/** What the keys are read from. */
export interface KeySource {
  /** A bounded look at the entries, without their values, in key order. */
  list(query: KeyQuery & { readonly from: string; readonly liveAtMs: number }): KeyPage;
}

/** How many looks one listing may take before its page is short. */
const STEPS_MAX = 32;

/**
 * A page of the live keys from `from` on. Other work runs after each look at them, also after the last, unless there are no more: whoever asks for the next page
 * at once does so in another turn.
 */
export async function listKeys(
  source: KeySource,
  query: KeyQuery & { readonly from: string },
  nowMs: () => number,
): Promise<KeyPage> {
  const entries: ListedKey[] = [];
  let next = query.after ?? null;
  for (let step = 0; step < STEPS_MAX && entries.length < query.limit; step += 1) {
    const after = next === null ? {} : { after: next };
    const limit = query.limit - entries.length;
    const page = source.list({ ...query, ...after, liveAtMs: nowMs(), limit });
    entries.push(...page.entries);
    next = page.next;
    if (next === null) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { entries, next };
}
