import { Worker } from "node:worker_threads";
import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { Fifo, type Clock, type Logger } from "@meridian/runtime";
import type { RedoDisk } from "./redo/redo-disk.ts";
import { RedoLog, type Urgency } from "./redo/redo-log.ts";
import type { OnDamaged } from "./store-error.ts";
import { ROWS_PER_TURN } from "./turns.ts";
import { writerThreadFile } from "./worker-source.ts";
import { bytesOf, withOwnBlocks } from "./write-blocks.ts";
import type {
  JournalWrite,
  PlainFailure,
  PurgeScope,
  WriterReply,
  WriterRequest,
} from "./writer-messages.ts";

/** What a store hears from its writer. */
export interface WriterEvents<Facts> {
  /** Called with what each commit has made so, before the `onDurable` of its records. */
  onCommitted?(facts: Facts): void;
  /** Called when every record that is not yet durable has failed, before their `done` are called. */
  onFailed(): void;
  /**
   * Called when the table has the entries of every journal row through this one, and again, in later turns, until what is returned is less than
   * `rowsMax`: so many entries were forgotten, one row more at most.
   */
  onFolded(through: number, rowsMax: number): number;
  /** Called each time that what was appended cannot be committed now and waits. */
  onStalled?(): void;
  /** Called once when the writer has died, after every `done`. */
  onBroken(failure: MeridianError): void;
}

interface Outstanding {
  readonly bytes: number;
  readonly rows: number;
  readonly onDurable: () => void;
  readonly done: (failure?: MeridianError) => void;
}

/** What each commit makes known. */
type Known<Facts> = Pick<
  Extract<WriterReply<Facts>, { kind: "committed" }>,
  "journalRows" | "facts"
>;

type OpenRequest = Extract<WriterRequest, { kind: "open" }>;

/** Starts the thread, which then takes some time to come up; `openWriter` gives it its database. */
export async function startWriterThread(): Promise<Worker> {
  const file = await writerThreadFile();
  // The thread needs none of this process's loaders and conditions, which would only slow it down.
  return new Worker(file, { execArgv: [] });
}

/** Of what was committed and folded, no more is told in one turn, and one record. */
const REPLY_BYTES_PER_TURN = 256 * 1024;

/** For how long records are told of in one turn, in milliseconds: what their owners do then may be many times what the store does. */
const REPLY_MS_PER_TURN = 4;

/** What is handled in order: replies, and that the next records are durable in the redo file. */
type News<Facts> = WriterReply<Facts> | { readonly kind: "appended"; readonly count: number };

/**
 * The writer thread, seen from the main thread, with the redo file in front of it.
 *
 * A record that is one for the redo file goes there, as long as the thread has no record that is not told of. Any other record waits until everything
 * before it is durable there and handed over, and then goes to the thread, as does everything behind it until it is told of. So records become durable
 * in the order in which they were appended.
 */
export class WriterClient<Write extends JournalWrite, Facts> {
  readonly #worker: Worker;
  readonly #events: WriterEvents<Facts>;
  readonly #clock: Clock;
  readonly #expiryNowMs: () => number | undefined;
  readonly #logger: Logger;
  readonly #request: OpenRequest;
  readonly #onDamaged: OnDamaged | undefined;
  readonly #redo: RedoLog<Write>;
  /** How many of the outstanding records go to the thread, and not into the redo file. */
  #direct = 0;
  /** What is to be posted once nothing is on its way into the redo file. */
  #behind: (() => void)[] = [];
  #isRetired = false;
  readonly #outstanding = new Fifo<Outstanding>();
  /** Replies that are not handled yet; of the first of them, how many records have been reported. */
  #replies: News<Facts>[] = [];
  #told = 0;
  /** A record of that reply that is durable and has filled its turn: its owner is told in the next one. */
  #untold: Outstanding | undefined;
  /** The bytes of the records that were told of since the last rest, and the entries that were made durable or forgotten. */
  #takenBytes = 0;
  #takenRows = 0;
  #takenFromMs = 0;
  #isResting = false;
  #generation = 0;
  #broken: MeridianError | undefined;
  #ended = false;
  #cancelTick: () => void = () => {};
  #onOpened: ((failure?: MeridianError) => void) | undefined;
  #onExit: (() => void) | undefined;
  /** How many rows the journal has. */
  journalRows = 0;
  /** The last scope that the writer has reported as completely removed. */
  purged: PurgeScope = { horizon: 0, through: 0 };
  /** The bytes of blocks that are appended but not yet durable. */
  pendingBytes = 0;
  /** Why appended records wait or would fail now; undefined if they are committed. */
  stall: MeridianError | undefined;
  /** Why clients' sets are refused; undefined if they are not. */
  shortage: MeridianError | undefined;

