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
