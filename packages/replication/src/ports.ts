/**
 * What the replication machines need from the world. The machines are pure: they hold no socket, file, timer
 * or clock of their own, and everything they do is an answer to a call. The apps plug in WebSockets and
 * SQLite; the simulator plugs in a network that loses and disks that forget.
 *
 * Reads are synchronous (an embedded database, the page cache); commits are not, because they belong on
 * another thread. A `done` callback is called exactly once, in the order of the calls, never from inside
 * the call itself, and never after `close`.
 */
import type {
  Cursor,
  Entry,
  HorizonState,
  LogFrame,
  MeridianError,
  OutboxFrame,
  OutboxMark,
  QuarantinedEntry,
  ReplicaRecord,
  Summary,
} from "@meridian/protocol";

/** Called when something is durable, or with why it is not. */
export type Done = (failure?: MeridianError) => void;

/** A connection to one other party. Messages arrive whole, in order, at most once, until it closes. */
export interface Link {
  /** Sends a text message or a binary frame. Does nothing once the link is closed. */
  send(message: string | Uint8Array): void;
  /** Bytes handed to `send` that have not left this process. */
  readonly bufferedBytes: number;
  /** Closes the link with a WebSocket close code. The `onClose` of its owner is still called. */
  close(code: number, reason: string): void;
}

/** What the owner of a link hears from it. */
export interface LinkEvents {
  onOpen(): void;
  onMessage(message: string | Uint8Array): void;
  /** Called when `bufferedBytes` has fallen to a quarter of what it was bounded by. */
  onDrain(): void;
  /** Called once, last; `code` is the WebSocket close code. */
  onClose(code: number, reason: string): void;
}

/**
 * Opens a link to a directory: to the one at that place in the order of preference, counted from 0. Failing to
 * connect is a link that closes without opening.
 */
export type Dial = (events: LinkEvents, directory: number) => Link;

/** A node's durable state: the data, the outbox and the cursor, committed together. */
export interface ReplicaStore {
  /** The identity of this database: a whole number in [1, 2^48). */
  readonly incarnation: number;
  /** Where the node stood when the store was opened, or has been told to stand since. */
  readonly cursor: Cursor | undefined;
  /** Places in other logs before which the node has everything, as last told; newest last. */
  readonly others: readonly Cursor[];
  /** The last outbox position given out; 0 for none. */
  readonly outboxThrough: number;
  /** The last outbox position known to be committed by the directory. Invariant: ≤ outboxThrough. */
  readonly outboxAcknowledged: number;
  /** The highest stamp time the store has ever held: a clock restored from it never goes back. */
  readonly highestTime: number;
  /** The highest stamp time that a directory has admitted. Invariant: ≤ highestTime. */
  readonly admittedTime: number;
  /**
   * The last horizon that a record has made durable; 0 for none. Entries that are purgeable under it mean the same as
   * absent ones, and the store removes them when it gets round to it.
   */
  readonly horizon: number;
  /** The newest entry of `key`, tombstones and expired entries included; a purgeable one may be gone or not. */
  get(key: string): Entry | undefined;
  /**
   * Outbox frames after `position`, oldest first: as many as fit in `bytesMax`, at least one if there is one.
   * Frames that are appended but not yet durable are left out.
   */
  outboxAfter(position: number, bytesMax: number): readonly OutboxFrame[];
  /**
   * The keys after `key` (null: from the start) in key order, at most `limit`, tombstones and expired included. What is
   * purgeable under `horizon` is left out and does not count towards `limit`; it is never below the store's own,
   * which it is when not given. So the answer is the same before and after a purge.
   */
  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[];
  /** How many entries are in the quarantine, as far as it is durable. */
  readonly quarantined: number;
  /** Durable entries of the quarantine whose ids are above `id`, in the order of their ids, at most `limit`. */
  quarantinedAfter(id: number, limit: number): readonly QuarantinedEntry[];
  /** The entry of that id, if it is durably in the quarantine. */
  quarantinedEntry(id: number): QuarantinedEntry | undefined;
  /**
   * Makes a record durable. When one fails, so does everything appended after it and before its `done`, and the
   * store is as if none of it had been appended: the cursor, too, is again the last durable one.
   */
  append(record: ReplicaRecord, done: Done): void;
}

/** The directory's durable state: the log, compacted by key behind its recent frames. */
export interface DirectoryLog {
  /** Which log the sequences count in: a whole number in [1, 2^48), drawn when the database was made. */
  readonly logId: number;
  /**
   * The identity of the time since the log was opened: drawn each time, so that two lives that began from one
   * backup cannot be taken for each other. A whole number in [1, 2^48).
   */
  readonly epoch: number;
  /** Each epoch with the sequence just before its first, oldest first, this epoch included. */
  readonly epochs: readonly (readonly [epoch: number, after: number])[];
  /** The last durable sequence. */
  readonly committedThrough: number;
  /** The highest stamp time among the recent frames when the log was opened; 0 for none. */
  readonly highestTime: number;
  /** What this log durably has of other directories' logs, newest last: at most one for each epoch of a log. */
  readonly followed: readonly Cursor[];
  /** What was last made durable by `saveHorizon`. */
  readonly horizonState: HorizonState;
  /**
   * The highest sequence that any purged entry had; 0 for none. A reader that is not there yet would miss tombstones:
   * those of what it has, and those of older entries that frames still hold further on. Read after `read`,
   * it covers everything that was left out there.
   */
  readonly purgedThrough: number;
  /**
   * Why nothing becomes durable now, such as a full disk; undefined while all is well. What is appended waits meanwhile,
   * and is made durable in its order once that can be.
   */
  readonly stall: MeridianError | undefined;
  /** What is durable of one node's outbox. */
  outboxMark(incarnation: number): OutboxMark | undefined;
  /**
   * Makes a frame durable, and what it says is followed. Invariant: its `after` is the `through` of the frame appended
   * before it. One that ends where it starts only tells what is followed.
   */
  append(frame: LogFrame, done: Done): void;
  /**
   * Durable entries after `after`, in order: as many frames as fit in `bytesMax`, at least one if there is
   * anything. Each frame starts where the one before ended, the first at `after`.
   */
  read(after: number, bytesMax: number): readonly LogFrame[];
  /** Calls back when `summariesAfter` and `get` know everything that is durable now. */
  settle(done: Done): void;
  /** Makes the state of the horizon durable, in order with `append`. By itself it lets nothing be purged. */
  saveHorizon(state: HorizonState, done: Done): void;
  /**
   * Lets entries be removed, in bounded steps from here on: those that are purgeable under `horizon`, a durable one, and
   * whose sequence is at most `through`. Not before everything appended so far is merged: an older entry that
   * still waits in a journal would come back. What is removed, and `purgedThrough`, is one transaction.
   * The next call replaces this one; the permission itself is not durable. Frames that are kept as they came stay as
   * they are.
   */
  purge(horizon: number, through: number): void;
  /** Like that of a `ReplicaStore`; the log's own horizon is that of `horizonState`. */
  summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[];
  /** The newest entry of `key`, tombstones and expired entries included; a purgeable one may be gone or not. */
  get(key: string): Entry | undefined;
}
