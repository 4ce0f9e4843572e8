import { cursorIn, type Cursor, type Hello } from "@meridian/protocol";

import type { DirectoryLog } from "./ports.ts";

/** How a peer goes on in this log. */
export interface Resume {
  readonly resume: "feed" | "reconcile";
  /** The sequence that the feed starts after. */
  readonly resumeAfter: number;
  /** This log has what the peer's home has through here. */
  readonly homeThrough: number;
}

const RECONCILE: Resume = { resume: "reconcile", resumeAfter: 0, homeThrough: 0 };

/** What is asked of a log here. */
type Log = Pick<DirectoryLog, "logId" | "epochs" | "committedThrough" | "followed">;

/**
 * A node is fed if it has a place in this log, and it can be told how far this log has what the node has. One that
 * has never been anywhere is fed from the beginning. `head` is the last sequence that has been ordered, and
 * `committedPosition` the last of the node's outbox that is committed.
 */
export function resumeOfNode(
  log: Log,
  head: number,
  committedPosition: number,
  { cursors, home, outboxAcknowledged }: Pick<Hello, "cursors" | "home" | "outboxAcknowledged">,
): Resume {
  if (home === null) {
    const isKnown = outboxAcknowledged <= committedPosition;
    return isKnown ? { resume: "feed", resumeAfter: 0, homeThrough: 0 } : RECONCILE;
  }
  const resumeAfter = furthest(log, cursors);
  const through =
    home.logId === log.logId ? endOf(log, home, head) : cursorIn(log.followed, home)?.sequence;
  if (resumeAfter === undefined || through === undefined) return RECONCILE;
  return { resume: "feed", resumeAfter, homeThrough: Math.min(through, home.sequence) };
}

/** A directory is fed if it has a place in this log, or has nothing yet: what it has and this log has not, this one gets by following in turn. */
export function resumeOfFollower(log: Log, cursors: readonly Cursor[], isEmpty: boolean): Resume {
  const resumeAfter = furthest(log, cursors) ?? (isEmpty ? 0 : undefined);
  return resumeAfter === undefined ? RECONCILE : { resume: "feed", resumeAfter, homeThrough: 0 };
}

/** The furthest of the places that lie on this log; undefined if none does. */
function furthest(log: Log, cursors: readonly Cursor[]): number | undefined {
  let best: number | undefined;
  for (const cursor of cursors) {
    if (cursor.logId !== log.logId) continue;
    const end = endOf(log, cursor, log.committedThrough);
    if (end === undefined || cursor.sequence > end) continue;
    best = Math.max(best ?? 0, cursor.sequence);
  }
  return best;
}

/** Where the cursor's epoch ended; `head` if it is the current one, undefined if it is none of this log's. */
function endOf(log: Log, { epoch }: Cursor, head: number): number | undefined {
  const index = log.epochs.findIndex(([known]) => known === epoch);
  return index < 0 ? undefined : (log.epochs[index + 1]?.[1] ?? head);
}
