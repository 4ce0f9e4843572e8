/**
 * The place of a node in the log that feeds it, and what follows from this place.
 *
 * The node stands in the log in one of three ways:
 * - `settled`: the log holds everything that the node holds. The cursor follows what is applied and committed, beginning with the log's head at the
 *   moment of settling: writes of the node that another log has acknowledged may stand anywhere before that.
 * - `unsettled`: the node goes on from a place that it has, and the log may lack something of the node's. There is no cursor.
 * - `reconciling`: the two compare what they hold. What the node is sent is complete only together with what the comparison
 *   brings, so nothing is `whole`, and there is no cursor.
 *
 * A compacted frame omits entries that a later entry has overwritten. Until the node has applied the log up to the head at
 * which that frame was read, its data is a mixture that never existed in the log. The node therefore reports only
 * `wholeThrough`. Example: it has applied 50; frames 51 to 60 come compacted, read at head 90. At `applied` 60 it still reports
 * 50, and at 90 it reports 90.
 */
import type { Cursor, FrameHeader, Welcome } from "@meridian/protocol";

import { DurableRecords, type RecordTicket } from "./durable-records.ts";

/** For how many outboxes the last position is remembered. */
const ORIGINS_MAX = 4_096;

/** A stretch of the log that came compacted. Invariant: `before` < `from`. */
interface Compacted {
  /** The last sequence before the stretch at which the node's data equalled the log's. */
  readonly before: number;
  /** From this sequence on it equals the log's again. */
  readonly from: number;
  /** The log was committed through this sequence at least. The entries that have overwritten what the frames omit lie at or before it. */
  readonly committedThrough: number;
}

/** Keeps where a node stands in a log: applied, committed, whole, durable. */
export class LogPosition {
  #state: "settled" | "unsettled" | "reconciling" = "unsettled";
  #logId = 0;
  #epoch = 0;
  #applied = 0;
  #committedThrough = 0;
  /** The highest sequence that the directory is known to have ordered. Invariant: ≥ applied. */
  #head = 0;
  #compacted: Compacted | undefined;
  /** The first sequence from which the cursor follows. */
  #followedFrom = 0;
  /** The sequence of the cursor that was last handed to the store. */
  #savedSequence = 0;
  readonly #durable = new DurableRecords();
  /** The sequences before frames of which entries still have to be offered to the log. The cursor may not pass them before that is done. */
  readonly #held = new Set<{ readonly sequence: number }>();
  /** The last position seen of each outbox, in the log of this epoch. */
  readonly #origins = new Map<number, number>();

  /** A position at `cursor`, or in no log if there is none. */
  constructor(cursor: Cursor | undefined) {
    this.returnTo(cursor);
  }

  get logId(): number {
    return this.#logId;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Everything through this sequence is in the store, or on its way there. */
  get applied(): number {
    return this.#applied;
  }

  get committedThrough(): number {
    return this.#committedThrough;
  }

  /** Whether the log holds everything that the node holds. */
  get isSettled(): boolean {
    return this.#state === "settled";
  }

  /** Whether a reconciliation is under way of which every frame so far was stored. */
  get isReconciling(): boolean {
    return this.#state === "reconciling";
  }

  /** The last sequence at which the node has, for every key, what the log had or something newer. */
  get wholeThrough(): number {
    return this.#state === "reconciling" ? 0 : this.#wholeAt(this.#applied);
  }

  /**
   * Whether the node is settled, and has applied what the log had by the end of their comparison. The log may have taken what the node offered for something
   * else: it buries what it has deleted long ago, and the node serves that until it has applied the burial.
   */
  get isAbreast(): boolean {
    return this.isSettled && this.wholeThrough >= this.#followedFrom;
  }

  /** Through this sequence, the log's entries or newer ones of their keys are durable here; 0 while the cursor may not follow. */
  get durableThrough(): number {
    return this.#isFollowed ? this.#wholeAt(this.#durable.through) : 0;
  }

  get #isFollowed(): boolean {
    return this.isSettled && this.#wholeSequence >= this.#followedFrom;
  }

