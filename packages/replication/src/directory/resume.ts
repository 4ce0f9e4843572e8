import type { DirectoryLog } from "@meridian/ports";
import { cursorIn, type Cursor, type Hello } from "@meridian/protocol";

/** How a peer goes on in this log. */
export interface Resume {
  readonly resume: "feed" | "reconcile";
  /** The sequence that the feed starts after. */
  readonly resumeAfter: number;
  /** This log has everything that the peer's home has through this sequence. */
  readonly homeThrough: number;
}

/** How a node goes on, and whether that shows that this log has lost something. */
export interface NodeResume extends Resume {
  readonly isLoss: boolean;
}

const RECONCILE: Resume = { resume: "reconcile", resumeAfter: 0, homeThrough: 0 };
const FROM_THE_BEGINNING: Resume = { resume: "feed", resumeAfter: 0, homeThrough: 0 };

/** The part of a log that this file reads. */
type Log = Pick<
  DirectoryLog,
  "logId" | "epochs" | "committedThrough" | "followed" | "compared" | "purgedThrough"
>;

/**
 * A node is fed if two conditions hold: it has a place in this log after which nothing was purged, and it is known how far this log has what the node
 * has. It is not fed if this log was compared with the log of the node's home after the node had been there: an entry that the node got there may
 * have been deleted since, and the comparison may have left out the tombstone. A node without a home is fed from the beginning. `head` is the last
 * sequence that has been ordered, `committedPosition` the last of the node's outbox that is committed, `horizon` the log's.
 */
export function resumeOfNode(
  log: Log,
  head: number,
  committedPosition: number | undefined,
  horizon: number,
  hello: Pick<Hello, "cursors" | "home" | "outboxAcknowledged" | "horizon">,
): NodeResume {
  const { cursors, home, outboxAcknowledged } = hello;
  const own = cursors.filter(({ logId }) => logId === log.logId);
  const resumeAfter = furthest(log, own);
  const isHere = home === null || home.logId === log.logId;
  const isMissing = isHere && outboxAcknowledged > (committedPosition ?? 0);
  const isKnown = own.length > 0 || committedPosition !== undefined;
  const isAhead = hello.horizon > horizon;
  const isLost = own.length > 0 && resumeAfter === undefined;
  // A node that comes from another log may be ahead of this one by a moment.
  const isLoss = isLost || (isKnown && isHere && (isMissing || isAhead));
  if (isAhead) return { ...RECONCILE, isLoss };
  if (home === null) {
    const isFed = !isMissing && log.purgedThrough === 0;
    return { ...(isFed ? FROM_THE_BEGINNING : RECONCILE), isLoss };
  }
  const comparedThrough = cursorIn(log.compared, home)?.sequence ?? 0;
  const isPassedOver = !isHere && home.sequence < comparedThrough;
  const through = isHere ? endOf(log, home, head) : cursorIn(log.followed, home)?.sequence;
  const isBehind = resumeAfter === undefined || resumeAfter < log.purgedThrough;
  if (isBehind || isPassedOver || through === undefined) return { ...RECONCILE, isLoss };
  const homeThrough = Math.min(through, home.sequence);
  return { resume: "feed", resumeAfter, homeThrough, isLoss };
}

/**
 * A directory is fed if it has a place in this log after which nothing was purged, or if its log is empty. What its log has and this one lacks, this
 * directory gets by following that log.
 */
export function resumeOfFollower(log: Log, cursors: readonly Cursor[], isEmpty: boolean): Resume {
  const resumeAfter = furthest(log, cursors) ?? (isEmpty ? 0 : undefined);
  if (resumeAfter === undefined || resumeAfter < log.purgedThrough) return RECONCILE;
  return { resume: "feed", resumeAfter, homeThrough: 0 };
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

/** The sequence at which the cursor's epoch ended: `head` for the current epoch, undefined for an epoch of another log. */
function endOf(log: Log, { epoch }: Cursor, head: number): number | undefined {
  const index = log.epochs.findIndex(([known]) => known === epoch);
  return index < 0 ? undefined : (log.epochs[index + 1]?.[1] ?? head);
}
