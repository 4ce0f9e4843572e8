/**
 * Checks what a peer says of itself against what this directory knows to be possible: how many sequences it has given out in this epoch, and how many
 * it has sent on this link. The schema of a message checks what does not depend on the state of the link, and the sequencer checks how far ahead
 * stamps lie. PROTOCOL.md, "What is possible", lists all of it.
 *
 * A claim that cannot be true ends that one link before it changes anything.
 */
import { isAddress, MeridianError, type Cursor, type Follow, type Hello } from "@meridian/protocol";

/** What a directory knows of its own log. */
export interface OwnLog {
  readonly logId: number;
  readonly epoch: number;
  /** The last sequence given out. The frame may not have gone out yet: a node may have it from a stream. */
  readonly ordered: number;
  /** The watermark. */
  readonly committedThrough: number;
}

/** Throws `MALFORMED_MESSAGE` if a node claims a place in the current epoch that it cannot have been told of. */
export function checkPlaces({ cursors, home }: Pick<Hello, "cursors" | "home">, log: OwnLog): void {
  checkCursors({ cursors }, log);
  if (home !== null) checkSequence("home.sequence", home, log, log.ordered);
}

/** The same of a directory that follows. */
export function checkCursors({ cursors }: Pick<Follow, "cursors">, log: OwnLog): void {
  for (const cursor of cursors) {
    checkSequence("cursors.sequence", cursor, log, log.committedThrough);
  }
}

/** Throws `MALFORMED_MESSAGE` if a node names no address of its own and its connection has none, because the node is gone already. */
export function checkReachable({ ip, url }: Pick<Hello, "ip" | "url">, seenFrom: string): void {
  if (ip !== null || url !== null || isAddress(seenFrom)) return;
  const said = `Expected a node that can be reached at an address, got \`${seenFrom}\``;
  throw new MeridianError("MALFORMED_MESSAGE", said);
}

function checkSequence(what: string, place: Cursor, log: OwnLog, most: number): void {
  if (place.logId !== log.logId || place.epoch !== log.epoch || place.sequence <= most) return;
  throw impossible(what, most, place.sequence);
}

/** Throws `MALFORMED_MESSAGE` if a peer says that it has applied what it was not sent. */
export function checkApplied(what: string, through: number, sentThrough: number): void {
  if (through > sentThrough) throw impossible(what, sentThrough, through);
}

function impossible(what: string, most: number, got: number): MeridianError {
  const said = `Expected \`${what}\` of at most ${most}, got ${got}`;
  return new MeridianError("MALFORMED_MESSAGE", said);
}
