/**
 * The work of the writer between commits: it folds and trims the journal, empties expired values, removes purgeable entries, checkpoints, and gives
 * free pages back.
 *
 * When no commit has come for a moment, it does what is behind in short steps. A step takes about two milliseconds, so that is how
 * long a commit waits for it at most; only a checkpoint may take longer. Under commits without a pause,
 * folding is put off until its backlog counts, and then gets a share of the time that grows with
 * the backlog: what is folded late is folded cheaply, newest stamp per key only. A few records of the redo file are folded in
 * the transaction that commits them: nobody waits for it, and rows that are folded in it and no longer needed are never written.
 */
import type { Clock } from "@meridian/runtime";
import type Database from "better-sqlite3";
import type { Checkpointer } from "./checkpointer.ts";
import type { FoldAlong } from "./commits.ts";
import { diskErrno } from "./disk.ts";
import type { DiskRoom } from "./disk-room.ts";
import { Fold } from "./fold.ts";
import type { JournalRows } from "./journal.ts";
import { PurgePermits } from "./purge-permits.ts";
import type { StoreKind } from "./schema.ts";
import { explain, type Explained } from "./store-error.ts";
import type { StoreTuning } from "./store-options.ts";
import { Sweep } from "./sweep.ts";
import type { Transactions } from "./transactions.ts";
import type { PurgeScope, WriterReply } from "./writer-messages.ts";

/** How long a step may take, in milliseconds. */
const STEP_MS = 2;

/** After this many milliseconds without a commit the writer turns to background work. */
const QUIET_MS = 2;

/** The backlogs, in bytes of journal, at which folding starts to take time from commits and at which it would take all of it. */
const BACKLOG_SOFT_BYTES = 4 * 1024 * 1024;
const BACKLOG_HARD_BYTES = 48 * 1024 * 1024;

/** The most time that commits may owe to folding, in milliseconds. */
const DEBT_MAX_MS = 20;

/** A walk over the table gets a step this often however many commits there are, in milliseconds. */
const SWEEP_EVERY_MS = 50;

/** The parts that background work needs. */
export interface BackgroundParts {
  readonly path: string;
  readonly store: StoreKind;
  readonly tuning: StoreTuning;
  readonly clock: Clock;
  readonly database: Database.Database;
  readonly journal: JournalRows;
  readonly transactions: Transactions;
  readonly checkpointer: Checkpointer;
  readonly room: DiskRoom;
  reply(reply: WriterReply<never>): void;
  /** A step has failed, and no room could be made for it. */
  onHindered(failure: Explained): void;
}

/** Runs background work, one step at a time. */
export class BackgroundWork {
  readonly #parts: BackgroundParts;
  readonly #clock: Clock;
  readonly #journal: JournalRows;
  readonly #fold: Fold;
  readonly #sweep: Sweep;
  readonly #permits = new PurgePermits();
  /** Whether the main thread reads journal and table side by side: then it has to hear of a fold before rows of the table are removed. */
  readonly #isOverlaid: boolean;
  readonly #along: FoldAlong;
  #scheduled = false;
  #stopped = false;
  /** Whether no commit has come for a moment. */
  #quiet = false;
  #committedAtMs = 0;
  #cancelTimer: (() => void) | undefined;
  /** The time that commits owe to folding, in milliseconds. */
  #debtMs = 0;
  /** Rows through this one are to be folded whatever else arrives. */
  #settleThrough = 0;
  /** The last scope that was reported as completely removed. */
  #purged: PurgeScope = this.#permits.inForce;
  /** The last folded row that the main thread has confirmed to know, and the last one that it was asked to confirm. */
  #heardThrough: number;
  #askedThrough = -1;
  #sweptAtMs = 0;
  /** The last folded row, and the number of rows, that were last told. */
  #toldThrough: number;
  #toldRows: number;
  /** Whether background work rests until something changes, because a step has failed. */
  #hindered = false;
  /** Whether room was made since a step last succeeded. That is not tried twice. */
  #relieved = false;

