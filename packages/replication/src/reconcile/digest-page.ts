/** Digests of parts of the key space, for whoever compares parties from outside, a bounded piece at a time. */
import { compareKeys, type KeyRange, type Summary } from "@meridian/protocol";

import { DigestBuilder, type Digest, type SummarySource } from "./digest.ts";

/** What there is in the beginning of a range. Equal data give equal pages to equal questions. */
export interface DigestPage extends Digest {
  /** The key that the next page starts after; null if the range ends here. */
  readonly next: string | null;
}

/** How many entries are read before other work runs. */
const STEP = 1_000;

/** The digest of the first `limit` entries of a range. `nowMs` is as for `DigestBuilder.add`. */
export async function digestPage(
  source: SummarySource,
  { after, through }: KeyRange,
  limit: number,
  defer: (callback: () => void) => void,
  nowMs?: number,
): Promise<DigestPage> {
  const builder = new DigestBuilder();
  let [from, left] = [after, limit];
  for (;;) {
    const wanted = Math.min(left, STEP);
    const read: readonly Summary[] = source.summariesAfter(from, wanted);
    const within =
      through === null ? read : read.filter(({ key }) => compareKeys(key, through) <= 0);
    for (const summary of within) builder.add(summary, nowMs);
    left -= within.length;
    const last = within.at(-1)?.key ?? null;
    if (within.length < wanted || last === through) return { ...builder.finish(), next: null };
    if (left === 0) return { ...builder.finish(), next: last };
    from = last;
    await new Promise<void>((resolve) => defer(resolve));
  }
}
