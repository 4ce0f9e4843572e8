/**
 * The writer: everything that changes the database, on a thread of its own.
 *
 * The writer commits records as they come (see `Commits`); no record waits for a timer. Between commits it does everything else
 * (see `BackgroundWork`).
 */
import type { MessagePort } from "node:worker_threads";
import { receiveMessageOnPort } from "node:worker_threads";
import type { Clock } from "@meridian/runtime";
import Database from "better-sqlite3";
import { BackgroundWork } from "./background-work.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Commits } from "./commits.ts";
import type { Durability } from "./durability.ts";
import { DiskRoom } from "./disk-room.ts";
import type { Journal, JournalRows } from "./journal.ts";
import { decodeBody } from "./redo/redo-body.ts";
import { RedoDesk } from "./redo/redo-desk.ts";
import { readRecords } from "./redo/redo-record.ts";
import { Transactions } from "./transactions.ts";
import { WriteHealth } from "./write-health.ts";
import type { JournalWrite, PurgeScope, WriterReply, WriterRequest } from "./writer-messages.ts";

/** The page cache of the writing connection, in KiB. */
const CACHE_KIB = 32 * 1024;

type OpenRequest = Extract<WriterRequest, { kind: "open" }>;

/** Answers requests on a port until it is told to close. */
export class Writer<Write extends JournalWrite, Facts> {
  readonly #port: MessagePort;
  readonly #clock: Clock;
  readonly #path: string;
  readonly #database: Database.Database;
  readonly #journal: Journal<Write, Facts>;
  readonly #checkpointer: Checkpointer;
  readonly #room: DiskRoom;
  readonly #transactions: Transactions;
  readonly #redo: RedoDesk;
  readonly #commits: Commits<Write, Facts>;
  /** What the disk of a replica accepts now. A log has none: its records wait instead. */
  readonly #health: WriteHealth | undefined;
  readonly #work: BackgroundWork;
  #ticked = false;
  #closing = false;
  /** The purge to permit once every record before it is committed. */
  #asked: PurgeScope | undefined;

  constructor(
    port: MessagePort,
    request: OpenRequest,
    clock: Clock,
    openJournal: (database: Database.Database) => Journal<Write, Facts>,
  ) {
    const { path, tuning } = request;
    this.#port = port;
    this.#clock = clock;
    this.#path = path;
    this.#database = openDatabase(request);
    this.#journal = openJournal(this.#database);
    const { pageCountMax, commitWaitMs, dieAtStep } = tuning;
    this.#checkpointer = new Checkpointer(this.#database, path, commitWaitMs, clock);
    const backlogBytes = unfoldedBytes(this.#database, this.#journal);
    const bounds = { pageCountMax, bytesMax: request.bytesMax };
    this.#room = new DiskRoom(this.#database, path, bounds, backlogBytes);
    this.#transactions = new Transactions(this.#database, this.#journal, dieAtStep, () =>
      this.#checkpointer.written(),
    );
    this.#redo = this.#makeRedo(request);
    this.#work = this.#makeWork(request);
    this.#commits = this.#makeCommits(request);
    this.#health = this.#makeHealth(request);
  }