  constructor(parts: BackgroundParts) {
    const { database, store, journal, tuning } = parts;
    this.#parts = parts;
    this.#clock = parts.clock;
    this.#journal = journal;
    this.#isOverlaid = store === "replica";
    this.#heardThrough = journal.foldedThrough;
    this.#toldThrough = journal.foldedThrough;
    this.#toldRows = journal.rows;
    const sweep = new Sweep(database, store, tuning.expiredGraceMs);
    this.#sweep = sweep;
    this.#fold = new Fold(database, store, journal, (entry) => sweep.expects(entry));
    this.#along = this.#makeAlong();
  }

  /** Folds what a commit writes. */
  get along(): FoldAlong {
    return this.#along;
  }

  #makeAlong(): FoldAlong {
    const mayFold = (): boolean => !this.#hindered && !this.#fold.pending && !this.#fold.isMidway;
    return {
      get isPossible() {
        return mayFold();
      },
      fold: () => this.#foldOn(),
      committed: () => this.#tellFolded(),
      rolledBack: () => this.#fold.reset(),
    };
  }

  /** Schedules the next step: at once if one is due, else when no commit has come for a moment. */
  schedule(): void {
    if (this.#scheduled || this.#hindered || this.#stopped) return;
    if (this.#isDue()) {
      this.#scheduled = true;
      setImmediate(() => this.#run());
    } else {
      this.#cancelTimer ??= this.#clock.after(QUIET_MS, () => {
        this.#cancelTimer = undefined;
        this.#quiet = this.#clock.elapsedMs() - this.#committedAtMs >= QUIET_MS;
        this.schedule();
      });
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  /** Something has changed: a step that failed may succeed now. */
  resume(): void {
    this.#hindered = false;
  }

  /** A commit is done that took `tookMs`. Folding is owed its share of that. */
  committed(tookMs: number): void {
    this.resume();
    this.#quiet = false;
    this.#committedAtMs = this.#clock.elapsedMs();
    const over = this.#parts.room.backlogBytes - BACKLOG_SOFT_BYTES;
    const share = Math.min(0.95, over / (BACKLOG_HARD_BYTES - BACKLOG_SOFT_BYTES));
    if (share <= 0) this.#debtMs = 0;
    else this.#debtMs = Math.min(DEBT_MAX_MS, this.#debtMs + (tookMs * share) / (1 - share));
  }

  /** The cluster's time, by which values expire. */
  tick(nowMs: number): void {
    this.resume();
    this.#sweep.tick(nowMs);
  }

  /** Looks whether there is anything to empty or remove. */
  look(): void {
    this.#sweep.consider(this.#permits.inForce, this.#clock.elapsedMs());
  }

  /** Everything that is in the journal is to be folded, whatever else arrives. */
  settle(): void {
    this.#settleThrough = this.#journal.through;
  }

  /** The main thread has confirmed that it knows everything up to the question about `through`. */
  heard(through: number): void {
    this.#heardThrough = through;
  }

  /** Once everything in the journal is folded, entries may be removed. */
  permit(scope: PurgeScope): void {
    this.#permits.give(scope, this.#journal.through);
    this.#advancePermits();
  }

  checkpoint(): void {
    this.#parts.transactions.mayDie();
    this.#parts.checkpointer.run();
  }

  #isDue(): boolean {
    return (
      this.#quiet ||
      this.#debtMs > 0 ||
      this.#journal.foldedThrough < this.#settleThrough ||
      (this.#journal.pressed && (this.#fold.pending || this.#journal.canTrim)) ||
      this.#mustSweep() ||
      this.#mustCheckpoint()
    );
  }

  #mustCheckpoint(): boolean {
    const { checkpointer, tuning, room } = this.#parts;
    return checkpointer.isDue(Math.min(tuning.walBytesMax, room.walBytesMax));
  }

  #mustSweep(): boolean {
    return (
      this.#sweep.pending &&
      this.#askedThrough <= this.#heardThrough &&
      this.#clock.elapsedMs() - this.#sweptAtMs >= SWEEP_EVERY_MS
    );
  }

  #run(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    const startedMs = this.#clock.elapsedMs();
    try {
      if (this.#work()) this.schedule();
      this.#relieved = false;
    } catch (cause) {
      this.#fold.reset();
      this.#sweep.reset();
      this.#hinder(explain(cause, "fold", () => diskErrno(this.#parts.path)));
    }
    this.#debtMs = Math.max(0, this.#debtMs - (this.#clock.elapsedMs() - startedMs));
  }

  /** Rests after a failure, unless the disk is full and some room can be made. */
  #hinder(failure: Explained): void {
    const { room, checkpointer } = this.#parts;
    room.measure(this.#clock.elapsedMs());
    this.#journal.pressed = room.isTight;
    if (failure.trouble === "full" && !this.#relieved && checkpointer.relieve()) {
      this.#relieved = true;
      this.schedule();
      return;
    }
    this.#hindered = true;
    this.#parts.onHindered(failure);
  }

  /** Does one step of what is behind. Returns whether there may be more. */
  #work(): boolean {
    const { checkpointer, transactions, tuning } = this.#parts;
    if (this.#mustCheckpoint()) this.checkpoint();
    if (this.#mustSweep() && !this.#fold.isMidway) return this.#sweepStep();
    if (this.#fold.pending || this.#journal.canTrim) {
      this.#foldStep();
      return true;
    }
    if (this.#sweep.pending) return this.#sweepStep();
    this.look();
    if (this.#sweep.pending) return true;
    if (checkpointer.isLoose) {
      transactions.run("NORMAL", () => checkpointer.shrink());
      return true;
    }
    if (checkpointer.isDue(tuning.walIdleBytes)) this.checkpoint();
    return false;
  }

  /** Losing a step to a loss of power is harmless, so it never waits for the disk. */
  #foldStep(): void {
    this.#parts.transactions.run("NORMAL", () => this.#foldOn());
    this.#tellFolded();
  }

  /** Folds and trims for as long as a step may take, in a transaction of the caller's. */
  #foldOn(): void {
    const deadline = this.#clock.elapsedMs() + STEP_MS;
    const isOver = (): boolean => this.#clock.elapsedMs() > deadline;
    if (this.#fold.pending) this.#fold.step(isOver);
    if (this.#journal.canTrim && !isOver()) this.#journal.trim(isOver);
  }

  /** The transaction is committed. */
  #tellFolded(): void {
    this.#parts.room.fold(this.#fold.foldedBytes);
    this.#fold.foldedBytes = 0;
    const { foldedThrough: through, rows } = this.#journal;
    if (through === this.#toldThrough && rows === this.#toldRows) return;
    this.#toldThrough = through;
    this.#toldRows = rows;
    this.#parts.reply({ kind: "folded", through, journalRows: rows });
    this.#advancePermits();
  }

  /** Empties and removes rows. Returns whether there may be more to do before an answer comes. */
  #sweepStep(): boolean {
    const { foldedThrough } = this.#journal;
    const { transactions } = this.#parts;
    if (this.#isOverlaid && this.#sweep.isPurging && this.#heardThrough < foldedThrough) {
      if (this.#askedThrough < foldedThrough) {
        this.#parts.reply({ kind: "ask", through: foldedThrough });
      }
      this.#askedThrough = foldedThrough;
      return false;
    }
    const elapsedMs = (): number => this.#clock.elapsedMs();
    const deadline = elapsedMs() + STEP_MS;
    transactions.run("NORMAL", () => {
      const isOver = (): boolean => elapsedMs() > deadline;
      this.#journal.markPurged(this.#sweep.step(this.#permits.inForce, elapsedMs, isOver));
    });
    this.#sweptAtMs = elapsedMs();
    this.#tellPurged();
    return true;
  }

  #advancePermits(): void {
    this.#permits.advance(this.#journal.foldedThrough);
    this.look();
    this.#tellPurged();
  }

  #tellPurged(): void {
    const scope = this.#permits.inForce;
    if (scope === this.#purged || !this.#sweep.isDone(scope)) return;
    this.#purged = scope;
    this.#parts.reply({ kind: "purged", scope });
  }
}
