/**
 * Digests of key ranges: how two parties find out where their data differ without sending it.
 *
 * Every entry is hashed by its key, stamp and attributes to two 32-bit words, and a range's fingerprint is the sum of its
 * entries' words, each modulo 2^32. Equal data have equal digests whatever the order in which they came;
 * different data have equal ones with probability 2^-64. The hash is not cryptographic: a party who can choose
 * keys and stamps could make two ranges look alike.
 *
 * For whoever compares parties from outside, an entry whose value was emptied before its time is hashed to something else than one that
 * still has its value. Emptied in time it is hashed as it was: parties empty when they get round to it.
 */
import type { ReplicaStore, SummaryPage } from "@meridian/ports";
import type { Summary } from "@meridian/protocol";

/** What there is in a range of keys. */
export interface Digest {
  /** Entries in the range, tombstones and expired ones included. */
  readonly count: number;
  /** 16 hexadecimal digits. */
  readonly fingerprint: string;
}

/** What a digest is taken of: a store or a log. */
export interface SummarySource {
  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[];
}

/** No byte of attributes is mixed in like that. */
const EMPTIED = 0x656d7074;

/** What is read in bounded pages: a store or a log. */
export type PagedSource = Pick<ReplicaStore, "summaryPage">;

/** Adds entries up to a digest. */
export class DigestBuilder {
  #count = 0;
  #high = 0;
  #low = 0;

  /** With `nowMs`, what has been emptied and had not expired by then is told from what has not. */
  add(summary: Summary, nowMs: number = Infinity): void {
    const { key, stamp, attributes, emptiedUntilMs = 0 } = summary;
    let high = 0x9e3779b9;
    let low = 0x85ebca6b;
    const mix = (word: number): void => {
      high = Math.imul(high ^ word, 0xcc9e2d51);
      high = (high << 15) | (high >>> 17);
      low = Math.imul(low + word, 0x1b873593) ^ (low >>> 15);
    };
    for (let index = 0; index < key.length; index += 1) mix(key.charCodeAt(index));
    mix(Math.floor(stamp.time / 2 ** 32));
    mix(stamp.time | 0);
    mix(Math.floor(stamp.origin / 2 ** 32));
    mix(stamp.origin | 0);
    if (attributes !== undefined) for (const byte of attributes) mix(byte);
    if (emptiedUntilMs > nowMs) mix(EMPTIED);
    this.#count += 1;
    this.#high = (this.#high + finish(high ^ low)) >>> 0;
    this.#low = (this.#low + finish(low + Math.imul(high, 0x27d4eb2f))) >>> 0;
  }

  finish(): Digest {
    return { count: this.#count, fingerprint: hex(this.#high) + hex(this.#low) };
  }
}

/** The digest of a few entries. */
export function digestOf(summaries: readonly Summary[]): Digest {
  const builder = new DigestBuilder();
  for (const summary of summaries) builder.add(summary);
  return builder.finish();
}

/** How many keys are looked at before other work runs. */
const PAGE = 256;

/**
 * The digest of everything in `source`. Reads in pages and lets other work run between them, so it is exact
 * only for a source that does not change meanwhile. `nowMs` is as for `DigestBuilder.add`.
 */
export async function digestAll(
  source: PagedSource,
  defer: (callback: () => void) => void,
  nowMs?: number,
): Promise<Digest> {
  const builder = new DigestBuilder();
  let after: string | null = null;
  for (;;) {
    const { summaries, next }: SummaryPage = source.summaryPage(after, PAGE);
    for (const summary of summaries) builder.add(summary, nowMs);
    if (next === null) return builder.finish();
    after = next;
    await new Promise<void>((resolve) => defer(resolve));
  }
}

/** The avalanche of MurmurHash3. */
function finish(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
