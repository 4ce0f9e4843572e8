import { CURSORS_MAX } from "./limits.ts";
import type { Cursor } from "./message.ts";

/**
 * Returns the list with `cursor` at its end, where the newest stands. The list has one cursor for each epoch of a log, the one with the
 * highest sequence, and at most `CURSORS_MAX`; the oldest are dropped.
 */
export function withCursor(cursors: readonly Cursor[], cursor: Cursor): Cursor[] {
  const known = cursorIn(cursors, cursor);
  const sequence = Math.max(cursor.sequence, known?.sequence ?? 0);
  const others = cursors.filter((each) => each !== known);
  return [...others.slice(1 - CURSORS_MAX), { ...cursor, sequence }];
}

/** The cursor of that epoch of that log, if there is one in the list. */
export function cursorIn(
  cursors: readonly Cursor[],
  { logId, epoch }: Pick<Cursor, "logId" | "epoch">,
): Cursor | undefined {
  return cursors.find((each) => each.logId === logId && each.epoch === epoch);
}

/** Those of `cursors` whose epochs are also in `others`. */
export function cursorsIn(cursors: readonly Cursor[], others: readonly Cursor[]): Cursor[] {
  return cursors.filter((each) => cursorIn(others, each) !== undefined);
}

/** The keys of a frame that a node has applied and whose end lies after the node's cursor. */
export interface TailRun {
  /** Where the frame ends. */
  readonly place: Cursor;
  readonly keys: readonly string[];
}

/**
 * Whether a frame that ends at `place` still lies after a node's cursor, once that cursor has moved from `before` to `after`. A node makes a
 * cursor in another log or epoch durable only once that log has everything that the node has. So such a cursor covers all frames of
 * other logs and epochs: with `before` in epoch 3 and `after` in epoch 4, a frame of epoch 3 does not lie after the cursor.
 */
export function isBeyond(place: Cursor, before: Cursor | undefined, after: Cursor): boolean {
  if (after.logId === 0) return false;
  if (isSameEpoch(place, after)) return place.sequence > after.sequence;
  return before !== undefined && isSameEpoch(before, after);
}

function isSameEpoch(a: Cursor, b: Cursor): boolean {
  return a.logId === b.logId && a.epoch === b.epoch;
}
