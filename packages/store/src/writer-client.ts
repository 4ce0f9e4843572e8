import { Worker } from "node:worker_threads";
import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { Fifo, type Clock, type Logger } from "@meridian/runtime";
import type { OnDamaged } from "./store-error.ts";
import { ROWS_PER_TURN } from "./turns.ts";
import { writerThreadFile } from "./worker-source.ts";
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

/** The writer thread, seen from the main thread. */
export class WriterClient<Write extends JournalWrite, Facts> {
  readonly #worker: Worker;
  readonly #events: WriterEvents<Facts>;
  readonly #clock: Clock;
  readonly #expiryNowMs: () => number | undefined;
  readonly #logger: Logger;
  readonly #request: OpenRequest;
  readonly #onDamaged: OnDamaged | undefined;
  readonly #outstanding = new Fifo<Outstanding>();
  /** Replies that are not handled yet; of the first of them, how many records have been reported. */
  #replies: WriterReply<Facts>[] = [];
  #told = 0;
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
    },
  ) {
    this.#worker = worker;
    this.#events = parts.events;
    this.#clock = parts.clock;
    this.#expiryNowMs = parts.expiryNowMs;
    this.#logger = parts.logger;
    this.#request = request;
    this.#onDamaged = parts.onDamaged;
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

  /** Hands a record over. `onDurable` is called just before `done` if it succeeds. Its blocks are given away. */
  append(write: Write, onDurable: () => void, done: (failure?: MeridianError) => void): void {
    if (this.#ended) {
      throw new MeridianError("STORE_FAILED", "Expected an open store, got one that is closed");
    }
    const blocks = blocksOf(write);
    const bytes = blocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const rows = "count" in write ? write.count : 0;
    this.#outstanding.push({ bytes, rows, onDurable, done });
    this.pendingBytes += bytes;
    if (this.#broken !== undefined) {
      const failure = this.#broken;
      queueMicrotask(() => this.#failAll(failure));
      return;
    }
    const request = { kind: "append", generation: this.#generation, write } as const;
    this.#post(
      request,
      blocks.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }

  /** Lets entries be removed, once everything that was appended before is folded. */
  purge(scope: PurgeScope): void {
    if (!this.#ended && this.#broken === undefined) this.#post({ kind: "purge", scope });
  }

  /** Asks for the folding of everything that was appended before. */
  settle(): void {
    if (!this.#ended && this.#broken === undefined) this.#post({ kind: "settle" });
  }

  /** Finishes what was appended, then ends the thread. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#cancelTick();
    if (this.#broken === undefined) {
      await new Promise<void>((resolve) => {
        this.#onExit = resolve;
        this.#post({ kind: "close" });
      });
    }
    await this.#worker.terminate();
  }

  /** Ends the thread at once. The `done` of what is not durable is never called. */
  async abort(): Promise<void> {
    this.#ended = true;
    this.#cancelTick();
    this.#outstanding.takeAll();
    this.#replies = [];
    await this.#worker.terminate();
  }

  #post(request: WriterRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(request, transfer);
  }

  #receive(reply: WriterReply<Facts>): void {
    this.#replies.push(reply);
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
  #take(reply: WriterReply<Facts>): boolean {
    if (reply.kind === "committed") return this.#succeedNext(reply);
    if (reply.kind === "folded") return this.#foldNext(reply);
    this.#hear(reply);
    return true;
  }

  #hear(reply: Exclude<WriterReply<Facts>, { kind: "committed" | "folded" }>): void {
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
        this.#logger.warn("The store cannot fold its journal now and will try again", {
          path: this.#request.path,
          reason: reply.message,
        });
        break;
      case "closed":
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

  /** Reports up to a turn's worth of the records of a commit. Returns whether all were reported. */
  #succeedNext(reply: Extract<WriterReply<Facts>, { kind: "committed" }>): boolean {
    if (this.#told === 0) {
      this.journalRows = reply.journalRows;
      this.#events.onCommitted?.(reply.facts);
      if (this.#waits) this.#goOn();
    }
    while (this.#told < reply.count && this.#mayTakeMore) {
      const record = this.#outstanding.shift();
      this.#told += 1;
      // An abort from inside a `done` ends them all.
      if (record === undefined) continue;
      this.pendingBytes -= record.bytes;
      this.#takenBytes += record.bytes;
      this.#takenRows += record.rows;
      record.onDurable();
      record.done();
    }
    if (this.#told < reply.count) return false;
    this.#told = 0;
    return true;
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

function blocksOf(write: JournalWrite): Uint8Array[] {
  if (!("block" in write)) return [];
  const quarantined = write.kind === "entries" ? write.quarantined : null;
  return quarantined === null ? [write.block] : [write.block, quarantined.block];
}