  constructor(
    worker: Worker,
    request: OpenRequest,
    parts: {
      readonly events: WriterEvents<Facts>;
      readonly clock: Clock;
      readonly expiryNowMs: () => number | undefined;
      readonly logger: Logger;
      readonly onDamaged?: OnDamaged | undefined;
      readonly redoDisk?: RedoDisk | undefined;
    },
  ) {
    this.#worker = worker;
    this.#events = parts.events;
    this.#clock = parts.clock;
    this.#expiryNowMs = parts.expiryNowMs;
    this.#logger = parts.logger;
    this.#request = request;
    this.#onDamaged = parts.onDamaged;
    this.#redo = this.#makeRedo(parts.redoDisk);
    worker.on("message", (reply: WriterReply<Facts>) => this.#receive(reply));
    worker.on("error", (cause) => this.#break(cause));
    worker.on("exit", () => this.#exited());
  }

  /** Resolves when the thread has the database open. */
  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#onOpened = (failure) => (failure === undefined ? resolve() : reject(failure));
      this.#post(this.#request);
    });
    this.#tickLater();
  }

  /** Whether the thread has died; nothing can be written any more. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** How many records are appended but not yet durable. */
  get pendingRecords(): number {
    return this.#outstanding.length;
  }

  /**
   * Hands a record over. `onDurable` is called just before `done` if it succeeds. Its blocks must not change before that. `isAwaited` tells whether somebody
   * waits for what others wrote, or for a frame of a log.
   */
  append(
    write: Write,
    onDurable: () => void,
    done: (failure?: MeridianError) => void,
    isAwaited = true,
  ): void {
    if (this.#ended) {
      throw new MeridianError("STORE_FAILED", "Expected an open store, got one that is closed");
    }
    const bytes = bytesOf(write);
    const rows = "count" in write ? write.count : 0;
    this.#outstanding.push({ bytes, rows, onDurable, done });
    this.pendingBytes += bytes;
    if (this.#broken !== undefined) {
      const failure = this.#broken;
      queueMicrotask(() => this.#failAll(failure));
      return;
    }
    const isFront = this.#direct === 0 && this.#behind.length === 0;
    if (isFront && this.#redo.append(write, urgencyOf(write, isAwaited))) return;
    this.#direct += 1;
    this.#inOrder(() => this.#send(write));
  }

  /** Lets entries be removed, once everything that was appended before is folded. */
  purge(scope: PurgeScope): void {
    if (this.#ended || this.#broken !== undefined) return;
    this.#inOrder(() => this.#post({ kind: "purge", scope }));
  }

  /** Asks for the folding of everything that was appended before. */
  settle(): void {
    if (this.#ended || this.#broken !== undefined) return;
    this.#inOrder(() => this.#post({ kind: "settle" }));
  }

  /** Finishes what was appended, then ends the thread. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelTick();
    await new Promise<void>((resolve) => this.#inOrder(resolve));
    if (this.#broken === undefined) {
      await new Promise<void>((resolve) => {
        this.#onExit = resolve;
        this.#post({ kind: "close" });
      });
    }
    await this.#worker.terminate();
    await this.#redo.close(this.#isRetired);
  }

  /** Ends the thread at once. The `done` of what is not durable is never called. */
  async abort(): Promise<void> {
    this.#ended = true;
    this.#cancelTick();
    this.#outstanding.takeAll();
    this.#untold = undefined;
    this.#replies = [];
    await this.#worker.terminate();
    await this.#redo.close(false);
  }

  #makeRedo(disk: RedoDisk | undefined): RedoLog<Write> {
    const { path, durability } = this.#request;
    return new RedoLog<Write>({
      path,
      durability,
      clock: this.#clock,
      logger: this.#logger,
      disk,
      onDurable: (count) => this.#receive({ kind: "appended", count }),
      onFailed: (writes) => {
        this.#post({ kind: "disarm" });
        this.#direct += writes.length;
        for (const write of writes) this.#send(write);
      },
      hand: (records) => this.#post({ kind: "redo", records }, [records.buffer]),
    });
  }

  /** Posts what is to come behind everything that was appended. */
  #inOrder(post: () => void): void {
    if (this.#behind.push(post) > 1) return;
    this.#redo.whenIdle(() => {
      const posts = this.#behind;
      this.#behind = [];
      this.#redo.handOver();
      for (const each of posts) each();
    });
  }

  /** Posts a record with blocks of its own, which the thread gets without another copy. */
  #send(write: Write): void {
    const owned = withOwnBlocks(write);
    const request = { kind: "append", generation: this.#generation, write: owned.write } as const;
    this.#post(request, owned.buffers);
  }

  #post(request: WriterRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #receive(news: News<Facts>): void {
    this.#replies.push(news);
    if (!this.#isResting) this.#takeReplies();
  }

  /** Handles replies in order, up to a turn's worth of bytes and rows. */
  #takeReplies(): void {
    this.#takenFromMs = this.#clock.elapsedMs();
    for (let first = this.#replies[0]; first !== undefined; first = this.#replies[0]) {
      if (!this.#mayTakeMore) return this.#rest();
      if (this.#take(first)) this.#replies.shift();
    }
  }

  get #mayTakeMore(): boolean {
    const isWithin = this.#takenBytes < REPLY_BYTES_PER_TURN && this.#takenRows < ROWS_PER_TURN;
    return isWithin && this.#clock.elapsedMs() - this.#takenFromMs < REPLY_MS_PER_TURN;
  }

  #rest(): void {
    this.#isResting = true;
    setImmediate(() => {
      this.#isResting = false;
      this.#takenBytes = 0;
      this.#takenRows = 0;
      this.#takeReplies();
    });
  }

