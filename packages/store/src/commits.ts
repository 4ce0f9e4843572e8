/**
 * Group commit on the writer thread: all records that wait share one transaction and one answer.
 *
 * In a replica's store, a record that cannot be committed fails: its owner has promised nothing yet, and tells its client. Records that the owner
 * sent before it heard of the failure are not written either: what follows a hole in the outbox must not become durable before the hole is filled. A
 * log has passed its records on already, in an order that cannot be changed any more. So where the failure may pass, which is any but a damaged
 * database, they wait here and are tried again, and everything behind them waits with them.
 *
 * Records of a redo file are acknowledged already, in both stores: they always wait and are tried again. Those that are not, and that come behind
 * them in a replica's store, fail meanwhile.
 */
import type { Clock } from "@meridian/runtime";
import type { Checkpointer } from "./checkpointer.ts";
import { diskErrno } from "./disk.ts";
import type { Claim, DiskRoom } from "./disk-room.ts";
import type { Journal } from "./journal.ts";
import type { RedoDesk } from "./redo/redo-desk.ts";
import { explain, isPassing, type Explained } from "./store-error.ts";
import type { Transactions } from "./transactions.ts";
import { noRoom, type Refused } from "./write-health.ts";
import type { JournalWrite, WriterReply } from "./writer-messages.ts";

/** The most bytes of blocks in one transaction. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;

/** Records of a redo file are folded in the transaction that commits them if they have no more bytes than this: more take a step of their own. */
const ALONG_BYTES = 64 * 1024;

/** How often records that wait for the disk are tried again, in milliseconds. */
const RETRY_MS = 500;

/** A record that is to be committed. */
interface Waiting<Write> {
  readonly write: Write;
  /** Its serial in the redo file, where it is durable already; 0 if it is nowhere. */
  readonly serial: number;
}

/** Folds the rows of a commit in its own transaction. */
export interface FoldAlong {
  /** Whether that may be: none before them waits to be folded. */
  readonly isPossible: boolean;
  /** Folds them, as far as a step of folding goes. */
  fold(): void;
  /** The transaction is committed. */
  committed(): void;
  /** The transaction is not. */
  rolledBack(): void;
}

