/** Rows of a journal that are no longer needed are deleted in runs, each by one statement, which takes a bounded time: a row may be large. */

/** A run has no more rows than this, … */
export const RUN_ROWS = 32;

/** … and ends before the row with which the blocks of those behind its first have more bytes. */
export const RUN_BYTES: number = 64 * 1024;

/** A number by which rows are ordered, and the bytes of the row's block. */
export type SizedRow = readonly [at: number, bytes: number];

/** The numbers of the last rows of the runs that these rows, in their order, fall into. */
export function runEnds(rows: readonly SizedRow[]): readonly number[] {
  const ends: number[] = [];
  let count = 0;
  let bytesBehind = 0;
  let end = 0;
  for (const [at, bytes] of rows) {
    if (count === RUN_ROWS || (count > 0 && bytesBehind + bytes > RUN_BYTES)) {
      ends.push(end);
      count = 0;
      bytesBehind = 0;
    }
    if (count > 0) bytesBehind += bytes;
    count += 1;
    end = at;
  }
  if (count > 0) ends.push(end);
  return ends;
}
