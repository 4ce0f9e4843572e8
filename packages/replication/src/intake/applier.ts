/**
 * Takes in what the directory sends, in the order of the log.
 *
 * Invariants: `applied` moves only over contiguous frames, and frames at or below it are passed over; cursor ≤ min(applied, committedThrough), and it
 * is committed together with the entries that it covers. So a node resumes from a place that it has and that no directory loses in a crash. Entries
 * that it gets twice change nothing.
 */
import type { Done } from "@meridian/ports";
import {
  blockOf,
  decodeBlock,
  FRAME_KIND,
  highestTimeOf,
  MeridianError,
  readFrameHeader,
  tracesOf,
  type Cursor,
  type Entry,
  type FrameHeader,
  type TraceContext,
} from "@meridian/protocol";

import type { Emitter } from "../events.ts";
import type { Rules } from "../rules.ts";
import type { LogPosition } from "./log-position.ts";

/** A frame that has been checked. */
export interface ReceivedFrame {
  readonly header: FrameHeader;
  readonly entries: readonly Entry[];
  /** The encoded entries, as they came. */
  readonly block: Uint8Array;
  /** What its writes are parts of. */
  readonly traces: readonly TraceContext[];
  /** Whether the frame is a donation: it answers an offer, and has no place in the log. */
  readonly isDonation: boolean;
}

/** A cursor to make durable, and the horizon that the node adopts with it. */
export interface Progress {
  readonly cursor: Cursor;
  readonly horizon?: number;
}

/** Called once, when a frame is durable or has failed. Returns whether the owner still stands in the log that the frame came from. */
export type Kept = (failure?: MeridianError) => boolean;

/** Where an applier keeps what it takes in. Records become durable in the order in which they are handed over. */
export interface Intake {
  /** Keeps the entries of a frame, together with the cursor that the position has by then. */
  keep(frame: ReceivedFrame, kept: Kept): void;
  /** Keeps a cursor without entries. */
  save(progress: Progress, done: Done): void;
  /** Takes what has come before it is ordered, or lets it be. Returns false where none was to be sent. */
  takeEarly?(frame: ReceivedFrame): boolean;
}

/** What an applier tells its owner. */
export interface ApplierEvents {
  /** `applied` has moved. */
  applied(): void;
  /** Entries have come in answer to the offer of that id. */
  donated(id: number, count: number): void;
  /** A frame could not be kept: the owner stands where its store says. */
  lost(failure: MeridianError): void;
}

/** What an applier shares with the other parts of its owner. */
export interface ApplierContext {
  readonly events: Emitter<ApplierEvents>;
  readonly rules: Rules;
}

/** Applies frames to an `Intake` in the order of the log, and keeps the cursor. */
export class Applier {
  readonly #position: LogPosition;
  readonly #intake: Intake;
  readonly #context: ApplierContext;
  #isAdopting = false;
  /** How many records the intake has not answered yet. */
  #unanswered = 0;

  constructor(position: LogPosition, intake: Intake, context: ApplierContext) {
    this.#position = position;
    this.#intake = intake;
    this.#context = context;
  }

  /** Whether anything is on its way to the disk. */
  get isKeeping(): boolean {
    return this.#unanswered > 0;
  }