  #makeRedo({ store, durability, redoNonce = 0 }: OpenRequest): RedoDesk {
    return new RedoDesk({
      database: this.#database,
      room: this.#room,
      transactions: this.#transactions,
      synchronous: synchronousOf(durability),
      nonce: redoNonce,
      isHealthy: () =>
        !this.#commits.isStalled && (store === "directory" || this.#health?.isShort === false),
      reply: (reply) => this.#reply(reply),
    });
  }

  #makeCommits({ store, durability }: OpenRequest): Commits<Write, Facts> {
    return new Commits({
      path: this.#path,
      clock: this.#clock,
      journal: this.#journal,
      transactions: this.#transactions,
      checkpointer: this.#checkpointer,
      room: this.#room,
      redo: this.#redo,
      along: this.#work.along,
      synchronous: synchronousOf(durability),
      isPatient: store === "directory",
      reply: (reply) => this.#reply(reply),
      onFailed: (failure, refused) => {
        this.#health?.fail(failure, refused);
        this.#redo.look();
      },
      onCommitted: (tookMs) => this.#work.committed(tookMs),
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
        this.#transactions.run(synchronousOf(durability), () => touch.run());
      },
      reply: (reply) => this.#reply(reply),
      onRecovered: () => this.#goOn(),
    });
  }

  #makeWork({ store, tuning }: OpenRequest): BackgroundWork {
    return new BackgroundWork({
      path: this.#path,
      store,
      tuning,
      clock: this.#clock,
      database: this.#database,
      journal: this.#journal,
      transactions: this.#transactions,
      checkpointer: this.#checkpointer,
      room: this.#room,
      reply: (reply) => this.#reply(reply),
      onHindered: (failure) => {
        this.#health?.fail(failure);
        const { code, message } = failure.error;
        this.#reply({ kind: "hindered", code, message });
      },
    });
  }

  /** Handles what has waited for the disk. */
  #goOn(): void {
    this.#work.resume();
    this.#commit();
    this.#redo.look();
    this.#work.schedule();
  }

  /** Starts to answer. */
  start(): void {
    const { horizon } = this.#journal;
    if (horizon > 0) this.#work.permit({ horizon, through: Number.MAX_SAFE_INTEGER });
    this.#measure();
    this.#port.on("message", (request: WriterRequest<Write>) => this.#receive(request));
    this.#redo.look();
    this.#reply({ kind: "opened", journalRows: this.#journal.rows });
    this.#health?.look();
    this.#work.schedule();
  }

  #receive(first: WriterRequest<Write>): void {
    this.#take(first);
    for (;;) {
      const next = receiveMessageOnPort(this.#port);
      if (next === undefined) break;
      this.#take(next.message as WriterRequest<Write>);
    }
    this.#commit();
    // One look serves all ticks that have queued up.
    if (this.#ticked) {
      this.#ticked = false;
      this.#work.look();
      this.#measure();
      this.#health?.look();
      this.#redo.look();
    }
    if (this.#closing) this.#close();
    else this.#work.schedule();
  }

  #take(request: WriterRequest<Write>): void {
    switch (request.kind) {
      case "append":
        this.#commits.take(request.generation, request.write);
        break;
      case "redo":
        this.#takeRedo(request.records);
        break;
      case "disarm":
        this.#redo.end();
        break;
      case "tick":
        this.#work.tick(request.nowMs);
        this.#ticked = true;
        break;
      case "settle":
        this.#commit();
        this.#work.settle();
        break;
      case "purge":
        this.#asked = request.scope;
        this.#commit();
        break;
      case "heard":
        this.#work.heard(request.through);
        break;
      case "close":
        this.#closing = true;
        break;
      case "open":
        throw new Error("The writer is open already");
    }
  }

  #takeRedo(bytes: Uint8Array): void {
    for (const { serial, body } of readRecords(bytes)) {
      // What a store has put into its redo file is what it writes.
      this.#commits.takeRedo(serial, decodeBody(body) as Write);
    }
  }

  #commit(): void {
    this.#commits.run();
    this.#journal.pressed = this.#room.isTight;
    if (this.#commits.isStalled || this.#asked === undefined) return;
    this.#work.permit(this.#asked);
    this.#asked = undefined;
  }

  /** Looks how much room there is; when there is little, nothing is kept that need not be. */
  #measure(): void {
    this.#room.measure(this.#clock.elapsedMs());
    this.#journal.pressed = this.#room.isTight;
  }

  #close(): void {
    this.#work.stop();
    const isRetired = this.#commits.isEmpty && this.#redo.retire();
    this.#commits.close();
    this.#health?.close();
    this.#port.removeAllListeners("message");
    try {
      this.#work.checkpoint();
    } catch {
      // The journal of the file system has it all; the next opening goes on from there.
    }
    this.#database.close();
    this.#reply({ kind: "closed", isRetired });
    this.#port.close();
  }

  #reply(reply: WriterReply<Facts>): void {
    this.#port.postMessage(reply);
  }
}

/** better-sqlite3 is built so that WAL means NORMAL where nothing is said. */
function synchronousOf(durability: Durability): string {
  return durability === "power" ? "FULL" : "NORMAL";
}

function openDatabase({ path, tuning }: OpenRequest): Database.Database {
  const { commitWaitMs, pageCountMax } = tuning;
  const database = new Database(path, { fileMustExist: true, timeout: commitWaitMs });
  database.pragma("wal_autocheckpoint = 0");
  database.pragma(`cache_size = -${CACHE_KIB}`);
  if (pageCountMax > 0) database.pragma(`max_page_count = ${pageCountMax}`);
  return database;
}

/** The bytes of journal rows that are not folded. */
function unfoldedBytes(database: Database.Database, { foldedThrough }: JournalRows): number {
  const sum = database
    .prepare<[number], number | null>("SELECT sum(length(block)) FROM journal WHERE id > ?")
    .pluck();
  return sum.get(foldedThrough) ?? 0;
}
