/**
 * The redo files as the main thread sees them: small records become durable here, and go on to the writer thread in batches.
 *
 * A record costs one write in the pool of libuv then, and no turn of the writer thread with a commit of its own. Records that come while a write is
 * under way share the next one, and so do, within a few milliseconds, those that nobody waits for: what other nodes wrote can be read before it is durable
 * here. With the durability `power` each write is synced: by itself where the platform can do that in one turn of the pool, or by a second call.
 *
 * Two files are used in turn. Once one is full, the other is written over from its beginning, if the database has all that it holds; else the full one
 * grows on. If a write fails, nothing of these files is trusted any more: the records that were to be written are given back, and the writer thread
 * says with their commit that no record counts. Then it may begin anew, with another nonce.
 *
 * Invariant: the database has the records through `#redoneThrough` ≤ those handed over ≤ `#durableThrough`, and all of them are in the two files.
 */
import type { Clock, Logger } from "@meridian/runtime";
import type { Durability } from "../durability.ts";
import { encodeBody } from "./redo-body.ts";
import { encodeRecords, type RedoBody } from "./redo-record.ts";
import { redoPaths } from "./redo-recovery.ts";
import { platformDisk, type RedoDisk } from "./redo-disk.ts";
import type { JournalWrite } from "../writer-messages.ts";

/** A file that is as large is not begun anew behind its end if the other may be. */
const FILE_BYTES = 8 * 1024 * 1024;

/** A write takes no more than this, in bytes and in records. */
const GROUP_BYTES = 64 * 1024;
const GROUP_RECORDS = 256;

/** Records wait so long, in milliseconds, for others to be handed over with, unless they are as many bytes. With `power`, the commit waits for the disk. */
const HAND_MS: Readonly<Record<Durability, number>> = { process: 100, power: 200 };
const HAND_BYTES = 128 * 1024;

/** Records that nobody waits for are written so long after the write before, in milliseconds, with all that come until then. */
const GATHER_MS = 25;

/** Who waits for a record: somebody for it alone, somebody for it and what comes with it in this turn, or nobody. */
export type Urgency = "alone" | "turn" | "none";

/** What the log is made of, and who hears of it. */
export interface RedoLogOptions<Write> {
  /** The path of the database. */
  readonly path: string;
  readonly durability: Durability;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk?: RedoDisk | undefined;
  /** The next `count` records are durable. */
  onDurable(count: number): void;
  /** These are not, nor will be: they are to be committed at once. What is durable was handed over before. */
  onFailed(writes: readonly Write[]): void;
  /** Gives records to the writer thread, as the file has them. */
  hand(records: Uint8Array<ArrayBuffer>): void;
}

interface Item<Write> {
  readonly write: Write;
  readonly body: RedoBody;
}

interface File {
  readonly path: string;
  descriptor: number | undefined;
  bytes: number;
  lastSerial: number;
}

/** Makes records durable in front of the database. */
export class RedoLog<Write extends JournalWrite> {
  readonly #options: RedoLogOptions<Write>;
  readonly #disk: RedoDisk;
  #files: readonly [File, File];
  /** 0 while no record would count. */
  #nonce = 0;
  #creditBytes = 0;
  #queue: Item<Write>[] = [];
  #queuedBytes = 0;
  /** The records that are being written. */
  #writing: readonly Item<Write>[] = [];
  #isScheduled = false;
  /** Whether somebody waits for a record of the queue. */
  #isAwaited = false;
  #writtenAtMs = -Infinity;
  #cancelGathering: (() => void) | undefined;
  #durableThrough = 0;
  #redoneThrough = 0;
  /** The bytes of what is durable and not in the database, by their last serial. */
  #ahead: { readonly through: number; readonly bytes: number }[] = [];
  #aheadBytes = 0;
  /** What is durable and not handed over. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #cancelHanding: (() => void) | undefined;
  /** Called once nothing waits to be written. */
  #onIdle: (() => void)[] = [];
  /** Settled once the files of an earlier use are closed; and the news to go by then. */
  #closing: Promise<void> | undefined;
  #armedNext: { readonly nonce: number; readonly creditBytes: number } | undefined;
  #isOver = false;

  constructor(options: RedoLogOptions<Write>) {
    this.#options = options;
    this.#disk = options.disk ?? platformDisk;
    this.#files = filesOf(options.path);
  }

