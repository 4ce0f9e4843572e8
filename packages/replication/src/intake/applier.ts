/**
 * Takes in what the directory sends, in the order of the log.
 *
 * Invariants: `applied` moves only over contiguous frames, and frames at or below it are passed over;
 * cursor ≤ min(applied, committedThrough), and it is committed together with the entries that it covers. So a
 * node resumes from a place that it has and that no directory can lose by crashing, and what it gets twice
 * changes nothing.
 *
 * A compacted part of the log leaves out what later entries have replaced: within it the node may lack a write
 * that the log has before that place. Only once it has everything that the log had when the part was read does it
 * hold again what the log held at some moment, and says so.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  blockOf,
  decodeBlock,
  encodeBlock,
  FRAME_KIND,
  highestTimeOf,
  MeridianError,
  readFrameHeader,
  type Cursor,
  type Entry,
  type FrameHeader,
  type RemoteRecord,
} from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { ReplicaInfo } from "../node/replica-options.ts";
import type { ClusterClock } from "../time/cluster-clock.ts";
import type { HybridClock } from "../time/hybrid-clock.ts";

/** How an applier does without what was deleted long ago. */
export interface Screening {
  readonly horizon: ReplicaHorizon;
  readonly time: Pick<ClusterClock, "nowMs" | "confirmedMs">;
  /** Has the log hear of entries that are not taken in as they came; calls back once that is in the outbox. */
  offer(entries: readonly Entry[], done: () => void): void;
  /** Entries have gone into the quarantine. */
  onQuarantined(entries: readonly Entry[]): void;
}

/** What an applier needs. */
export interface ApplierOptions {
  readonly store: Pick<ReplicaStore, "cursor" | "admittedTime" | "append">;
  readonly stamps: Pick<HybridClock, "observe">;
  /** Without it, everything is taken in. */
  readonly screening?: Screening;
  /** Entries that may be news are in the store. */
  onEntries(entries: readonly Entry[]): void;
  /** A frame of the log that ends with `through` has brought these keys. */
  onTaken?(through: number, keys: readonly string[]): void;
  /** A donation has come in answer to an offer. */
  onDonation(id: number, count: number): void;
  /** `applied` has moved. */
  onApplied(): void;
  /** Everything through `through` is durable, and the sender of the frame wants to know. */
  onReport(through: number): void;
  onFailed(failure: MeridianError): void;
}

/** How many outboxes' positions are remembered. */
const ORIGINS_MAX = 4_096;

