/**
 * The header of a frame: what its numbers mean, and what each of them may be. `frame.ts` has the layout.
 */
import { MeridianError } from "./errors.ts";
import { FRAME_ENTRIES_MAX } from "./limits.ts";
import { STAMP_TIME_MAX } from "./stamp.ts";

/** The bytes of a frame before its entries. */
export const FRAME_HEADER_BYTES = 64;

/** The bytes of an entry before its key. */
export const ENTRY_HEADER_BYTES = 32;

/** The flags of a frame. */
const REPORT_APPLIED = 1;
const INCOMPLETE = 2;

/** What a frame is for. */
export const FRAME_KIND = {
  /** Entries on their way into or out of the log. */
  entries: 1,
  /** Entries given to a reconciling node, outside the order of the log. */
  donation: 2,
  /** Entries that are on their way to the directory that orders them: told to nodes beside the writer, outside the order of the log. */
  early: 3,
} as const;

/** The fields of a frame's header. */
export interface FrameHeader {
  readonly kind: number;
  /** The sender waits to hear which nodes have applied this frame. */
  readonly reportApplied: boolean;
  /** The log may lack earlier writes of the outbox, which another log has acknowledged: the position says nothing of them. Only from a node. */
  readonly incomplete: boolean;
  readonly count: number;
  /** The sequence just before this frame. Invariant: after ≤ through. */
  readonly after: number;
  /** The sequence of its last entry; above `after + count` where the log was compacted. */
  readonly through: number;
  /** How far the directory's log is committed. */
  readonly committedThrough: number;
  /** The highest stamp time among the entries; 0 for an empty frame. */
  readonly highestTime: number;
  readonly sentAtMs: number;
  /** Whose outbox the frame came from; 0 where that is no longer known. */
  readonly incarnation: number;
  /** Its number in that outbox, counted from 1; 0 for none, which an early frame never has. In a donation: the id of the offer that it answers. */
  readonly position: number;
}

/** The header fields that the directory fills in when it orders a frame. */
export interface FrameOrder {
  readonly after: number;
  readonly through: number;
  readonly committedThrough: number;
  readonly sentAtMs: number;
}

const WHOLE_FIELDS = [
  "after",
  "through",
  "committedThrough",
  "highestTime",
  "incarnation",
  "position",
] as const satisfies readonly (keyof FrameHeader)[];

/** Reads the header of a frame. Throws `MALFORMED_MESSAGE` if a field is out of its range or the frame is too short for `count` entries. */
export function readFrameHeader(frame: Uint8Array): FrameHeader {
  if (frame.byteLength < FRAME_HEADER_BYTES) {
    throw malformed(`a frame of at least ${FRAME_HEADER_BYTES} bytes`, `${frame.byteLength} bytes`);
  }
  const view = viewOf(frame);
  const kind = view.getUint8(0);
  const flags = view.getUint8(1);
  const header = {
    kind,
    reportApplied: (flags & REPORT_APPLIED) !== 0,
    incomplete: (flags & INCOMPLETE) !== 0,
    count: view.getUint32(4, true),
    after: view.getFloat64(8, true),
    through: view.getFloat64(16, true),
    committedThrough: view.getFloat64(24, true),
    highestTime: view.getFloat64(32, true),
    sentAtMs: view.getFloat64(40, true),
    incarnation: view.getFloat64(48, true),
    position: view.getFloat64(56, true),
  };
  if (kind < FRAME_KIND.entries || kind > FRAME_KIND.early) {
    throw malformed("a frame of kind 1 to 3", `kind ${kind}`);
  }
  if (flags > REPORT_APPLIED + INCOMPLETE) throw malformed("known flags", `flags ${flags}`);
  for (const field of WHOLE_FIELDS) {
    if (!isWhole(header[field])) throw malformed(`a whole \`${field}\``, `${header[field]}`);
  }
  if (!Number.isFinite(header.sentAtMs)) {
    throw malformed("a finite `sentAtMs`", `${header.sentAtMs}`);
  }
  if (header.after > header.through) {
    throw malformed(`\`through\` at or above ${header.after}`, `${header.through}`);
  }
  if (header.count > FRAME_ENTRIES_MAX) {
    throw malformed(`at most ${FRAME_ENTRIES_MAX} entries in a frame`, `${header.count}`);
  }
  if (kind === FRAME_KIND.early) checkEarly(header, flags);
  const headerBytes = FRAME_HEADER_BYTES + view.getUint16(2, true);
  if (headerBytes + header.count * ENTRY_HEADER_BYTES > frame.byteLength) {
    throw malformed(`room for ${header.count} entries`, `${frame.byteLength} bytes`);
  }
  return header;
}

/** What is early has entries of a known place in an outbox, and none in a log. */
function checkEarly(header: FrameHeader, flags: number): void {
  const { count, after, through, committedThrough, incarnation, position } = header;
  const isPlaced = count > 0 && incarnation > 0 && position > 0;
  if (isPlaced && after + through + committedThrough + flags === 0) return;
  throw malformed("an early frame of a place in an outbox, and of no sequences", "another");
}

/** Writes a header over the first 64 bytes of `frame`; the length of its extension stays. */
export function writeFrameHeader(frame: Uint8Array, header: FrameHeader): void {
  const view = viewOf(frame);
  view.setUint8(0, header.kind);
  view.setUint8(
    1,
    (header.reportApplied ? REPORT_APPLIED : 0) | (header.incomplete ? INCOMPLETE : 0),
  );
  view.setUint32(4, header.count, true);
  view.setFloat64(32, header.highestTime, true);
  view.setFloat64(48, header.incarnation, true);
  view.setFloat64(56, header.position, true);
  orderFrame(frame, header);
}

/** Writes `order` into a frame's header, in place. */
export function orderFrame(frame: Uint8Array, order: FrameOrder): void {
  const view = viewOf(frame);
  view.setFloat64(8, order.after, true);
  view.setFloat64(16, order.through, true);
  view.setFloat64(24, order.committedThrough, true);
  view.setFloat64(40, order.sentAtMs, true);
}

/** Sets the position of an incomplete frame to 0, in place: readers would conclude from a position that the log has all earlier ones. */
export function hidePosition(frame: Uint8Array): void {
  const view = viewOf(frame);
  view.setUint8(1, view.getUint8(1) & ~INCOMPLETE);
  view.setFloat64(56, 0, true);
}

/** A view on the bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether a number is one that the wire may carry. */
export function isWhole(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= STAMP_TIME_MAX;
}

/** What is wrong with a frame. */
export function malformed(expected: string, got: string): MeridianError {
  return new MeridianError("MALFORMED_MESSAGE", `Expected ${expected}, got ${got}`);
}
