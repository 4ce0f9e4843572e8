/**
 * Until when a write may be made. A client that gets no answer sends its write to another node. The node that it was sent to first may have been frozen
 * or cut off, and read the write later: made then, it would be newer than all that was written meanwhile. So a client says up to when it waits, by the
 * clock of the node that it asks, and the node refuses the write from then on. What counts is the moment at which the write gets its stamp, whatever it
 * has waited for before: for its body, a session's position, the disk.
 */
import { MeridianError } from "@meridian/protocol";

/** A deadline that lies further ahead, in milliseconds, is a mistake: it would keep nothing from being made late. */
const DEADLINE_AHEAD_MS_MAX = 3_600_000;

/**
 * Throws `DEADLINE_PASSED` for a write that must not be made any more, and `INVALID_ARGUMENT` for a deadline that is too far ahead. Both errors tell
 * `nowMs`, this node's time, by which the client may try again.
 */
export function checkDeadline(deadlineMs: number | undefined, nowMs: number): void {
  if (deadlineMs === undefined) return;
  const leftMs = deadlineMs - nowMs;
  if (leftMs > 0 && leftMs <= DEADLINE_AHEAD_MS_MAX) return;
  const details = { deadlineMs, nowMs: Math.floor(nowMs) };
  if (leftMs <= 0) {
    throw new MeridianError(
      "DEADLINE_PASSED",
      `Expected to make the write before ${deadlineMs}, but it is ${details.nowMs} here; nothing was written`,
      { details },
    );
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a deadline at most ${DEADLINE_AHEAD_MS_MAX} ms ahead, got ${deadlineMs}, and it is ${details.nowMs} here`,
    { details },
  );
}