  /** The thread has ended: nothing comes any more that would have to be waited for. */
  #takeAllReplies(): void {
    while (this.#replies.length > 0) {
      this.#takenBytes = 0;
      this.#takenRows = 0;
      this.#takeReplies();
    }
  }

  /** Takes a reply in, or a turn's worth of it. Returns whether that was all of it. */
  #take(reply: News<Facts>): boolean {
    if (reply.kind === "committed" || reply.kind === "appended") return this.#succeedNext(reply);
    if (reply.kind === "folded") return this.#foldNext(reply);
    this.#hear(reply);
    return true;
  }

  #hear(reply: Exclude<News<Facts>, { kind: "committed" | "appended" | "folded" }>): void {
    switch (reply.kind) {
      case "opened":
        this.journalRows = reply.journalRows;
        this.#onOpened?.();
        this.#onOpened = undefined;
        break;
      case "stalled":
        this.#halt(new MeridianError(reply.code, reply.message));
        this.#events.onStalled?.();
        break;
      case "health":
        this.stall = failureOf(reply.stall);
        this.#onShortage(failureOf(reply.shortage));
        break;
      case "failed":
        this.#generation = reply.generation;
        if (this.#waits) this.stall = undefined;
        this.#tellDamage(reply.code, reply.message);
        this.#failAll(new MeridianError(reply.code, reply.message));
        break;
      case "ask":
        if (!this.#ended) this.#post({ kind: "heard", through: reply.through });
        break;
      case "purged":
        this.purged = reply.scope;
        break;
      case "hindered":
        this.#tellDamage(reply.code, reply.message);
        this.#logger.warn("The store cannot bring its database up to date now and will try again", {
          path: this.#request.path,
          reason: reply.message,
        });
        break;
      case "redone":
        this.#know(reply);
        this.#redo.redone(reply.through, reply.creditBytes);
        break;
      case "armed":
        this.#redo.arm(reply.nonce, reply.creditBytes);
        break;
      case "credit":
        this.#redo.grant(reply.creditBytes);
        break;
      case "closed":
        this.#isRetired = reply.isRetired;
        break;
    }
  }

  /** Whether what cannot be committed now waits instead of failing. */
  get #waits(): boolean {
    return this.#request.store === "directory";
  }

  #onShortage(shortage: MeridianError | undefined): void {
    const before = this.shortage;
    this.shortage = shortage;
    if (before?.code === shortage?.code) return;
    const { path } = this.#request;
    if (shortage === undefined) {
      this.#logger.info("The store takes everything again", { path });
    } else {
      const { code, message: reason } = shortage;
      const said =
        "The store takes no new values now; what it has can be read, and it goes on by itself";
      this.#logger.error(said, { path, code, reason });
    }
  }

  #halt(stall: MeridianError): void {
    const isNews = this.stall?.code !== stall.code;
    this.stall = stall;
    if (!isNews) return;
    this.#logger.error("The store cannot be written now; what comes waits and is tried again", {
      path: this.#request.path,
      code: stall.code,
      reason: stall.message,
    });
  }

  #goOn(): void {
    if (this.stall === undefined) return;
    this.stall = undefined;
    this.#logger.info("The store can be written again", { path: this.#request.path });
  }

  #tellDamage(code: ErrorCode, message: string): void {
    if (code === "STORE_CORRUPT") this.#onDamaged?.(new MeridianError(code, message));
  }

  /** A commit is done. */
  #know({ journalRows, facts }: Known<Facts>): void {
    this.journalRows = journalRows;
    this.#events.onCommitted?.(facts);
    if (this.#waits) this.#goOn();
  }

  /** Reports up to a turn's worth of the records that have become durable. Returns whether all were reported. */
  #succeedNext(reply: Extract<News<Facts>, { kind: "committed" | "appended" }>): boolean {
    // Telling an owner late counts for the turn, too.
    this.#takenRows += this.#untold?.rows ?? 0;
    if (this.#untold !== undefined) this.#tell();
    else if (this.#told === 0 && reply.kind === "committed") this.#know(reply);
    while (this.#told < reply.count && this.#mayTakeMore) {
      this.#untold = this.#makeDurable(reply.kind);
      if (this.#mayTakeMore) this.#tell();
    }
    if (this.#told < reply.count) return false;
    this.#told = 0;
    return true;
  }

  #tell(): void {
    const record = this.#untold;
    this.#untold = undefined;
    this.#told += 1;
    record?.done();
  }

  /** The next record is durable. Returns it; undefined if an abort from inside a `done` has ended all. */
  #makeDurable(kind: "committed" | "appended"): Outstanding | undefined {
    const record = this.#outstanding.shift();
    if (record === undefined) return undefined;
    if (kind === "committed") this.#direct -= 1;
    this.pendingBytes -= record.bytes;
    this.#takenBytes += record.bytes;
    this.#takenRows += record.rows;
    record.onDurable();
    return record;
  }

  #foldNext({ through, journalRows }: Extract<WriterReply<Facts>, { kind: "folded" }>): boolean {
    this.journalRows = journalRows;
    const rowsMax = ROWS_PER_TURN - this.#takenRows;
    const rows = this.#events.onFolded(through, rowsMax);
    this.#takenRows += rows;
    return rows < rowsMax;
  }

  #failAll(failure: MeridianError): void {
    const failed = this.#outstanding.takeAll();
    if (failed.length === 0) return;
    this.pendingBytes = 0;
    this.#direct = 0;
    this.#events.onFailed();
    for (const { done } of failed) done(failure);
  }

  #tickLater(): void {
    this.#cancelTick = this.#clock.after(this.#request.tuning.sweepEveryMs, () => {
      if (this.#ended || this.#broken !== undefined) return;
      // At the beginning of time nothing has expired yet.
      this.#post({ kind: "tick", nowMs: this.#expiryNowMs() ?? 0 });
      this.#tickLater();
    });
  }

  #exited(): void {
    this.#takeAllReplies();
    if (!this.#ended) this.#break(undefined);
    this.#failAll(new MeridianError("STORE_FAILED", "The writer ended before it was done"));
    this.#onExit?.();
  }

  #break(cause: unknown): void {
    this.#takeAllReplies();
    if (this.#broken !== undefined) return;
    const said = cause instanceof Error ? cause.message : "its thread ended";
    const { path } = this.#request;
    this.#broken = new MeridianError("STORE_FAILED", `The writer of ${path} failed: ${said}`, {
      cause,
    });
    this.#cancelTick();
    this.#logger.error("The store can no longer write", { path, reason: said });
    this.#onOpened?.(this.#broken);
    this.#failAll(this.#broken);
    this.#events.onBroken(this.#broken);
  }
}

function failureOf(plain: PlainFailure | null): MeridianError | undefined {
  return plain === null ? undefined : new MeridianError(plain.code, plain.message);
}

/** Who waits for a record: a client does for what it has written alone. */
function urgencyOf(write: JournalWrite, isAwaited: boolean): Urgency {
  if (write.kind === "entries" && write.outboxPosition > 0) return "alone";
  return isAwaited ? "turn" : "none";
}