export class Applier {
  readonly #options: ApplierOptions;
  /** The last position seen of each outbox, in the log of this epoch. */
  readonly #origins = new Map<number, number>();
  #logId = 0;
  #epoch = 0;
  #applied = 0;
  /** Invariant: ≤ applied. */
  #durable = 0;
  /** How many records were appended, and of how many the store has told what became of them: the oldest first. */
  #appended = 0;
  #answered = 0;
  /** What is durable of the log says nothing before so many are answered. */
  #barrier = 0;
  /** Grows whenever the node stands somewhere else; what was appended before says nothing then. */
  #generation = 0;
  #committedThrough = 0;
  /** The highest sequence that the directory is known to have ordered. */
  #head = 0;
  /** Whether the cursor may follow: not before a reconciliation is over. */
  #resumable = false;
  /** Where frames began of which something is still to be offered: the cursor may not pass them before it is. */
  readonly #held = new Set<{ readonly sequence: number }>();
  #savedSequence = 0;
  #adopting = false;
  /** From here on the node has again what the log has: what comes compacted is a patchwork before that. */
  #wholeFrom = 0;
  /** The last place before that. Invariant: below `wholeFrom` where that is above `applied`. */
  #wholeBefore = 0;
  /** What the node is sent is whole only together with what node and log compare. */
  #reconciling = false;
  #admittedTime: number;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#admittedTime = options.store.admittedTime;
    const { cursor } = options.store;
    if (cursor !== undefined) this.#moveTo(cursor.logId, cursor.epoch, cursor.sequence);
    this.#resumable = cursor !== undefined && cursor.logId !== 0;
    this.#savedSequence = cursor?.sequence ?? 0;
  }

  get logId(): number {
    return this.#logId;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Everything through this sequence is in the store. */
  get applied(): number {
    return this.#applied;
  }

  /** The last sequence at which the node has what the log had there, or something newer of the same keys. */
  get wholeThrough(): number {
    return this.#reconciling ? 0 : this.#wholeAt(this.#applied);
  }

  get committedThrough(): number {
    return this.#committedThrough;
  }

  /** Sequences that the directory is known to have and this node has not. */
  get behind(): number {
    return Math.max(0, this.#head - this.#applied);
  }

  /** Where the node stands, for an operator. */
  get info(): Pick<ReplicaInfo, "logId" | "epoch" | "applied" | "committedThrough" | "behind"> {
    const { logId, epoch, applied, committedThrough, behind } = this;
    return { logId, epoch, applied, committedThrough, behind };
  }

  /** The highest stamp time that a directory has admitted, as far as this node has seen. */
  get admittedTime(): number {
    return this.#admittedTime;
  }

  /** Where the node may resume from in this log; undefined while the cursor may not follow. */
  get cursor(): Cursor | undefined {
    return this.#resumable ? this.progress : undefined;
  }

  /** What is applied and committed in this log. */
  get progress(): Cursor {
    let sequence = Math.min(this.#applied, this.#committedThrough);
    for (const held of this.#held) sequence = Math.min(sequence, held.sequence);
    return { logId: this.#logId, epoch: this.#epoch, sequence };
  }

  /** What is committed in this log and whole here: where the node may resume from after a restart, which forgets what was compacted. */
  get whole(): Cursor {
    const { progress } = this;
    return { ...progress, sequence: this.#wholeAt(progress.sequence) };
  }

  /** What is applied in this log. */
  get place(): Cursor {
    return { logId: this.#logId, epoch: this.#epoch, sequence: this.#applied };
  }

  /** Whether everything through `applied` is in the store, and the log has what the node has. */
  get isSettled(): boolean {
    return this.#resumable;
  }

  /** What the log has through this sequence is durable here, or something newer; 0 while the cursor may not follow. */
  get durableThrough(): number {
    if (!this.#resumable || this.#answered < this.#barrier) return 0;
    return this.#wholeAt(this.#durable);
  }

  /** The last position of that outbox that is in the store; undefined if none has been seen. */
  positionOf(incarnation: number): number | undefined {
    return this.#origins.get(incarnation);
  }

  /**
   * Goes on in a log, which has come to `head`, from a place that the node has. The cursor follows from `settle` on.
   */
  resume({ logId, epoch, sequence }: Cursor, head: number): void {
    const isSameLog = this.#logId === logId;
    const [wholeFrom, wholeBefore] = [this.#wholeFrom, this.#wholeBefore];
    this.#moveTo(logId, epoch, sequence);
    this.#resumable = false;
    if (!isSameLog) return;
    // What was left out was replaced by something durable; an epoch that lost its tail still has that.
    this.#wholeFrom = Math.min(wholeFrom, head);
    this.#wholeBefore = Math.min(wholeBefore, sequence);
  }

  /**
   * The node is to reconcile before it may resume from anywhere, also if it dies before it has begun: what it
   * has may be missing in the log although its cursor lies on it.
   */
  suspend(): void {
    this.#resumable = false;
    const cursor = { logId: 0, epoch: 0, sequence: 0 };
    this.#options.store.append({ kind: "progress", cursor }, (failure) => {
      if (failure !== undefined) this.#lose(failure);
    });
  }

  /** Starts at `head` of a log that the node reconciles with; there is no cursor until `settle`. */
  reconcileFrom(logId: number, epoch: number, head: number): void {
    this.#moveTo(logId, epoch, head);
    this.#resumable = false;
    this.#reconciling = true;
  }

  /** The log has what the node has: from here on the cursor follows. */
  settle(): void {
    this.#resumable = true;
    // What was donated may not be durable yet.
    if (this.#reconciling) this.#barrier = this.#appended;
    this.#reconciling = false;
    this.#savedSequence = -1;
    this.save();
  }

  /** Takes note of how far the log is ordered and committed. */
  observe(head: number, committedThrough: number): void {
    this.#head = Math.max(this.#head, head);
    this.#committedThrough = Math.max(this.#committedThrough, committedThrough);
  }

  /** Takes note of a stamp that the directory has admitted. */
  admit(time: number): void {
    if (time > this.#admittedTime) this.#admittedTime = time;
  }

  /** Takes in a frame. Throws `MALFORMED_MESSAGE` or `OUT_OF_ORDER`; the link is then to be closed. */
  take(bytes: Uint8Array): void {
    const header = readFrameHeader(bytes);
    const isDonation = header.kind === FRAME_KIND.donation;
    if (!isDonation) {
      this.observe(header.through, header.committedThrough);
      if (header.through <= this.#applied) return;
      if (header.after > this.#applied) {
        throw new MeridianError(
          "OUT_OF_ORDER",
          `Expected a frame after sequence ${this.#applied}, got one after ${header.after}`,
        );
      }
    }
    const entries = decodeBlock(blockOf(bytes), header.count);
    checkHeader(header, entries, isDonation);
    if (!isDonation) {
      if (header.incarnation === 0) this.#noteCompacted(header.position);
      this.#advance(header);
    }
    if (entries.length > 0) this.#append(header, entries, bytes, isDonation);
    if (isDonation) this.#options.onDonation(header.position, header.count);
    else this.#options.onApplied();
  }

  /** Adopts a horizon together with the cursor, if one is due and nothing below `lowestTime` is still to be sent. */
  adoptHorizon(lowestTime: () => number): void {
    const isLevel = this.#resumable && this.#held.size === 0 && this.wholeThrough === this.#applied;
    if (!isLevel || this.#adopting || this.#applied < this.#committedThrough) return;
    const horizon = this.#options.screening?.horizon.due(this.#applied, lowestTime());
    if (horizon === undefined) return;
    this.#adopting = true;
    const cursor = this.progress;
    this.#savedSequence = cursor.sequence;
    this.#options.store.append({ kind: "progress", cursor, horizon }, (failure) => {
      this.#adopting = false;
      if (failure !== undefined) this.#lose(failure);
    });
  }

  /** Makes the cursor durable, if it has moved. */
  save(): void {
    const cursor = this.whole;
    if (!this.#resumable || cursor.sequence <= this.#savedSequence) return;
    this.#savedSequence = cursor.sequence;
    this.#options.store.append({ kind: "progress", cursor }, (failure) => {
      if (failure !== undefined) this.#lose(failure);
    });
  }

  #append(
    header: FrameHeader,
    entries: readonly Entry[],
    bytes: Uint8Array,
    isDonation: boolean,
  ): void {
    this.#options.stamps.observe(header.highestTime);
    this.admit(header.highestTime);
    const record = this.#recordOf(header, entries, bytes, isDonation);
    if (!isDonation) {
      this.#options.onTaken?.(
        header.through,
        record.entries.map(({ key }) => key),
      );
    }
    const withCursor = this.#resumable && !isDonation;
    const cursor = this.whole;
    if (withCursor) this.#savedSequence = cursor.sequence;
    const generation = this.#generation;
    this.#appended += 1;
    const place = { ...this.place, sequence: header.through };
    const kept = isDonation ? record : { ...record, place };
    this.#options.store.append(withCursor ? { ...kept, cursor } : kept, (failure) => {
      this.#answered += 1;
      if (failure !== undefined) return this.#lose(failure);
      if (generation !== this.#generation) return;
      const isAll = this.#answered === this.#appended;
      this.#durable = isAll ? this.#applied : Math.max(this.#durable, header.through);
      if (header.reportApplied && this.#resumable) this.#options.onReport(this.durableThrough);
    });
    if (record.quarantined !== undefined) {
      this.#options.screening?.onQuarantined(record.quarantined.entries);
    }
    this.#options.onEntries(record.entries);
  }

  /** What the store is to take of a frame: nearly always all of it, as it came. */
  #recordOf(
    { highestTime, after }: FrameHeader,
    entries: readonly Entry[],
    bytes: Uint8Array,
    isDonation: boolean,
  ): RemoteRecord {
    const { screening } = this.#options;
    const atMs = screening?.time.nowMs() ?? 0;
    // What may still be live by anybody's clock is kept aside.
    const expiredByMs = screening?.time.confirmedMs() ?? 0;
    const screened = screening?.horizon.screen(entries, isDonation, expiredByMs);
    if (screened === undefined) {
      return { kind: "remote", entries, block: blockOf(bytes), highestTime };
    }
    const { kept, offered, quarantined } = screened;
    if (offered.length > 0) {
      const hold = { sequence: after };
      this.#held.add(hold);
      screening?.offer(offered, () => this.#held.delete(hold));
    }
    const record = {
      kind: "remote",
      entries: kept,
      block: encodeBlock(kept),
      highestTime,
    } as const;
    if (quarantined.length === 0) return record;
    return { ...record, quarantined: { entries: quarantined, atMs } };
  }

  /** What was taken in is not in the store: the node stands where the store says. */
  #lose(failure: MeridianError): void {
    const { cursor } = this.#options.store;
    this.#resumable = cursor !== undefined && cursor.logId !== 0;
    this.#moveTo(cursor?.logId ?? 0, cursor?.epoch ?? 0, cursor?.sequence ?? 0);
    this.#options.onFailed(failure);
  }

  /** A frame of a compacted part, which was read when the log had come to `head`. */
  #noteCompacted(head: number): void {
    if (head <= this.#wholeFrom) return;
    this.#wholeBefore = this.#wholeAt(this.#applied);
    this.#wholeFrom = head;
  }

  #wholeAt(sequence: number): number {
    return sequence >= this.#wholeFrom ? sequence : Math.min(sequence, this.#wholeBefore);
  }

  #advance(header: FrameHeader): void {
    this.#applied = header.through;
    if (this.#answered === this.#appended && header.count === 0) this.#durable = header.through;
    if (header.position === 0 || header.incarnation === 0) return;
    this.#origins.delete(header.incarnation);
    this.#origins.set(header.incarnation, header.position);
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
    this.#durable = sequence;
    // What was applied on the way here may not be durable yet.
    this.#barrier = this.#appended;
    this.#generation += 1;
    this.#committedThrough = sequence;
    this.#head = sequence;
    this.#savedSequence = sequence;
    this.#wholeFrom = this.#wholeBefore = 0;
    this.#reconciling = false;
    this.#held.clear();
    this.#origins.clear();
  }
}

/** The node's clock and cursor go by the header: it has to be that of the entries. */
function checkHeader(header: FrameHeader, entries: readonly Entry[], isDonation: boolean): void {
  const { count, after, through } = header;
  const highest = highestTimeOf(entries);
  if (highest === header.highestTime && (isDonation || count <= through - after)) return;
  throw new MeridianError(
    "MALFORMED_MESSAGE",
    `Expected a frame of the newest stamp ${highest} and ${count} sequences, got ${header.highestTime} and ${through - after}`,
  );
}