/** How commits are made, and who hears of them. */
export interface CommitsOptions<Write, Facts> {
  readonly path: string;
  readonly clock: Clock;
  readonly journal: Journal<Write, Facts>;
  readonly transactions: Transactions;
  readonly checkpointer: Checkpointer;
  readonly room: DiskRoom;
  readonly redo: RedoDesk;
  /** The `synchronous` of a commit. */
  readonly synchronous: string;
  /** Whether records that cannot be committed now wait instead of failing. */
  readonly isPatient: boolean;
  /** Folds what a transaction commits. */
  readonly along: FoldAlong;
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
  /** Invariant: those of a redo file stand before the others. */
  #waiting: Waiting<Write>[] = [];
  #generation = 0;
  /** Why what waits has last failed. */
  #failure: Explained | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: CommitsOptions<Write, Facts>) {
    this.#options = options;
  }

  /** Whether what came could not be committed and waits. */
  get isStalled(): boolean {
    return this.#cancelRetry !== undefined;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes a record, unless it was sent before a failure was heard of. */
  take(generation: number, write: Write): void {
    if (generation === this.#generation) this.#waiting.push({ write, serial: 0 });
  }

  /** Takes a record of a redo file. */
  takeRedo(serial: number, write: Write): void {
    this.#waiting.push({ write, serial });
  }

  /** Commits everything that waits, as far as that can be. */
  run(): void {
    if (this.isStalled) return this.#refuse();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length;) {
      const group = waiting.slice(start, groupEnd(waiting, start));
      const fitting = this.#fitting(group);
      const failure = this.#commitOrRelieve(group.slice(0, fitting));
      if (failure !== undefined) return this.#fail(failure, waiting.slice(start));
      start += fitting;
      if (fitting < group.length)
        return this.#fail({ trouble: "full", error: noRoom() }, waiting.slice(start));
    }
  }

  /** Stops trying again. */
  close(): void {
    this.#cancelRetry?.();
  }

  /** While records of a redo file wait for the disk, a replica takes no others. */
  #refuse(): void {
    const failure = this.#failure;
    if (this.#options.isPatient || failure === undefined) return;
    const first = this.#waiting.findIndex(({ serial }) => serial === 0);
    if (first >= 0) this.#failThose(failure, this.#waiting.splice(first));
  }

  /** How many of these can be committed before one for which there is no room. What is durable, or brings no entries, always fits. */
  #fitting(group: readonly Waiting<Write>[]): number {
    let bytes = 0;
    for (const [index, { write, serial }] of group.entries()) {
      const added = bytesOf(write);
      bytes += added;
      const claim = claimOf(write);
      if (serial > 0 || added === 0 || this.#hasRoom(bytes, claim)) continue;
      if (!this.#options.checkpointer.relieve() || !this.#hasRoom(bytes, claim)) return index;
    }
    return group.length;
  }

  #hasRoom(bytes: number, claim: Claim): boolean {
    return this.#options.room.isFor(bytes, claim, this.#options.clock.elapsedMs());
  }

  /** On a full disk, moving the write-ahead log may make room. */
  #commitOrRelieve(group: readonly Waiting<Write>[]): Explained | undefined {
    const failure = this.#commit(group);
    if (failure?.trouble !== "full" || !this.#options.checkpointer.relieve()) return failure;
    return this.#commit(group);
  }

  /** Returns why that could not be. */
  #commit(group: readonly Waiting<Write>[]): Explained | undefined {
    if (group.length === 0) return undefined;
    if (!this.#options.along.isPossible || !isSmallRedo(group))
      return this.#commitWith(group, undefined);
    // What cannot be folded is committed all the same.
    const failure = this.#commitWith(group, this.#options.along);
    return failure === undefined ? undefined : this.#commitWith(group, undefined);
  }

  #commitWith(
    group: readonly Waiting<Write>[],
    along: FoldAlong | undefined,
  ): Explained | undefined {
    const { journal, room, transactions, synchronous, clock, path, redo } = this.#options;
    const startedMs = clock.elapsedMs();
    const redone = group.findLast(({ serial }) => serial > 0)?.serial ?? 0;
    const count = group.filter(({ serial }) => serial === 0).length;
    try {
      transactions.run(synchronous, () => {
        for (const { write } of group) journal.write(write);
        if (redone > 0) redo.mark(redone);
        // Everything of the redo file stands before the first of the others.
        if (count > 0) redo.writeEnd();
        along?.fold();
      });
    } catch (cause) {
      along?.rolledBack();
      return explain(cause, "commit", () => diskErrno(path));
    }
    this.#failure = undefined;
    for (const { write } of group) room.spend(bytesOf(write));
    this.#tell(redone, count);
    this.#options.onCommitted(clock.elapsedMs() - startedMs);
    along?.committed();
    return undefined;
  }

  /** Tells what is in the database now: the records of the redo file through `redone`, and `count` others. */
  #tell(redone: number, count: number): void {
    const { journal, redo } = this.#options;
    const { rows: journalRows, facts } = journal;
    if (count > 0) redo.committed();
    if (redone > 0) {
      const creditBytes = redo.creditBytes();
      this.#options.reply({ kind: "redone", through: redone, journalRows, facts, creditBytes });
    }
    if (count > 0) this.#options.reply({ kind: "committed", count, journalRows, facts });
  }

  #fail(failure: Explained, waiting: readonly Waiting<Write>[]): void {
    const { room, isPatient, clock } = this.#options;
    const { code, message } = failure.error;
    room.measure(clock.elapsedMs());
    if (isPatient && isPassing(failure.trouble)) {
      this.#retry(failure, waiting);
      return this.#options.reply({ kind: "stalled", code, message });
    }
    const others = waiting.findIndex(({ serial }) => serial === 0);
    const kept = others < 0 ? waiting : waiting.slice(0, others);
    if (kept.length > 0) {
      const isNews = this.#failure?.error.code !== code;
      if (isNews) this.#options.reply({ kind: "hindered", code, message });
      this.#retry(failure, kept);
    }
    this.#failThose(failure, waiting.slice(kept.length));
  }

  #retry(failure: Explained, waiting: readonly Waiting<Write>[]): void {
    this.#waiting = [...waiting];
    this.#failure = failure;
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.#options.onRetry();
    });
    this.#options.redo.look();
  }

  /** Tells that records have failed, which are in no redo file; or that none has, only that the disk takes nothing. */
  #failThose(failure: Explained, waiting: readonly Waiting<Write>[]): void {
    const writes = waiting.map(({ write }) => write);
    const copy = writes.find((write) => write.kind === "entries" && write.outboxPosition === 0);
    const set = writes.find((write) => claimOf(write) === "set");
    this.#options.onFailed(failure, { setBytes: bytesOf(set), copyBytes: bytesOf(copy) });
    if (writes.length === 0) return;
    const { code, message } = failure.error;
    this.#generation += 1;
    this.#options.reply({ kind: "failed", generation: this.#generation, code, message });
  }
}

/** Whether nobody waits for any of these records, and they are few. */
function isSmallRedo(group: readonly Waiting<JournalWrite>[]): boolean {
  let bytes = 0;
  for (const { write, serial } of group) {
    bytes += bytesOf(write);
    if (serial === 0 || bytes > ALONG_BYTES) return false;
  }
  return true;
}

function groupEnd(waiting: readonly Waiting<JournalWrite>[], start: number): number {
  let end = start;
  for (let bytes = 0; end < waiting.length && bytes < TRANSACTION_BYTES; end += 1) {
    bytes += bytesOf(waiting[end]?.write);
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