  /** From here on records with that nonce count. */
  arm(nonce: number, creditBytes: number): void {
    if (this.#isOver) return;
    if (this.#closing !== undefined) {
      this.#armedNext = { nonce, creditBytes };
      return;
    }
    this.#nonce = nonce;
    this.#creditBytes = creditBytes;
    this.#durableThrough = 0;
    this.#redoneThrough = 0;
  }

  /** So many bytes may be ahead of the database. */
  grant(creditBytes: number): void {
    this.#creditBytes = creditBytes;
  }

  /** The database has the records through that serial. */
  redone(through: number, creditBytes: number): void {
    this.#creditBytes = creditBytes;
    this.#redoneThrough = through;
    let gone = 0;
    for (const each of this.#ahead) {
      if (each.through > through) break;
      this.#aheadBytes -= each.bytes;
      gone += 1;
    }
    this.#ahead = this.#ahead.slice(gone);
  }

  /** Whether nothing waits to be written. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#writing.length === 0;
  }

  /** Takes a record, if it is one for the file and there is room. Returns whether it was taken. */
  append(write: Write, urgency: Urgency): boolean {
    if (this.#nonce === 0 || this.#queuedBytes > GROUP_BYTES) return false;
    const body = encodeBody(write);
    if (body === undefined) return false;
    const bytes = this.#aheadBytes + this.#queuedBytes + body.byteLength;
    if (bytes > this.#creditBytes) return false;
    this.#queue.push({ write, body });
    this.#queuedBytes += body.byteLength;
    if (urgency !== "none") this.#isAwaited = true;
    if (this.#writing.length === 0) this.#schedule(urgency);
    return true;
  }

  /** Calls back once everything that was taken is durable, or given back. */
  whenIdle(callback: () => void): void {
    if (this.isIdle) return callback();
    this.#onIdle.push(callback);
    this.#isAwaited = true;
    if (this.#writing.length === 0) this.#schedule("turn");
  }

  /** Has the queue written, soon enough for who waits for a record of it. */
  #schedule(urgency: Urgency): void {
    if (this.#isScheduled) return;
    const { clock } = this.#options;
    const waitMs = this.#writtenAtMs + GATHER_MS - clock.elapsedMs();
    const isFull = 2 * this.#queuedBytes >= GROUP_BYTES || this.#queue.length >= GROUP_RECORDS;
    if (urgency === "none" && waitMs > 0 && !isFull) {
      this.#cancelGathering ??= clock.after(waitMs, () => {
        this.#cancelGathering = undefined;
        this.#flush();
      });
      return;
    }
    this.#isScheduled = true;
    // Records of others come several in a turn, a client's own in one piece.
    if (urgency === "alone") queueMicrotask(() => this.#flush());
    else setImmediate(() => this.#flush());
  }

  /** Hands over what is durable. */
  handOver(): void {
    this.#cancelHanding?.();
    this.#cancelHanding = undefined;
    if (this.#kept.length === 0) return;
    const records = new Uint8Array(this.#keptBytes);
    let at = 0;
    for (const each of this.#kept) {
      records.set(each, at);
      at += each.byteLength;
    }
    this.#kept = [];
    this.#keptBytes = 0;
    this.#options.hand(records);
  }

  /** Lets go of the files once nothing is being written, and removes them if no record counts any more. */
  async close(isRetired: boolean): Promise<void> {
    this.#isOver = true;
    this.#nonce = 0;
    this.#queue = [];
    this.#cancelHanding?.();
    this.#cancelGathering?.();
    await new Promise<void>((resolve) => {
      if (this.#writing.length === 0) resolve();
      else this.#onIdle.push(resolve);
    });
    await this.#closing;
    await this.#letGo();
    if (!isRetired) return;
    for (const { path } of this.#files) {
      await new Promise<void>((resolve) => this.#disk.remove(path, () => resolve()));
    }
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#writing.length > 0 || this.#queue.length === 0) return;
    this.#cancelGathering?.();
    this.#cancelGathering = undefined;
    this.#writtenAtMs = this.#options.clock.elapsedMs();
    this.#writing = this.#takeGroup();
    // What did not fit goes with the next write.
    this.#isAwaited = this.#queue.length > 0;
    const file = this.#nextFile();
    const first = this.#durableThrough + 1;
    const bodies = this.#writing.map(({ body }) => body);
    const records = encodeRecords(this.#nonce, first, bodies);
    this.#opened(file, (failure, descriptor) => {
      if (failure !== null) return this.#fail(failure, file);
      this.#disk.write(descriptor, records, file.bytes, (unwritten) => {
        if (unwritten !== null) return this.#fail(unwritten, file);
        const isSynced = this.#disk.syncsWrites === true;
        if (isSynced || this.#options.durability === "process") return this.#succeed(file, records);
        this.#disk.sync(descriptor, (unsynced) =>
          unsynced === null ? this.#succeed(file, records) : this.#fail(unsynced, file),
        );
      });
    });
  }

  #takeGroup(): readonly Item<Write>[] {
    let [end, bytes] = [0, 0];
    for (const { body } of this.#queue) {
      if (end === GROUP_RECORDS || (end > 0 && bytes + body.byteLength > GROUP_BYTES)) break;
      bytes += body.byteLength;
      end += 1;
    }
    const group = this.#queue.slice(0, end);
    this.#queue = this.#queue.slice(end);
    this.#queuedBytes -= bytes;
    return group;
  }

  /** The file to write to: the other one if this is full, and the database has all that the other one holds. */
  #nextFile(): File {
    const [current, other] = this.#files;
    if (current.bytes < FILE_BYTES || other.lastSerial > this.#redoneThrough) return current;
    this.#files = [other, current];
    other.bytes = 0;
    return other;
  }

  #opened(file: File, done: (failure: Error | null, descriptor: number) => void): void {
    if (file.descriptor !== undefined) return done(null, file.descriptor);
    const isLasting = this.#options.durability === "power";
    this.#disk.open(file.path, isLasting, (failure, descriptor) => {
      if (failure === null) file.descriptor = descriptor;
      done(failure, descriptor);
    });
  }

  #succeed(file: File, records: Uint8Array): void {
    const count = this.#writing.length;
    const bytes = records.byteLength;
    this.#writing = [];
    this.#durableThrough += count;
    file.bytes += bytes;
    file.lastSerial = this.#durableThrough;
    this.#ahead.push({ through: this.#durableThrough, bytes });
    this.#aheadBytes += bytes;
    this.#kept.push(records);
    this.#keptBytes += bytes;
    if (!this.#isOver) {
      this.#handOverSoon();
      this.#options.onDurable(count);
      if (this.#isAwaited && !this.#isScheduled) this.#flush();
      else if (this.#queue.length > 0) this.#schedule("none");
    }
    this.#tellIdle();
  }

  #handOverSoon(): void {
    if (this.#keptBytes >= HAND_BYTES) this.handOver();
    else {
      const { clock, durability } = this.#options;
      this.#cancelHanding ??= clock.after(HAND_MS[durability], () => this.handOver());
    }
  }

  /** A write has failed. What it may have written is cut off, and the files are let go. */
  #fail(cause: Error, file: File): void {
    const items = [...this.#writing, ...this.#queue];
    this.#writing = [];
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#isAwaited = false;
    this.#nonce = 0;
    if (!this.#isOver) {
      const { logger, path } = this.#options;
      const said =
        "The redo file cannot be written now; records go into the database one by one instead";
      logger.warn(said, { path, reason: cause.message });
      this.#closing = this.#cut(file).then(() => this.#begin());
      this.handOver();
      this.#options.onFailed(items.map(({ write }) => write));
    }
    this.#tellIdle();
  }

  async #cut({ descriptor, bytes }: File): Promise<void> {
    if (descriptor !== undefined) {
      // If this fails as well, the next commit still says that no record counts.
      await new Promise<void>((resolve) => this.#disk.truncate(descriptor, bytes, () => resolve()));
    }
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    for (const { descriptor } of this.#files) {
      if (descriptor === undefined) continue;
      await new Promise<void>((resolve) => this.#disk.close(descriptor, () => resolve()));
    }
    this.#files = filesOf(this.#options.path);
  }

  #begin(): void {
    this.#closing = undefined;
    this.#ahead = [];
    this.#aheadBytes = 0;
    const next = this.#armedNext;
    this.#armedNext = undefined;
    if (next !== undefined) this.arm(next.nonce, next.creditBytes);
  }

  #tellIdle(): void {
    if (!this.isIdle) return;
    const callbacks = this.#onIdle;
    this.#onIdle = [];
    for (const callback of callbacks) callback();
  }
}

function filesOf(path: string): readonly [File, File] {
  const [a, b] = redoPaths(path);
  const of = (each: string): File => ({
    path: each,
    descriptor: undefined,
    bytes: 0,
    lastSerial: 0,
  });
  return [of(a), of(b)];
}
