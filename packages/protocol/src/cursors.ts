import { CURSORS_MAX } from "./limits.ts";
import type { Cursor } from "./message.ts";

/** The list with `cursor` as its newest, which is last. One for each epoch of a log, the furthest; the oldest go. */
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

/** Keys that a frame of a log has brought to a node, beyond the node's cursor. */
export interface TailRun {
  /** Where the frame ends. */
  readonly place: Cursor;
  readonly keys: readonly string[];
}

/**
 * Whether a frame that ends at `place` is still beyond a node's cursor, once that has moved from `before` to `after`. A cursor in another
 * log or epoch than before is made durable only when the node owes nothing to it any more, so it covers all that came from elsewhere.
 */
export function isBeyond(place: Cursor, before: Cursor | undefined, after: Cursor): boolean {
  if (after.logId === 0) return false;
  if (isSameEpoch(place, after)) return place.sequence > after.sequence;
  return before !== undefined && isSameEpoch(before, after);
}

function isSameEpoch(a: Cursor, b: Cursor): boolean {
  return a.logId === b.logId && a.epoch === b.epoch;
}
