import type { DirectoryLog } from "@meridian/ports";
import {
  assembleFrame,
  blockOf,
  burial,
  decodeBlock,
  encodeBlock,
  FRAME_KIND,
  highestTimeOf,
  isPurgeable,
  type Entry,
  type FrameHeader,
} from "@meridian/protocol";

/** A frame some of whose entries were deleted long ago. */
export interface StaleFrame {
  /** The burials of these entries, as a frame of no outbox, so that the sender gets it, too. */
  readonly burials: Uint8Array;
  /** The frame with the burials in place of what they bury: as many entries, and the same newest stamp. */
  readonly buried: Uint8Array;
}

/**
 * Buries the entries of a frame that were made at or before `horizon` and whose keys the log does not know: the log has forgotten that
 * they were deleted. Returns undefined if the frame has no such entries.
 */
export function buryStale(
  log: DirectoryLog,
  horizon: number,
  bytes: Uint8Array,
  header: FrameHeader,
): StaleFrame | undefined {
  const entries = decodeBlock(blockOf(bytes), header.count);
  const burials: Entry[] = [];
  const altered = entries.map((entry) => {
    if (!isStale(log, horizon, entry)) return entry;
    burials.push(graveOf(log, entry));
    return burial(entry.key, entry.stamp.time);
  });
  if (burials.length === 0) return undefined;
  const own = {
    ...header,
    kind: FRAME_KIND.entries,
    reportApplied: false,
    incomplete: false,
    count: burials.length,
    highestTime: highestTimeOf(burials),
    incarnation: 0,
    position: 0,
  };
  return {
    burials: assembleFrame(own, encodeBlock(burials)),
    buried: assembleFrame(header, encodeBlock(altered)),
  };
}

/**
 * The burial that tells everyone that a stale entry was deleted. If the log still has something of the key, the burial is for that, a
 * little younger. So the burial becomes the log's newest entry of the key, and the feed carries it to everyone.
 */
export function graveOf(log: DirectoryLog, { key, stamp }: Entry): Entry {
  const held = log.peek(key)?.stamp.time ?? 0;
  return burial(key, stamp.time >= held ? stamp.time : held + 1);
}

/** Whether an entry was made at or before `horizon` and the log has nothing of its key: it was deleted. */
export function isStale(log: DirectoryLog, horizon: number, entry: Entry): boolean {
  if (entry.stamp.time > horizon || isPurgeable(entry, horizon)) return false;
  const held = log.peek(entry.key);
  return held === undefined || isPurgeable(held, horizon);
}
