/**
 * Checks what a directory says against what its peer knows to be possible: what the peer told in its greeting, and what it has sent on
 * the link. PROTOCOL.md, "What is possible", lists every check. A claim that cannot be true ends the link before it changes anything.
 */
import {
  MeridianError,
  type DirectoryMessage,
  type Follow,
  type Hello,
  type Welcome,
} from "@meridian/protocol";

import { STAMPABLE_TIME_MAX } from "../time/clock-vote.ts";

/** How a node, or a directory that follows, introduces itself. */
export type Greeting = Hello | Follow;

/**
 * Throws `MALFORMED_MESSAGE` if a directory takes its peer in at a place where it has never been, or has more of its outbox than there is;
 * `UNSUPPORTED_VERSION` if the peer has not offered one of the features.
 */
export function checkWelcome(welcome: Welcome, greeting: Greeting): void {
  const { logId, epochs, head, resumeAfter, homeThrough } = welcome;
  const unknown = welcome.features.find((name) => !greeting.features.includes(name));
  if (unknown !== undefined) {
    const said = `Expected features that were offered, got \`${unknown}\``;
    throw new MeridianError("UNSUPPORTED_VERSION", said);
  }
  const { cursors } = greeting;
  const [home, outboxThrough] =
    greeting.type === "hello" ? [greeting.home, greeting.outboxThrough] : [null, 0];
  atMost("resumeAfter", resumeAfter, head);
  atMost("homeThrough", homeThrough, home?.sequence ?? 0);
  atMost("outboxThrough", welcome.outboxThrough, outboxThrough);
  let before = 0;
  for (const [, after] of epochs) {
    atMost("epochs", before, after);
    atMost("epochs", after, head);
    before = after;
  }
  const isKnown = cursors.some((each) => each.logId === logId && each.sequence === resumeAfter);
  if (resumeAfter === 0 || isKnown) return;
  throw impossible("resumeAfter", "one of the node's cursors", resumeAfter);
}

/** Throws `MALFORMED_MESSAGE` if a directory speaks of outbox positions after `sentThrough`, the last that was sent on the link. */
export function checkOutboxPosition(message: DirectoryMessage, sentThrough: number): void {
  if (message.type === "acknowledge") atMost("outboxThrough", message.outboxThrough, sentThrough);
  if (message.type === "refuse" || message.type === "applied-by") {
    atMost("position", message.position, sentThrough);
  }
}

/** Throws `MALFORMED_MESSAGE` if no stamp can be made above a horizon. */
export function checkHorizon(horizon: number): void {
  atMost("horizon", horizon, STAMPABLE_TIME_MAX - 1);
}

function atMost(what: string, got: number, most: number): void {
  if (got > most) throw impossible(what, `at most ${most}`, got);
}

function impossible(what: string, expected: string, got: number): MeridianError {
  return new MeridianError("MALFORMED_MESSAGE", `Expected \`${what}\` of ${expected}, got ${got}`);
}
