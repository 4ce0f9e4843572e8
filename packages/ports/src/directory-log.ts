import type {
  Cursor,
  Entry,
  HorizonState,
  LogFrame,
  MeridianError,
  OutboxMark,
  RememberedMember,
  Summary,
} from "@meridian/protocol";

import type { Done } from "./done.ts";
import type { EntryMark } from "./entry-mark.ts";
import type { LogDoubt } from "./log-doubt.ts";
import type { SummaryPage } from "./summary-page.ts";

/** The directory's durable state: the log, compacted by key behind its recent frames. */
export interface DirectoryLog {
  /** Which log the sequences count in: a whole number in [1, 2^48), drawn when the database was made. */
  readonly logId: number;
  /**
   * The epoch, which identifies the time since the log was opened: a whole number in [1, 2^48), drawn at each opening, so that two
   * directories that were started from one backup have different epochs.
   */
  readonly epoch: number;
  /** Each epoch with the sequence just before its first, oldest first, this epoch included. */
  readonly epochs: readonly (readonly [epoch: number, after: number])[];
  /** The last durable sequence. */
  readonly committedThrough: number;
  /** The highest stamp time among the recent frames when the log was opened; 0 for none. */
  readonly highestTime: number;
  /** The highest stamp time that `admit` has made durable, and at least `highestTime` when the log was opened. */
  readonly admittedTime: number;
  /** What this log durably has of other directories' logs, newest last: at most one for each epoch of a log. */
  readonly followed: readonly Cursor[];
  /**
   * The epochs of `followed` that this log was compared with, each through the head at which the last comparison began. A comparison passes
   * over what is purgeable. So this log may have neither an entry before that head, nor the tombstone that has replaced it there.
   */
  readonly compared: readonly Cursor[];
  /** What was last made durable by `saveHorizon`. */
  readonly horizonState: HorizonState;
  /** What was last made durable by `saveDoubt`; null for a log of which nothing is known to be missing. */
  readonly doubt: LogDoubt | null;
  /**
   * The highest sequence that any purged entry had; 0 for none. A reader whose place lies before it would miss tombstones: those of
   * entries that it has, and those of older entries in frames that it has still to read. Read `purgedThrough` after `read`: then it covers
   * everything that `read` has left out.
   */
  readonly purgedThrough: number;
  /**
   * Why nothing becomes durable now, such as a full disk; undefined while all is well. Frames that are appended meanwhile wait, and become
   * durable in their order afterwards.
   */
  readonly stall: MeridianError | undefined;
  /** The last durable frame of one node's outbox. */
  outboxMark(incarnation: number): OutboxMark | undefined;
  /**
   * Makes a frame durable, and its `followed` and `compared`. Invariant: its `after` is the `through` of the frame appended before it. A frame with
   * `after` = `through` has no entries and only brings these.
   */
  append(frame: LogFrame, done: Done): void;
  /**
   * Durable entries after `after`, in order: as many frames as fit in `bytesMax` and one turn may read, at least one if there is
   * anything. Each frame starts where the one before ended, the first at `after`.
   */
  read(after: number, bytesMax: number): readonly LogFrame[];
  /** Calls back when `summariesAfter` and `get` know everything that is durable now. */
  settle(done: Done): void;
  /** `get`, `peek` and `summariesAfter` know everything through this sequence, and perhaps more. Invariant: ≤ committedThrough. */
  readonly mergedThrough: number;
  /**
   * Calls back once it is sure that no other process had appended anything to the log by the time of the call. A log that only one process can have
   * open need not do anything for that.
   */
  confirm(done: Done): void;
  /** Makes durable, in order with `append`, that stamps up to `time` are admitted: `admittedTime` never falls. */
  admit(time: number, done: Done): void;
  /** Makes the state of the horizon durable, in order with `append`. By itself it lets nothing be purged. */
  saveHorizon(state: HorizonState, done: Done): void;
  /** Makes durable that the log may lack something, or with null that an operator goes on with it as it is. */
  saveDoubt(doubt: LogDoubt | null, done: Done): void;
  /**
   * Lets entries be removed, in bounded steps from here on: those that are purgeable under `horizon`, a durable one, and
   * whose sequence is at most `through`. Not before everything appended so far is merged: an older entry that
   * still waits in a journal would come back. What is removed, and `purgedThrough`, is one transaction.
   * The next call replaces this one; the permission itself is not durable. Frames that are kept as they came stay as
   * they are.
   */
  purge(horizon: number, through: number): void;
  /** The nodes that `remember` has made durable, forgotten ones included, in no order. */
  readonly members: readonly RememberedMember[];
  /**
   * Makes what is known of these nodes durable, each in the place of what was known under its id, and removes those of the ids in
   * `dropped`.
   */
  remember(members: readonly RememberedMember[], dropped: readonly string[], done: Done): void;
  /** Like that of a `ReplicaStore`; the log's own horizon is that of `horizonState`. */
  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[];
  /** Like that of a `ReplicaStore`. */
  summaryPage(key: string | null, limit: number, horizon?: number): SummaryPage;
  /** The newest entry of `key`, tombstones and expired entries included; a purgeable one may be gone or not. */
  get(key: string): Entry | undefined;
  /** Likewise, without the bytes of its value. */
  peek(key: string): EntryMark | undefined;
}
