/** Digests of parts of the key space, for whoever compares parties from outside, a bounded piece at a time. */
import type { SummaryPage } from "@meridian/ports";
import { compareKeys, type KeyRange } from "@meridian/protocol";

import { DigestBuilder, type Digest, type PagedSource } from "./digest.ts";

/** What there is in the beginning of a range. Equal data give equal pages to equal questions. */
export interface DigestPage extends Digest {
  /** The key that the next page starts after; null if the range ends here. */
  readonly next: string | null;
}

/** How many keys are looked at before other work runs. */
const STEP = 256;

/** The digest of the first `limit` entries of a range. `nowMs` is as for `DigestBuilder.add`. */
export async function digestPage(
  source: PagedSource,
  { after, through }: KeyRange,
  limit: number,
  defer: (callback: () => void) => void,
  nowMs?: number,
): Promise<DigestPage> {
  const builder = new DigestBuilder();
  const isBeyond = (key: string): boolean => through !== null && compareKeys(key, through) > 0;
  let [from, left] = [after, limit];
  for (;;) {
    const { summaries, next }: SummaryPage = source.summaryPage(from, Math.min(left, STEP));
    const within = summaries.filter(({ key }) => !isBeyond(key));
    for (const summary of within) builder.add(summary, nowMs);
    left -= within.length;
    const last = within.at(-1)?.key ?? null;
    // Whether purgeable keys follow must not show: another party may have removed them.
    if (left === 0) return { ...builder.finish(), next: last === through ? null : last };
    if (next === null || next === through || isBeyond(next)) {
      return { ...builder.finish(), next: null };
    }
    from = next;
    await new Promise<void>((resolve) => defer(resolve));
  }
}
