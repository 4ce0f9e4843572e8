/**
 * The writer: everything that changes the database, on a thread of its own.
 *
 * Records that come are committed at once: see `Commits`. Nothing that is to be committed waits for a timer.
 * When no commit has come for a moment, the writer does what is behind in short steps: it folds and trims the
 * journal, empties what has expired, removes what is purgeable, and checkpoints. A step takes about two milliseconds, so that is how
 * long a commit waits for it at most; only a checkpoint may take longer. Under commits without a pause,
 * folding is put off until its backlog counts, and then gets a share of the time that grows with
 * the backlog: what is folded late is folded cheaply, newest stamp per key only.
 */
import type { MessagePort } from "node:worker_threads";
import { receiveMessageOnPort } from "node:worker_threads";
import type { Clock } from "@meridian/runtime";
import Database from "better-sqlite3";
import { Checkpointer } from "./checkpointer.ts";
import { Commits } from "./commits.ts";
import { directoryJournal } from "./directory-journal.ts";
import { diskErrno } from "./disk.ts";
import { DiskRoom } from "./disk-room.ts";
import { Fold } from "./fold.ts";
import type { Journal } from "./journal.ts";
import { PurgePermits } from "./purge-permits.ts";
import { replicaJournal } from "./replica-journal.ts";
import { explain, type Explained } from "./store-error.ts";
import type { StoreTuning } from "./store-options.ts";
import { Sweep } from "./sweep.ts";
import { Transactions } from "./transactions.ts";
import { WriteHealth } from "./write-health.ts";
import type { PurgeScope, WriterReply, WriterRequest } from "./writer-messages.ts";

/** How long a step of background work may take, in milliseconds. */
const STEP_MS = 2;

/** For how long no commit has come when the writer turns to what is behind, in milliseconds. */
const QUIET_MS = 2;

/** Where folding starts to take time from commits, and where it would take all of it, in bytes of journal. */
const BACKLOG_SOFT_BYTES = 4 * 1024 * 1024;
const BACKLOG_HARD_BYTES = 48 * 1024 * 1024;

/** How much time folding may be owed at most, in milliseconds. */
const DEBT_MAX_MS = 20;

/** A walk over the table gets a step this often however many commits there are, in milliseconds. */
const SWEEP_EVERY_MS = 50;

/** The page cache of the writing connection, in KiB. */
const CACHE_KIB = 32 * 1024;

type OpenRequest = Extract<WriterRequest, { kind: "open" }>;

/** Answers requests on a port until it is told to close. */
export class Writer {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #tuning: StoreTuning;
  readonly #journal: Journal;
  readonly #fold: Fold;
  readonly #sweep: Sweep;
  readonly #permits = new PurgePermits();
  readonly #checkpointer: Checkpointer;
  readonly #room: DiskRoom;
  readonly #transactions: Transactions;
  readonly #commits: Commits;
  /** What the disk of a replica takes; a log waits instead. */
  readonly #health: WriteHealth | undefined;
  /** Somebody reads journal and table side by side, and has to have heard of a fold before rows of the table go. */
  readonly #isOverlaid: boolean;
  #scheduled = false;
  /** No commit has come for a moment. */
  #quiet = false;
  #committedAtMs = 0;
  #cancelTimer: (() => void) | undefined;
  /** The time that folding is owed for the time that commits have taken. */
  #debtMs = 0;
  /** Rows through this one are to be folded whatever else arrives. */
  #settleThrough = 0;
  /** The last scope of which it was told that everything in it is gone. */
  #purged: PurgeScope = this.#permits.inForce;
  /** How far the other side knows the journal to be folded, and how far it was asked to. */
  #heardThrough = 0;
  #askedThrough = -1;
  #sweptAtMs = 0;
  #ticked = false;
  #hindered = false;
  /** Room was made since something last succeeded; it is not tried twice. */
  #relieved = false;
  #closing = false;
  /** What is to be permitted once everything that came before is committed. */
  #asked: PurgeScope | undefined;