  /** Takes in a frame. Throws `MALFORMED_MESSAGE` or `OUT_OF_ORDER`; the link is then to be closed. */
  take(bytes: Uint8Array): void {
    const header = readFrameHeader(bytes);
    if (header.kind === FRAME_KIND.early) return this.#takeEarly(header, bytes);
    const isDonation = header.kind === FRAME_KIND.donation;
    if (!isDonation && !this.#isNext(header)) return;
    const block = blockOf(bytes);
    const entries = decodeBlock(block, header.count);
    checkHeader(header, entries, isDonation);
    if (!isDonation) this.#position.advance(header);
    if (entries.length > 0)
      this.#keep({ header, entries, block, traces: tracesOf(bytes), isDonation });
    if (isDonation) this.#context.events.emit.donated(header.position, header.count);
    else this.#context.events.emit.applied();
  }

  /**
   * The node has to reconcile before it may resume from anywhere, even if it dies before it has begun: the log may lack entries of the
   * node although the node's cursor lies in that log.
   */
  suspend(): void {
    if (!this.#context.rules.comparisonOutlivesCrash) return;
    this.#position.unsettle();
    this.#save({ cursor: { logId: 0, epoch: 0, sequence: 0 } });
  }

  /** The log has everything that the node has: from here on the cursor follows. */
  settle(): void {
    this.#position.becomeSettled();
    this.save();
  }

  /** Makes the cursor durable, if it has moved. */
  save(): void {
    const cursor = this.#position.takeMovedCursor();
    if (cursor !== undefined) this.#save({ cursor });
  }

  /** Adopts the horizon that is due, together with the cursor. `due` is asked only where the node is level with its log. */
  adoptHorizon(due: () => number | undefined): void {
    if (this.#isAdopting || !this.#position.isLevel) return;
    const horizon = due();
    if (horizon === undefined) return;
    this.#isAdopting = true;
    this.#save({ cursor: this.#position.takeLevelCursor(), horizon }, () => {
      this.#isAdopting = false;
    });
  }

  /** A frame has come that is not ordered: the position stays where it is. */
  #takeEarly(header: FrameHeader, bytes: Uint8Array): void {
    const block = blockOf(bytes);
    const entries = decodeBlock(block, header.count);
    checkHeader(header, entries, true);
    const frame = { header, entries, block, traces: [], isDonation: false };
    if (this.#intake.takeEarly?.(frame) === true) return;
    throw new MeridianError(
      "MALFORMED_MESSAGE",
      "Expected frames that were agreed on, got an early one",
    );
  }

  /**
   * Whether a frame follows directly on `applied`; false for a frame at or below it, which the applier ignores. Throws `OUT_OF_ORDER`
   * for a gap, and `MALFORMED_MESSAGE` for a kind of frame that only nodes send.
   */
  #isNext({ after, through, committedThrough, incomplete }: FrameHeader): boolean {
    if (incomplete)
      throw new MeridianError(
        "MALFORMED_MESSAGE",
        "Expected a frame of a log, got one that only nodes send",
      );
    this.#position.observe(through, committedThrough);
    const { applied } = this.#position;
    if (through <= applied) return false;
    if (after <= applied) return true;
    const said = `Expected a frame after sequence ${applied}, got one after ${after}`;
    throw new MeridianError("OUT_OF_ORDER", said);
  }

  #keep(frame: ReceivedFrame): void {
    const ticket = this.#position.append(frame.header.through);
    this.#unanswered += 1;
    this.#intake.keep(frame, (failure) => {
      this.#unanswered -= 1;
      if (failure === undefined) return this.#position.stored(ticket);
      this.#position.refused();
      this.#context.events.emit.lost(failure);
      return false;
    });
  }

  #save(progress: Progress, onDone?: () => void): void {
    this.#unanswered += 1;
    this.#intake.save(progress, (failure) => {
      this.#unanswered -= 1;
      onDone?.();
      if (failure !== undefined) this.#context.events.emit.lost(failure);
    });
  }
}

/** Throws unless the header fits the entries: the node's clock and cursor rely on the header. */
function checkHeader(header: FrameHeader, entries: readonly Entry[], isDonation: boolean): void {
  const { count, after, through } = header;
  const highest = highestTimeOf(entries);
  if (highest === header.highestTime && (isDonation || count <= through - after)) return;
  throw new MeridianError(
    "MALFORMED_MESSAGE",
    `Expected a frame of the newest stamp ${highest} and ${count} sequences, got ${header.highestTime} and ${through - after}`,
  );
}
