/**
 * What a log in a stream needs of the database that is made from the stream, and of the folder that has it. `SqliteFolder` implements this; the
 * simulation has it in memory.
 */
import type { DirectoryLog, Done, LogDoubt } from "@meridian/ports";
import type { HorizonState, LogFrame, RememberedMember } from "@meridian/protocol";
import type { StreamPlace } from "@meridian/store";

/** A log that notes with what it makes durable, in one transaction, the place of that in a stream. */
export interface LogState extends DirectoryLog {
  /** The message that was last applied durably; undefined before the first. */
  readonly place: StreamPlace | undefined;
  append(frame: LogFrame, done: Done, place?: StreamPlace): void;
  admit(time: number, done: Done, place?: StreamPlace): void;
  saveHorizon(state: HorizonState, done: Done, place?: StreamPlace): void;
  saveDoubt(doubt: LogDoubt | null, done: Done, place?: StreamPlace): void;
  remember(
    members: readonly RememberedMember[],
    dropped: readonly string[],
    done: Done,
    place?: StreamPlace,
  ): void;
  /** Makes the epochs of the stream durable, in order with `append`. They replace those that are known. */
  saveEpochs(epochs: DirectoryLog["epochs"], done: Done, place: StreamPlace): void;
  /** Finishes what was appended, then lets go of the files. */
  close(): Promise<void>;
  /** Stops at once: what is not durable is given up, without a call of its `done`. */
  abort(): Promise<void>;
}

/** A copy of a database as of one commit. */
export interface StateCopy {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
  /** The bytes from `at` on: at least one, and at most `bytesMax`; none where the copy ends. */
  read(at: number, bytesMax: number): Promise<Uint8Array>;
  /** Removes the copy. */
  remove(): Promise<void>;
}

/** A copy that is being made. */
export interface RunningCopy {
  readonly done: Promise<StateCopy>;
  /** Ends it. Resolves once nothing of it is left, unless it was done before. */
  stop(): Promise<void>;
}

/** A database that comes in pieces. */
export interface ReceivedState {
  write(data: Uint8Array): Promise<void>;
  /** Puts what has come in the place of the folder's database if `isWhole`, and drops it otherwise. */
  end(isWhole: boolean): Promise<void>;
}

/** A folder with one database, which at most one process has open. */
export interface StateFolder<State extends LogState = LogState> {
  /** Which folder it is, for people. */
  readonly name: string;
  /** Opens the database, which begins an epoch. One that is created now gets the id `logId`. */
  open(logId: number): Promise<State>;
  /** Keeps the database, which is closed, under another name, in the place of the one that was set aside before. */
  setAside(): Promise<void>;
  /** Removes the database, which is closed: all that it has is elsewhere. */
  drop(): Promise<void>;
  /** Begins to take in another database. The present one is closed. */
  receive(): Promise<ReceivedState>;
  /** Begins to copy the database, which may be open. */
  copy(): Promise<RunningCopy>;
  /** The epoch that was noted last in this folder; undefined for none. The database cannot tell: it may be made from a snapshot of another's. */
  ownEpoch(): Promise<number | undefined>;
  noteEpoch(epoch: number): Promise<void>;
}