  /** How many sequences the directory is known to have ordered that this node has not applied. */
  get behind(): number {
    return Math.max(0, this.#head - this.#applied);
  }

  /** Whether the node has applied everything that is committed, all of it whole, and owes the log nothing. */
  get isLevel(): boolean {
    const isWhole = this.isSettled && this.wholeThrough === this.#applied;
    return isWhole && this.#held.size === 0 && this.#applied >= this.#committedThrough;
  }

  /** What is applied in this log. */
  get place(): Cursor {
    return { logId: this.#logId, epoch: this.#epoch, sequence: this.#applied };
  }

  /** What is applied and committed in this log. */
  get progress(): Cursor {
    return { logId: this.#logId, epoch: this.#epoch, sequence: this.#progressSequence };
  }

  get #progressSequence(): number {
    let sequence = Math.min(this.#applied, this.#committedThrough);
    for (const held of this.#held) sequence = Math.min(sequence, held.sequence);
    return sequence;
  }

  /** Where the node may resume from in this log; undefined while the cursor may not follow. */
  get cursor(): Cursor | undefined {
    return this.isSettled ? this.progress : undefined;
  }

  /**
   * The place through which the log is committed and the node is whole. The node may resume from there after a restart, although it then does not
   * remember the compacted stretches.
   */
  get whole(): Cursor {
    return { logId: this.#logId, epoch: this.#epoch, sequence: this.#wholeSequence };
  }

  get #wholeSequence(): number {
    return this.#wholeAt(this.#progressSequence);
  }

  /** The cursor that is stored with the next frame; undefined while none may follow. */
  takeCursor(): Cursor | undefined {
    if (!this.#isFollowed) return undefined;
    const cursor = this.whole;
    this.#savedSequence = cursor.sequence;
    return cursor;
  }

  /** The cursor, if it has moved since one was last taken. */
  takeMovedCursor(): Cursor | undefined {
    return this.#wholeSequence > this.#savedSequence ? this.takeCursor() : undefined;
  }

  /** The cursor of a node that is level. */
  takeLevelCursor(): Cursor {
    const { progress } = this;
    this.#savedSequence = progress.sequence;
    return progress;
  }

  /** Where the node stands, for an operator. */
  get info(): Pick<LogPosition, "logId" | "epoch" | "applied" | "committedThrough" | "behind"> {
    const { logId, epoch, applied, committedThrough, behind } = this;
    return { logId, epoch, applied, committedThrough, behind };
  }

  /** The last position of that outbox that is in the store; undefined if none has been seen. */
  positionOf(incarnation: number): number | undefined {
    return this.#origins.get(incarnation);
  }

  /** Goes on in a log, which has come to `head`, from a place that the node has. */
  becomeUnsettled({ logId, epoch, sequence }: Cursor, head: number): void {
    const compacted = this.#logId === logId ? this.#compacted : undefined;
    this.#moveTo(logId, epoch, sequence);
    this.#state = "unsettled";
    if (compacted === undefined) return;
    // A compacted frame omits only what a durable entry has overwritten, and an epoch that lost its tail still has durable entries.
    const { before, from, committedThrough } = compacted;
    const end = Math.min(from, head);
    this.#compacted = { before: Math.min(before, sequence), from: end, committedThrough };
  }

  /**
   * Whether the log has lost what had overwritten entries that compacted frames omitted, because it was restored from a backup. A node
   * that goes on from a place within them would never get these entries. Example: frames 471 to 573 came compacted from a
   * log that was committed through 662. A backup of that log that ends at 660 has the omitted entry 513, but not 661, which had
   * overwritten it.
   */
  hasLost({
    logId,
    epochs,
    resumeAfter,
  }: Pick<Welcome, "logId" | "epochs" | "resumeAfter">): boolean {
    const compacted = this.#logId === logId ? this.#compacted : undefined;
    if (compacted === undefined) return false;
    if (resumeAfter <= compacted.before || resumeAfter >= compacted.from) return false;
    const index = epochs.findIndex(([epoch]) => epoch === this.#epoch);
    const next = epochs[index + 1];
    if (index < 0) return true;
    return next !== undefined && next[1] < compacted.committedThrough;
  }

  /** The log may lack entries of the node, although the node's place lies in it. A reconciliation that was begun is still needed. */
  unsettle(): void {
    if (this.#state === "settled") this.#state = "unsettled";
  }

  /** Starts at `head` of a log that the node compares itself with, and that is committed through `committedThrough` as far as is known. */
  becomeReconciling(
    logId: number,
    epoch: number,
    head: number,
    committedThrough: number = head,
  ): void {
    this.#moveTo(logId, epoch, head);
    this.#committedThrough = committedThrough;
    this.#state = "reconciling";
  }

  /** The log holds everything that the node holds: from here on the cursor follows. */
  becomeSettled(): void {
    // Donated entries may not be durable yet.
    const isCompared = this.#state === "reconciling";
    if (isCompared) this.#durable.awaitAll();
    const from = isCompared ? this.#committedThrough : this.#applied;
    this.#followedFrom = Math.max(this.#followedFrom, from);
    this.#state = "settled";
    this.#savedSequence = -1;
  }

  /** A record was not stored: the node goes back to the cursor of its store, or to no log if the store has none. */
  returnTo(cursor: Cursor | undefined): void {
    const { logId, epoch, sequence } = cursor ?? { logId: 0, epoch: 0, sequence: 0 };
    this.#moveTo(logId, epoch, sequence);
    this.#state = logId === 0 ? "unsettled" : "settled";
  }

  /** Takes note of how far the log is ordered and committed. */
  observe(head: number, committedThrough: number): void {
    this.#head = Math.max(this.#head, head);
    this.#committedThrough = Math.max(this.#committedThrough, committedThrough);
  }

  /** A frame that follows on what is applied has come. */
  advance({ through, count, incarnation, position, committedThrough }: FrameHeader): void {
    // The position of a compacted frame is the head at which it was read.
    if (incarnation === 0) this.#noteCompacted(position, committedThrough);
    this.#applied = through;
    if (count === 0) this.#durable.pass(through);
    if (incarnation !== 0 && position !== 0) this.#noteOrigin(incarnation, position);
  }

  /** A record with entries of the log through `through` is handed to the store. */
  append(through: number): RecordTicket {
    return this.#durable.append(through);
  }

  /** The store has taken that record. Returns whether the node still stands where it was when the record was made. */
  stored(ticket: RecordTicket): boolean {
    return this.#durable.take(ticket, this.#applied);
  }

  /** The store has refused a record. */
  refused(): void {
    this.#durable.refuse();
  }

  /** Keeps the cursor from passing `sequence` until the function that is returned is called. */
  hold(sequence: number): () => void {
    const held = { sequence };
    this.#held.add(held);
    return () => void this.#held.delete(held);
  }

  #noteCompacted(head: number, committedThrough: number): void {
    const known = this.#compacted;
    const isKnown = known !== undefined && head <= known.from;
    const stretch = isKnown ? known : { before: this.#wholeAt(this.#applied), from: head };
    const committed = Math.max(committedThrough, known?.committedThrough ?? 0);
    this.#compacted = { ...stretch, committedThrough: committed };
  }

  #wholeAt(sequence: number): number {
    if (this.#compacted === undefined || sequence >= this.#compacted.from) return sequence;
    return Math.min(sequence, this.#compacted.before);
  }

  #noteOrigin(incarnation: number, position: number): void {
    this.#origins.delete(incarnation);
    this.#origins.set(incarnation, position);
    if (this.#origins.size <= ORIGINS_MAX) return;
    for (const oldest of this.#origins.keys()) {
      this.#origins.delete(oldest);
      return;
    }
  }

  #moveTo(logId: number, epoch: number, sequence: number): void {
    this.#logId = logId;
    this.#epoch = epoch;
    this.#applied = sequence;
    this.#committedThrough = sequence;
    this.#followedFrom = 0;
    this.#head = sequence;
    this.#savedSequence = sequence;
    this.#durable.moveTo(sequence);
    this.#compacted = undefined;
    this.#held.clear();
    this.#origins.clear();
  }
}
