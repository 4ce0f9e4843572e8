/**
 * Group commit on the writer thread: all records that wait share one transaction and one answer.
 *
 * In a replica's store, a record that cannot be committed fails: its owner has promised nothing yet, and tells its client. Records that the owner
 * sent before it heard of the failure are not written either: what follows a hole in the outbox must not become durable before the hole is filled. A
 * log has passed its records on already, in an order that cannot be changed any more. So where the failure may pass, which is any but a damaged
 * database, they wait here and are tried again, and everything behind them waits with them.
 */
import type { Clock } from "@meridian/runtime";
import type { Checkpointer } from "./checkpointer.ts";
import { diskErrno } from "./disk.ts";
import type { Claim, DiskRoom } from "./disk-room.ts";
import type { Journal } from "./journal.ts";
import { explain, isPassing, type Explained } from "./store-error.ts";
import type { Transactions } from "./transactions.ts";
import { noRoom, type Refused } from "./write-health.ts";
import type { JournalWrite, WriterReply } from "./writer-messages.ts";

/** The most bytes of blocks in one transaction. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;

/** How often records that wait for the disk are tried again, in milliseconds. */
const RETRY_MS = 500;

/** How commits are made, and who hears of them. */
export interface CommitsOptions<Write, Facts> {
  readonly path: string;
  readonly clock: Clock;
  readonly journal: Journal<Write, Facts>;
  readonly transactions: Transactions;
  readonly checkpointer: Checkpointer;
  readonly room: DiskRoom;
  /** The `synchronous` of a commit. */
  readonly synchronous: string;
  /** Whether records that cannot be committed now wait instead of failing. */
  readonly isPatient: boolean;
  reply(reply: WriterReply<Facts>): void;
  /** Records have failed: the first set of a client and the first record that others wrote have so many bytes; 0 for none. */
  onFailed(failure: Explained, refused: Refused): void;
  /** A commit that took `tookMs` is done. */
  onCommitted(tookMs: number): void;
  /** It is time to `run` again. */
  onRetry(): void;
}

/** The records that are to be committed. */
export class Commits<Write extends JournalWrite, Facts> {
  readonly #options: CommitsOptions<Write, Facts>;
  #waiting: Write[] = [];
  #generation = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(options: CommitsOptions<Write, Facts>) {
    this.#options = options;
  }

  /** Whether what came could not be committed and waits. */
  get isStalled(): boolean {
    return this.#cancelRetry !== undefined;
  }

  /** Takes a record, unless it was sent before a failure was heard of. */
  take(generation: number, write: Write): void {
    if (generation === this.#generation) this.#waiting.push(write);
  }

  /** Commits everything that waits, as far as that can be. */
  run(): void {
    if (this.isStalled) return;
    const writes = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < writes.length;) {
      const group = writes.slice(start, groupEnd(writes, start));
      const fitting = this.#fitting(group);
      const failure = this.#commitOrRelieve(group.slice(0, fitting));
      if (failure !== undefined) return this.#fail(failure, writes.slice(start));
      start += fitting;
      if (fitting < group.length)
        return this.#fail({ trouble: "full", error: noRoom() }, writes.slice(start));
    }
  }

  /** Stops trying again. */
  close(): void {
    this.#cancelRetry?.();
  }

  /** How many of these can be committed before one for which there is no room. What brings no entries always fits. */
  #fitting(writes: readonly JournalWrite[]): number {
    let bytes = 0;
    for (const [index, write] of writes.entries()) {
      const added = bytesOf(write);
      bytes += added;
      const claim = claimOf(write);
      if (added === 0 || this.#hasRoom(bytes, claim)) continue;
      if (!this.#options.checkpointer.relieve() || !this.#hasRoom(bytes, claim)) return index;
    }
    return writes.length;
  }

  #hasRoom(bytes: number, claim: Claim): boolean {
    return this.#options.room.isFor(bytes, claim, this.#options.clock.elapsedMs());
  }

  /** On a full disk, moving the write-ahead log may make room. */
  #commitOrRelieve(writes: readonly Write[]): Explained | undefined {
    const failure = this.#commit(writes);
    if (failure?.trouble !== "full" || !this.#options.checkpointer.relieve()) return failure;
    return this.#commit(writes);
  }

  /** Returns why that could not be. */
  #commit(writes: readonly Write[]): Explained | undefined {
    if (writes.length === 0) return undefined;
    const { journal, room, transactions, synchronous, clock, path } = this.#options;
    const startedMs = clock.elapsedMs();
    try {
      transactions.run(synchronous, () => {
        for (const write of writes) journal.write(write);
      });
    } catch (cause) {
      return explain(cause, "commit", () => diskErrno(path));
    }
    const { rows: journalRows, facts } = journal;
    this.#options.reply({ kind: "committed", count: writes.length, journalRows, facts });
    for (const write of writes) room.spend(bytesOf(write));
    this.#options.onCommitted(clock.elapsedMs() - startedMs);
    return undefined;
  }

  #fail(failure: Explained, writes: readonly Write[]): void {
    const { room, isPatient, clock } = this.#options;
    const { code, message } = failure.error;
    room.measure(clock.elapsedMs());
    if (isPatient && isPassing(failure.trouble)) {
      this.#waiting = [...writes];
      this.#cancelRetry = clock.after(RETRY_MS, () => {
        this.#cancelRetry = undefined;
        this.#options.onRetry();
      });
      return this.#options.reply({ kind: "stalled", code, message });
    }
    const copy = writes.find((write) => write.kind === "entries" && write.outboxPosition === 0);
    const set = writes.find((write) => claimOf(write) === "set");
    this.#options.onFailed(failure, { setBytes: bytesOf(set), copyBytes: bytesOf(copy) });
    this.#generation += 1;
    this.#options.reply({ kind: "failed", generation: this.#generation, code, message });
  }
}

function groupEnd(writes: readonly JournalWrite[], start: number): number {
  let end = start;
  for (let bytes = 0; end < writes.length && bytes < TRANSACTION_BYTES; end += 1) {
    bytes += bytesOf(writes[end]);
  }
  return end;
}

/** What needs room in the journal says how urgently; the log takes what has been passed on already. */
function claimOf(write: JournalWrite): Claim {
  return write.kind === "entries" ? write.claim : "essential";
}

function bytesOf(write: JournalWrite | undefined): number {
  if (write === undefined || !("block" in write)) return 0;
  const quarantined = write.kind === "entries" ? (write.quarantined?.block.byteLength ?? 0) : 0;
  return write.block.byteLength + quarantined;
}
