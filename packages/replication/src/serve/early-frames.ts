/**
 * Which frames of its nodes a directory that does not write the log may give to its other nodes before they are ordered: those that the log will take in
 * as they are, whoever writes it then. That follows from the stream: stamps up to the bound that is durable there are admitted, what is above the horizon
 * is not buried, and a frame that is the next of its outbox is not passed over. Of what only the writer can know, nothing is guessed: such frames wait for
 * their place, as all did before.
 */
import type { DirectoryLog } from "@meridian/ports";
import {
  assembleFrame,
  blockOf,
  checkBlock,
  FRAME_KIND,
  MeridianError,
  readFrameHeader,
  type FrameHeader,
} from "@meridian/protocol";

/** What is read of a log. */
type EarlyLog = Pick<DirectoryLog, "outboxMark" | "admittedTime" | "horizonState">;

/** Larger frames wait: what is sent early is sent twice. */
const EARLY_BYTES_MAX = 64 * 1024;

/** The outbox of one node, as its frames pass on one link. */
export class PassingOutbox {
  readonly #log: EarlyLog;
  readonly #incarnation: number;
  /** The last position that has passed. */
  #through = 0;
  /** The highest stamp time of what has passed: the log may refuse a frame of it until that is admitted. */
  #highestTime = 0;

  constructor(log: EarlyLog, incarnation: number) {
    this.#log = log;
    this.#incarnation = incarnation;
  }

  /**
   * A frame passes on its way to the writer. Returns it as the neighbours of its node get it; undefined if it is to wait for its place in the log.
   * `isWanted` says whether any of them takes it.
   */
  pass(bytes: Uint8Array, isWanted: boolean): Uint8Array | undefined {
    try {
      const header = readFrameHeader(bytes);
      const isOwn = header.kind === FRAME_KIND.entries && header.incarnation === this.#incarnation;
      if (!isOwn || !this.#isAdmitted(header) || !isWanted) return undefined;
      return earlyOf(this.#log, header, bytes);
    } catch (cause) {
      // The writer says what is wrong with it, and may be of another version than this directory.
      if (cause instanceof MeridianError) return undefined;
      throw cause;
    }
  }

  /** Whether the log is sure to take in this frame next, and all before it. */
  #isAdmitted({ position, highestTime }: FrameHeader): boolean {
    const ordered = this.#log.outboxMark(this.#incarnation)?.position ?? 0;
    const isNext = position === Math.max(this.#through, ordered) + 1;
    // What is sent again may have new stamps, and those behind it, too.
    const isAgain = position <= this.#through;
    if (!isNext && !isAgain) return false;
    const isFirst = isAgain || ordered >= this.#through;
    this.#through = position;
    this.#highestTime = isFirst ? highestTime : Math.max(this.#highestTime, highestTime);
    return isNext && this.#highestTime <= this.#log.admittedTime;
  }
}

function earlyOf(log: EarlyLog, header: FrameHeader, bytes: Uint8Array): Uint8Array | undefined {
  const { count, highestTime, incomplete } = header;
  if (incomplete || count === 0 || bytes.byteLength > EARLY_BYTES_MAX) return undefined;
  const block = blockOf(bytes);
  const { lowestTime, hasReserved, hasAttributes } = checkBlock(block, count, highestTime);
  if (lowestTime <= log.horizonState.horizon || hasReserved || hasAttributes) return undefined;
  const nowhere = { after: 0, through: 0, committedThrough: 0, reportApplied: false };
  return assembleFrame({ ...header, ...nowhere, kind: FRAME_KIND.early }, block);
}