  constructor(port: MessagePort, request: OpenRequest, clock: Clock) {
    this.#port = port;
    this.#clock = clock;
    this.#path = request.path;
    this.#tuning = request.tuning;
    this.#isOverlaid = request.store === "replica";
    this.#database = new Database(request.path, {
      fileMustExist: true,
      timeout: request.tuning.commitWaitMs,
    });
    this.#database.pragma("wal_autocheckpoint = 0");
    this.#database.pragma(`cache_size = -${CACHE_KIB}`);
    if (request.tuning.pageCountMax > 0) {
      this.#database.pragma(`max_page_count = ${request.tuning.pageCountMax}`);
    }
    this.#journal =
      request.store === "replica"
        ? replicaJournal(this.#database)
        : directoryJournal(this.#database, request.tuning);
    const { pageCountMax, commitWaitMs, dieAtStep } = request.tuning;
    this.#checkpointer = new Checkpointer(this.#database, request.path, commitWaitMs, clock);
    const backlogBytes = unfoldedBytes(this.#database, this.#journal);
    const bounds = { pageCountMax, bytesMax: request.bytesMax };
    this.#room = new DiskRoom(this.#database, request.path, bounds, backlogBytes);
    this.#transactions = new Transactions(this.#database, this.#journal, dieAtStep);
    this.#commits = this.#makeCommits(request);
    this.#health = this.#makeHealth(request);
    const sweep = new Sweep(this.#database, request.store, request.tuning.expiredGraceMs);
    this.#sweep = sweep;
    this.#fold = new Fold(this.#database, request.store, this.#journal, (entry) =>
      sweep.expects(entry),
    );
  }

  #makeCommits({ store, durability }: OpenRequest): Commits {
    return new Commits({
      path: this.#path,
      clock: this.#clock,
      journal: this.#journal,
      transactions: this.#transactions,
      checkpointer: this.#checkpointer,
      room: this.#room,
      // better-sqlite3 is built so that WAL means NORMAL where nothing is said.
      synchronous: durability === "power" ? "FULL" : "NORMAL",
      isPatient: store === "directory",
      reply: (reply) => this.#reply(reply),
      onFailed: (failure, refused) => this.#health?.fail(failure, refused),
      onCommitted: (tookMs) => this.#onCommitted(tookMs),
      onRetry: () => this.#goOn(),
    });
  }

  #makeHealth({ store, durability }: OpenRequest): WriteHealth | undefined {
    if (store === "directory") return undefined;
    const touch = this.#database.prepare("UPDATE state SET id = id");
    return new WriteHealth({
      path: this.#path,
      room: this.#room,
      clock: this.#clock,
      tryCommit: () => {
        this.#transactions.run(durability === "power" ? "FULL" : "NORMAL", () => touch.run());
      },
      reply: (reply) => this.#reply(reply),
      onRecovered: () => this.#goOn(),
    });
  }

  /** Does what has waited for the disk. */
  #goOn(): void {
    this.#hindered = false;
    this.#commit();
    this.#schedule();
  }

  /** Starts to answer. */
  start(): void {
    this.#heardThrough = this.#journal.foldedThrough;
    const { horizon } = this.#journal;
    if (horizon > 0) this.#permit({ horizon, through: Number.MAX_SAFE_INTEGER });
    this.#measure();
    this.#port.on("message", (request: WriterRequest) => this.#receive(request));
    this.#reply({ kind: "opened", journalRows: this.#journal.rows });
    this.#health?.look();
    this.#schedule();
  }

  #receive(first: WriterRequest): void {
    this.#take(first);
    for (;;) {
      const next = receiveMessageOnPort(this.#port);
      if (next === undefined) break;
      this.#take(next.message as WriterRequest);
    }
    this.#commit();
    // Once for all the ticks that have waited.
    if (this.#ticked) {
      this.#ticked = false;
      this.#sweep.consider(this.#permits.inForce, this.#clock.elapsedMs());
      this.#measure();
      this.#health?.look();
    }
    if (this.#closing) this.#close();
    else this.#schedule();
  }

  #take(request: WriterRequest): void {
    switch (request.kind) {
      case "append":
        this.#commits.take(request.generation, request.write);
        break;
      case "tick":
        this.#hindered = false;
        this.#sweep.tick(request.nowMs);
        this.#ticked = true;
        break;
      case "settle":
        this.#commit();
        this.#settleThrough = this.#journal.through;
        break;
      case "purge":
        this.#asked = request.scope;
        this.#commit();
        break;
      case "heard":
        this.#heardThrough = request.through;
        break;
      case "close":
        this.#closing = true;
        break;
      case "open":
        throw new Error("The writer is open already");
    }
  }

  #commit(): void {
    this.#commits.run();
    this.#journal.pressed = this.#room.isTight;
    if (this.#commits.isStalled || this.#asked === undefined) return;
    this.#permit(this.#asked);
    this.#asked = undefined;
  }

  #onCommitted(tookMs: number): void {
    this.#hindered = false;
    this.#quiet = false;
    this.#committedAtMs = this.#clock.elapsedMs();
    this.#owe(tookMs);
  }

  /** Owes folding its share of the time that a commit has taken. */
  #owe(commitMs: number): void {
    const over = this.#room.backlogBytes - BACKLOG_SOFT_BYTES;
    const share = Math.min(0.95, over / (BACKLOG_HARD_BYTES - BACKLOG_SOFT_BYTES));
    if (share <= 0) this.#debtMs = 0;
    else this.#debtMs = Math.min(DEBT_MAX_MS, this.#debtMs + (commitMs * share) / (1 - share));
  }

  /** Sees to it that what is behind is done: next if it is due, else when it is quiet. */
  #schedule(): void {
    if (this.#scheduled || this.#hindered || this.#closing) return;
    if (this.#isDue()) {
      this.#scheduled = true;
      setImmediate(() => this.#run());
    } else {
      this.#cancelTimer ??= this.#clock.after(QUIET_MS, () => {
        this.#cancelTimer = undefined;
        this.#quiet = this.#clock.elapsedMs() - this.#committedAtMs >= QUIET_MS;
        this.#schedule();
      });
    }
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
    return this.#checkpointer.isDue(Math.min(this.#tuning.walBytesMax, this.#room.walBytesMax));
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
    if (this.#closing) return;
    const startedMs = this.#clock.elapsedMs();
    try {
      if (this.#work()) this.#schedule();
      this.#relieved = false;
    } catch (cause) {
      this.#fold.reset();
      this.#sweep.reset();
      this.#hinder(explain(cause, "fold", () => diskErrno(this.#path)));
    }
    this.#debtMs = Math.max(0, this.#debtMs - (this.#clock.elapsedMs() - startedMs));
  }

  /** Rests, unless there is no room and some can be made. */
  #hinder(failure: Explained): void {
    const { code, message } = failure.error;
    this.#measure();
    if (failure.trouble === "full" && !this.#relieved && this.#checkpointer.relieve()) {
      this.#relieved = true;
      this.#schedule();
      return;
    }
    this.#hindered = true;
    this.#health?.fail(failure);
    this.#reply({ kind: "hindered", code, message });
  }

  /** Does one step of what is behind. Returns whether there may be more. */
  #work(): boolean {
    if (this.#mustCheckpoint()) this.#checkpoint();
    if (this.#mustSweep() && !this.#fold.isMidway) return this.#sweepStep();
    if (this.#fold.pending || this.#journal.canTrim) {
      this.#foldStep();
      return true;
    }
    if (this.#sweep.pending) return this.#sweepStep();
    this.#sweep.consider(this.#permits.inForce, this.#clock.elapsedMs());
    if (this.#sweep.pending) return true;
    if (this.#checkpointer.isLoose) {
      this.#transactions.run("NORMAL", () => this.#checkpointer.shrink());
      return true;
    }
    if (this.#checkpointer.isDue(this.#tuning.walIdleBytes)) this.#checkpoint();
    return false;
  }

  /** Losing a step to a loss of power is harmless, so it never waits for the disk. */
  #foldStep(): void {
    const { foldedThrough: foldedBefore, rows: rowsBefore } = this.#journal;
    const deadline = this.#clock.elapsedMs() + STEP_MS;
    const isOver = (): boolean => this.#clock.elapsedMs() > deadline;
    this.#transactions.run("NORMAL", () => {
      if (this.#fold.pending) this.#fold.step(isOver);
      if (this.#journal.canTrim && !isOver()) this.#journal.trim(isOver);
    });
    this.#room.fold(this.#fold.foldedBytes);
    this.#fold.foldedBytes = 0;
    const { foldedThrough: through, rows } = this.#journal;
    if (through > foldedBefore || rows !== rowsBefore) {
      this.#reply({ kind: "folded", through, journalRows: rows });
      this.#advancePermits();
    }
  }

  /** Empties and removes rows. Returns whether there may be more to do before an answer comes. */
  #sweepStep(): boolean {
    const { foldedThrough } = this.#journal;
    if (this.#isOverlaid && this.#sweep.isPurging && this.#heardThrough < foldedThrough) {
      if (this.#askedThrough < foldedThrough) this.#reply({ kind: "ask", through: foldedThrough });
      this.#askedThrough = foldedThrough;
      return false;
    }
    const elapsedMs = (): number => this.#clock.elapsedMs();
    const deadline = elapsedMs() + STEP_MS;
    this.#transactions.run("NORMAL", () => {
      const isOver = (): boolean => elapsedMs() > deadline;
      this.#journal.markPurged(this.#sweep.step(this.#permits.inForce, elapsedMs, isOver));
    });
    this.#sweptAtMs = elapsedMs();
    this.#tellPurged();
    return true;
  }

  #permit(scope: PurgeScope): void {
    this.#permits.give(scope, this.#journal.through);
    this.#advancePermits();
  }

  #advancePermits(): void {
    this.#permits.advance(this.#journal.foldedThrough);
    this.#sweep.consider(this.#permits.inForce, this.#clock.elapsedMs());
    this.#tellPurged();
  }

  #tellPurged(): void {
    const scope = this.#permits.inForce;
    if (scope === this.#purged || !this.#sweep.isDone(scope)) return;
    this.#purged = scope;
    this.#reply({ kind: "purged", scope });
  }

  /** Looks how much room there is; when there is little, nothing is kept that need not be. */
  #measure(): void {
    this.#room.measure(this.#clock.elapsedMs());
    this.#journal.pressed = this.#room.isTight;
  }

  #checkpoint(): void {
    this.#transactions.mayDie();
    this.#checkpointer.run();
  }

  #close(): void {
    this.#cancelTimer?.();
    this.#commits.close();
    this.#health?.close();
    this.#port.removeAllListeners("message");
    try {
      this.#checkpoint();
    } catch {
      // The journal of the file system has it all; the next opening goes on from there.
    }
    this.#database.close();
    this.#reply({ kind: "closed" });
    this.#port.close();
  }

  #reply(reply: WriterReply): void {
    this.#port.postMessage(reply);
  }
}

/** The bytes of journal rows that are not folded. */
function unfoldedBytes(database: Database.Database, { foldedThrough }: Journal): number {
  const sum = database
    .prepare<[number], number | null>("SELECT sum(length(block)) FROM journal WHERE id > ?")
    .pluck();
  return sum.get(foldedThrough) ?? 0;
}
