/**
 * Finds the keys on which parties differ, without listing the keys on which they agree.
 *
 * The walk asks all parties for the digest of their first `limit` entries after a key. Equal data give equal answers,
 * and the walk continues after them. If the answers differ, it asks again with a smaller limit, until
 * the entries are so few that it lists and compares them one by one; then the limit grows again. At any time the walk
 * has one bounded request to each party, and at most one short list of each in memory.
 */
import { compareKeys, compareStamps, type KeyRange, type Stamp } from "@meridian/protocol";

import { isEmptied, isGone, type Party } from "./party.ts";

/** How many entries a digest is asked of, at most and at least. */
const DIGEST_MAX = 16_384;
const DIGEST_MIN = 256;
const STEP = 8;

/** What is asked of a party here. */
export type Walked = Pick<Party, "digest" | "entries">;

/** What parties hold of one key: a stamp each, in the order of the parties; undefined for nothing. */
export type Holdings = readonly (Stamp | undefined)[];

/** A listed part of the key space in which parties differ. */
export interface SuspectRange extends KeyRange {
  /** The keys on which they do. */
  readonly keys: ReadonlyMap<string, Holdings>;
}

/** What was walked over since the last step. */
export interface WalkStep {
  /** Entries of each party, in their order. */
  readonly counts: readonly number[];
  /** Undefined where all agree. */
  readonly suspect?: SuspectRange;
}

/** Walks through the whole key space. The parties may go on writing: what is found is what was once seen to differ. */
export async function* walk(parties: readonly Walked[]): AsyncGenerator<WalkStep> {
  let after: string | null = null;
  let limit = DIGEST_MAX;
  for (;;) {
    const range: KeyRange = { after, through: null };
    const asked: number = limit;
    const pages = await Promise.all(parties.map((party) => party.digest(range, asked)));
    const [first] = pages;
    const through: string | null = lowest(pages.map(({ next }) => next));
    const agree = pages.every(
      ({ fingerprint, count, next }) =>
        fingerprint === first?.fingerprint && count === first.count && next === first.next,
    );
    if (!agree && limit > DIGEST_MIN) {
      limit = Math.max(DIGEST_MIN, Math.floor(limit / STEP));
      continue;
    }
    if (agree) yield { counts: pages.map(({ count }) => count) };
    else yield await list(parties, { after, through });
    if (through === null) return;
    after = through;
    limit = agree ? Math.min(DIGEST_MAX, limit * STEP) : limit;
  }
}

/** What every party holds in a range, and where they differ. */
export async function list(parties: readonly Walked[], range: KeyRange): Promise<WalkStep> {
  const holdings = await Promise.all(parties.map((party) => party.entries(range)));
  // A party with a higher horizon has rightly purged entries that others still keep.
  const horizon = Math.max(...holdings.map((each) => each.horizon));
  const held = holdings.map(
    ({ entries }) =>
      new Map(
        [...entries].flatMap(([key, each]) =>
          isGone(each, horizon) || isEmptied(each) ? [] : [[key, each.stamp]],
        ),
      ),
  );
  const keys = new Map<string, Holdings>();
  for (const stamps of held) {
    for (const key of stamps.keys()) {
      if (keys.has(key)) continue;
      const all = held.map((each) => each.get(key));
      if (differ(all)) keys.set(key, all);
    }
  }
  return { counts: held.map((stamps) => stamps.size), suspect: { ...range, keys } };
}

/** The newest of the stamps. */
export function newestOf(holdings: Holdings): Stamp | undefined {
  return holdings.reduce((newest, stamp) => {
    if (newest === undefined || stamp === undefined) return newest ?? stamp;
    return compareStamps(stamp, newest) > 0 ? stamp : newest;
  }, undefined);
}

/** Whether a party holds less than `stamp`. */
export function isOlder(held: Stamp | undefined, stamp: Stamp | undefined): boolean {
  if (stamp === undefined) return false;
  return held === undefined || compareStamps(held, stamp) < 0;
}

function differ(holdings: Holdings): boolean {
  const newest = newestOf(holdings);
  return holdings.some((held) => isOlder(held, newest));
}

/** The first of the keys in key order; null, the end of the key space, comes last. */
function lowest(keys: readonly (string | null)[]): string | null {
  return keys.reduce((first, key) => {
    if (first === null || key === null) return first ?? key;
    return compareKeys(key, first) < 0 ? key : first;
  }, null);
}
