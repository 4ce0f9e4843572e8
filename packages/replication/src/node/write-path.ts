/**
 * How a node's own writes become durable: checked, stamped, committed together with their place in the
 * outbox, and only then answered.
 *
 * Group commit: everything that arrives in one turn of the event loop, or while a commit is under way, is
 * committed next, as one frame. One commit is under way at a time, so a write is always checked against
 * durable data, and a failed commit leaves no gap in the outbox. Nothing waits on a timer.
 */
import type { Done, EntryMark } from "@meridian/ports";
import {
  asMeridianError,
  BATCH_ENTRIES_MAX,
  BlockBuilder,
  FRAME_BYTES_TARGET,
  FRAME_ENTRIES_TARGET,
  entryBytes,
  highestTimeOf,
  isLive,
  isPurgeable,
  lowestTimeOf,
  MeridianError,
  NO_BYTES,
  replaces,
  tombstone,
  VALUE_BYTES_MAX,
  withoutScope,
  type Entry,
  type Stamp,
  type TraceContext,
} from "@meridian/protocol";

import type { NodeContext } from "./node-context.ts";
import { WrittenEntries } from "./written-entries.ts";

/** What a key is to hold. */
export interface Content {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Time to live in milliseconds; 0 for ever. */
  readonly ttlMs: number;
  /** When it expires, in milliseconds since the Unix epoch, 0 for never. It takes precedence over `ttlMs`. */
  readonly expiresAtMs?: number;
  /** A delete; value, content type and TTL are then ignored. */
  readonly deleted: boolean;
  /** The attributes of an entry that is written anew. */
  readonly attributes?: Uint8Array;
}

/** A write of a batch that knows what its key is to hold. */
export interface WriteRequest extends Content {
  readonly key: string;
  /** Throws to refuse the whole batch. Gets what `UpdateRequest.update` gets, but without the value, which is not read. */
  readonly check?: (current: EntryMark | undefined) => void;
}

/** A write of a batch that computes what its key is to hold. */
export interface UpdateRequest {
  readonly key: string;
  /**
   * Gets the newest entry of the key, tombstones and expired ones included, as the writes before it have left it. Returns what
   * the key is to hold, undefined to leave it as it is, or throws to refuse the whole batch. No other write of the key comes
   * between what it gets and what it returns; it is called once, and has to be quick.
   */
  readonly update: (current: Entry | undefined) => Content | undefined;
}

/** One write of a batch. */
export type BatchWrite = WriteRequest | UpdateRequest;

/** What a writer asks for beside its entries. */
export interface WriteNeeds {
  /** The directory is to tell which nodes have them: needed for the levels above `directory`. */
  readonly reportApplied: boolean;
  /** The trace of the write, which every node that receives the write is told. */
  readonly trace?: TraceContext | undefined;
}

/** The largest batch, in bytes of its keys and of the values that it writes, or its updates read: its frame must fit into one message, beside a frame's worth of others. */
const BATCH_BYTES_MAX = VALUE_BYTES_MAX + FRAME_BYTES_TARGET;

/** What a writer hears once its batch is durable on this node. */
export interface Receipt {
  /** The entries as they were stored, in the order of the requests; none for an update that left its key as it was. */
  readonly entries: readonly Entry[];
  /** The outbox position that covers the entries and everything that the checks and updates have seen; 0 if all of that was durable before. */
  readonly outboxPosition: number;
}

/** Called once with the receipt, or with what a check threw or why the store could not. */
export type WriteDone = (failure: unknown, receipt?: Receipt) => void;

/** Keys whose newest entries are sent again. */
interface Resubmission {
  readonly keys: readonly string[];
  readonly done: WriteDone;
  readonly onComplete: ((position: number) => void) | undefined;
}

const UNTRACED: readonly TraceContext[] = [];
const NONE_RELEASED: readonly number[] = [];

interface Batch extends WriteNeeds {
  /** Makes the entries when their turn comes, or throws. `written` is what this commit has written before them. */
  readonly make: (written: WrittenEntries) => readonly Entry[];
  /** Whether the entries keep the stamps that they got earlier, however low. */
  readonly isOld: boolean;
  /** Ids of quarantined entries that it writes anew. */
  readonly released: readonly number[];
  readonly done: WriteDone;
}

interface Taken {
  readonly batch: Batch;
  readonly entries: readonly Entry[];
  /** Why it is refused. */
  readonly refusal?: unknown;
}

/** Stamps and commits the writes of a node, one frame at a time. */
export class WritePath {
  readonly #context: NodeContext;
  #waiting: Batch[] = [];
  /** The entries that are taken and not handed to the store, as a frame carries them. */
  readonly #block = new BlockBuilder();
  /** How many runs of `resubmit` are not done. */
  #resubmitting = 0;
  #scheduled = false;
  #committing = false;
  /** The bytes of the values that updates have read in this turn. */
  #bytesRead = 0;
  /** The lowest stamp time in the commit that is under way; infinite where none is. */
  #committingLowest = Infinity;
  /** While this is set, nothing is stamped. It is called once, when no commit is under way. */
  #paused = false;
  #onIdle: (() => void) | undefined;
  #closed = false;
  #onClosed: (() => void) | undefined;

  constructor(context: NodeContext) {
    this.#context = context;
  }

  /** Writes a batch as one; `done` hears of it once it is durable here. */
  write(requests: readonly BatchWrite[], needs: WriteNeeds, done: WriteDone): void {
    const make = (written: WrittenEntries): readonly Entry[] => this.#stamp(requests, written);
    const { reportApplied, trace } = needs;
    this.#enqueue({ make, isOld: false, released: NONE_RELEASED, reportApplied, trace, done });
  }

  /**
   * Writes a quarantined entry anew, with a new stamp and the expiry that it had, and takes it out of the quarantine.
   * Fails with `QUARANTINED_NOT_FOUND`, `QUARANTINED_EXPIRED`, or what `check` throws.
   */
  replay(id: number, check: WriteRequest["check"], needs: WriteNeeds, done: WriteDone): void {
    const make = (written: WrittenEntries): readonly Entry[] => {
      const { entry } = this.#context.store.quarantinedEntry(id) ?? {};
      if (entry === undefined) {
        const said = `Expected the id of a quarantined entry, got \`${id}\``;
        throw new MeridianError("QUARANTINED_NOT_FOUND", said);
      }
      if (!isLive(entry, this.#context.time.nowMs())) {
        const said = `Expected an entry that has not expired, got one that did at ${entry.expiresAtMs}`;
        throw new MeridianError("QUARANTINED_EXPIRED", said);
      }
      const { stamp: _, attributes, ...kept } = entry;
      const plain = withoutScope(attributes);
      const request = { ...kept, ttlMs: 0, ...(plain && { attributes: plain }) };
      return this.#stamp([check === undefined ? request : { ...request, check }], written);
    };
    this.#enqueue({ make, isOld: false, released: [id], ...needs, done });
  }

  /**
   * Sends the newest entries of `keys` once more, with the stamps they have when their turn comes. Calls `onComplete` before it hands the last of
   * them to the store, with the outbox position that they get. With `onComplete`, all keys are needed: the call fails with `OUT_OF_ORDER` if this
   * node has purged the entry of a key, which another log may still need.
   */
  resubmit(
    keys: readonly string[],
    done: WriteDone,
    onComplete?: (position: number) => void,
  ): void {
    if (this.#closed) return done(draining());
    this.#resubmitting += 1;
    const finish: WriteDone = (failure, receipt) => {
      this.#resubmitting -= 1;
      done(failure, receipt);
    };
    this.#resubmitFrom({ keys, done: finish, onComplete }, 0, { entries: [], outboxPosition: 0 });
  }

  /** A frame's worth at a time, which is read when its turn comes, and only then. */
  #resubmitFrom(resubmission: Resubmission, start: number, last: Receipt): void {
    const { keys, done, onComplete } = resubmission;
    const { store } = this.#context;
    let next = start;
    const make = (written: WrittenEntries): readonly Entry[] => {
      const entries: Entry[] = [];
      const end = Math.min(keys.length, next + FRAME_ENTRIES_TARGET);
      for (let bytes = 0; next < end && bytes < FRAME_BYTES_TARGET; next += 1) {
        const key = keys[next] ?? "";
        // A newer entry is in this frame already. Re-stamped in the order of the frame, one behind it would get the higher stamp.
        if (written.has(key)) continue;
        const entry = store.get(key);
        if (onComplete !== undefined && isForgotten(entry, store.horizon)) throw forgotten();
        if (entry === undefined) continue;
        entries.push(entry);
        bytes += entryBytes(entry);
      }
      if (next === keys.length) onComplete?.(store.outboxThrough + 1);
      return entries;
    };
    const partDone: WriteDone = (failure, receipt) => {
      if (receipt === undefined) return done(failure);
      // A part whose entries have all gone meanwhile takes no position.
      const reached = receipt.outboxPosition > 0 ? receipt : last;
      if (next === keys.length) done(undefined, reached);
      else this.#resubmitFrom(resubmission, next, reached);
    };
    this.#add({ make, isOld: true, released: [], reportApplied: false, done: partDone });
  }

  /** Sends entries with the stamps they have, or what is newer here when their turn comes: a frame's worth at a time. */
  offer(entries: readonly Entry[], done: WriteDone): void {
    const { store } = this.#context;
    const part = entries.slice(0, FRAME_ENTRIES_TARGET);
    const rest = entries.slice(FRAME_ENTRIES_TARGET);
    const make = (written: WrittenEntries): readonly Entry[] =>
      part.flatMap((offered) => {
        const { key } = offered;
        const before = written.get(key);
        // A newer entry is in this frame already: as in `#resubmitFrom`, no older one may stand behind it.
        if (before !== undefined && !replaces(offered, before)) return [];
        const held = store.peek(key);
        const isOlder = held !== undefined && replaces(held, offered);
        const entry = isOlder ? (store.get(key) ?? offered) : offered;
        written.add(entry);
        return [entry];
      });
    const partDone: WriteDone = (failure, receipt) => {
      if (receipt === undefined || rest.length === 0) done(failure, receipt);
      else this.offer(rest, done);
    };
    this.#enqueue({ make, isOld: true, released: [], reportApplied: false, done: partDone });
  }

  /**
   * Writes what the store holds of the keys of `entries` once more, above them, and a delete where it holds nothing. Passes over those
   * that something newer has replaced when their turn comes.
   */
  outrank(entries: readonly Entry[], done: WriteDone): void {
    const { store, stamps } = this.#context;
    let next = 0;
    const make = (written: WrittenEntries): readonly Entry[] => {
      const made: Entry[] = [];
      const end = Math.min(entries.length, FRAME_ENTRIES_TARGET);
      for (let bytes = 0; next < end && bytes < FRAME_BYTES_TARGET; next += 1) {
        const returned = entries[next];
        if (returned === undefined) break;
        const { key } = returned;
        const held = written.get(key) ?? store.get(key);
        if (!replaces(returned, held)) continue;
        const stamp = stamps.above(returned.stamp);
        const again = held === undefined ? tombstone(key, stamp) : { ...held, stamp };
        written.add(again);
        made.push(again);
        bytes += entryBytes(again);
      }
      return made;
    };
    const partDone: WriteDone = (failure, receipt) => {
      if (receipt === undefined || next === entries.length) done(failure, receipt);
      else this.outrank(entries.slice(next), done);
    };
    this.#enqueue({ make, isOld: true, released: [], reportApplied: false, done: partDone });
  }

  /** A lower bound of the stamp times of the entries on their way into the outbox; infinite if there are none. */
  get lowestTime(): number {
    const hasOld = this.#resubmitting > 0 || this.#waiting.some(({ isOld }) => isOld);
    return hasOld ? 0 : this.#committingLowest;
  }

  /** Takes no more writes, and calls back once those that were taken are durable or refused. */
  close(onIdle: () => void): void {
    this.#closed = true;
    this.#onClosed = onIdle;
    this.#checkClosed();
  }

  /** Lets no write through until `resume`, and calls back as soon as no commit is under way. */
  pause(onIdle: () => void): void {
    if (!this.#context.rules.writesWaitForRestamping) return onIdle();
    this.#paused = true;
    this.#onIdle = onIdle;
    if (!this.#committing) this.#idle();
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  #enqueue(batch: Batch): void {
    if (this.#closed) batch.done(draining());
    else this.#add(batch);
  }

  #add(batch: Batch): void {
    this.#waiting.push(batch);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#committing || this.#paused || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#context.defer(() => {
      this.#scheduled = false;
      if (!this.#committing && !this.#paused) this.#flush();
    });
  }

  #flush(): void {
    const taken = this.#take();
    const writing = taken.every(isWriting) ? taken : taken.filter(isWriting);
    if (writing.length === 0) {
      for (const each of taken) answer(each, 0);
      this.#schedule();
      return this.#checkClosed();
    }
    const { store, append } = this.#context;
    const entries = entriesOf(writing);
    const frame = {
      position: store.outboxThrough + 1,
      count: entries.length,
      highestTime: highestTimeOf(entries),
      block: this.#block.take(),
    };
    const released = releasedBy(writing);
    const record = { kind: "local", frame, entries } as const;
    this.#committing = true;
    this.#committingLowest = lowestTimeOf(entries);
    const done: Done = (failure) => {
      this.#committing = false;
      this.#committingLowest = Infinity;
      if (failure === undefined) {
        const reportApplied = writing.some(({ batch }) => batch.reportApplied);
        const isNew = writing.every(({ batch }) => !batch.isOld);
        const traces = tracesOf(writing);
        this.#context.events.emit.durable(frame, entries, { reportApplied, isNew, traces });
        for (const each of taken) answer(each, frame.position);
      } else {
        // A check may have refused, or an update kept its key, because of an entry whose commit has failed now.
        for (const { batch } of taken) batch.done(failure);
      }
      if (this.#paused) this.#idle();
      // A large frame is on its way to the directory in this turn: the next is made in another.
      else if (frame.block.byteLength > FRAME_BYTES_TARGET) this.#schedule();
      else if (this.#waiting.length > 0) this.#flush();
      this.#checkClosed();
    };
    try {
      append(released.length === 0 ? record : { ...record, released }, done);
    } catch (cause) {
      // The store accepts nothing any more. No writer's call would catch the error, so the writers hear of it here.
      done(asMeridianError(cause));
    }
  }

  /** Takes as many batches as one frame holds, and makes their entries. */
  #take(): Taken[] {
    const taken: Taken[] = [];
    let written = new WrittenEntries();
    let [count, bytes] = [0, 0];
    this.#bytesRead = 0;
    for (const batch of this.#waiting) {
      if (Math.max(bytes, this.#bytesRead) >= FRAME_BYTES_TARGET || count >= FRAME_ENTRIES_TARGET)
        break;
      try {
        const entries = batch.make(written);
        bytes += this.#block.add(entries);
        count += entries.length;
        taken.push({ batch, entries });
      } catch (refusal) {
        taken.push({ batch, entries: [], refusal });
        // The writes behind it do not see what it would have written.
        written = new WrittenEntries(taken.flatMap(({ entries }) => entries));
      }
    }
    this.#waiting = this.#waiting.slice(taken.length);
    return taken;
  }

  /** Checks or computes each write on top of the writes before it, and stamps the result. */
  #stamp(requests: readonly BatchWrite[], written: WrittenEntries): readonly Entry[] {
    const { stamps, time } = this.#context;
    const nowMs = time.nowMs();
    if (requests.length > BATCH_ENTRIES_MAX) {
      const said = `Expected a batch of at most ${BATCH_ENTRIES_MAX} entries, got ${requests.length}`;
      throw new MeridianError("VALUE_TOO_LARGE", said);
    }
    stamps.check(nowMs, requests.length);
    const entries: Entry[] = [];
    let bytes = 0;
    for (const request of requests) {
      const { key } = request;
      const readBefore = this.#bytesRead;
      const content = this.#contentOf(request, written);
      bytes += 3 * key.length;
      bytes += Math.max(this.#bytesRead - readBefore, content?.value.length ?? 0);
      if (bytes > BATCH_BYTES_MAX) {
        const said = `Expected a batch of at most ${BATCH_BYTES_MAX} bytes, got ${bytes} or more`;
        throw new MeridianError("VALUE_TOO_LARGE", said);
      }
      if (content === undefined) continue;
      const entry = entryOf(key, content, stamps.next(nowMs), nowMs);
      written.add(entry);
      // An array that grows has room for seventeen from the first on.
      if (requests.length === 1) return [entry];
      entries.push(entry);
    }
    return entries;
  }

  /** What a write makes of the newest entry of its key; undefined to leave the key as it is. Throws if the write is refused. */
  #contentOf(request: BatchWrite, written: WrittenEntries): Content | undefined {
    const { store, early } = this.#context;
    const { key } = request;
    if (!("update" in request)) {
      request.check?.(written.get(key) ?? early.newer(key, store.peek(key)));
      return request;
    }
    const current = written.get(key) ?? early.newer(key, store.get(key));
    this.#bytesRead += current?.value.length ?? 0;
    return request.update(current);
  }

  #idle(): void {
    const onIdle = this.#onIdle;
    this.#onIdle = undefined;
    onIdle?.();
  }

  #checkClosed(): void {
    if (this.#committing || this.#waiting.length > 0) return;
    const onClosed = this.#onClosed;
    this.#onClosed = undefined;
    onClosed?.();
  }
}

function isWriting({ entries }: Taken): boolean {
  return entries.length > 0;
}

/** The entries of all; those of the only one as they are. */
function entriesOf(writing: readonly Taken[]): readonly Entry[] {
  const [first] = writing;
  return first !== undefined && writing.length === 1
    ? first.entries
    : writing.flatMap(({ entries }) => entries);
}

/** Tells a writer what became of its batch: entries through `position` are durable. */
function answer({ batch, entries, refusal }: Taken, outboxPosition: number): void {
  if (refusal === undefined) batch.done(undefined, { entries, outboxPosition });
  else batch.done(refusal);
}

/** The traces of the batches. Nearly always there are none, which costs nothing. */
function tracesOf(taken: readonly Taken[]): readonly TraceContext[] {
  let traces: TraceContext[] | undefined;
  for (const { batch } of taken) if (batch.trace !== undefined) (traces ??= []).push(batch.trace);
  return traces ?? UNTRACED;
}

/** The entry that gives `key` the content from `nowMs` on. */
export function entryOf(key: string, content: Content, stamp: Stamp, nowMs: number): Entry {
  const { value, contentType, ttlMs, expiresAtMs, deleted, attributes } = content;
  const endsAtMs = expiresAtMs ?? (ttlMs === 0 ? 0 : Math.ceil(nowMs + ttlMs));
  const plain: Entry = {
    key,
    value: deleted ? NO_BYTES : value,
    contentType: deleted ? "" : contentType,
    stamp,
    expiresAtMs: deleted ? 0 : endsAtMs,
    deleted,
  };
  return attributes === undefined ? plain : { ...plain, attributes };
}

/** The ids of quarantined entries that the batches write anew. Nearly always there are none, which costs nothing. */
function releasedBy(writing: readonly Taken[]): readonly number[] {
  const areNone = writing.every(({ batch }) => batch.released.length === 0);
  return areNone ? NONE_RELEASED : writing.flatMap(({ batch }) => batch.released);
}

function isForgotten(held: Entry | undefined, horizon: number): boolean {
  return horizon > 0 && (held === undefined || isPurgeable(held, horizon));
}

function forgotten(): MeridianError {
  const said = "Expected to have all that the log may lack, got a key that is forgotten here";
  return new MeridianError("OUT_OF_ORDER", said);
}

function draining(): MeridianError {
  return new MeridianError("NODE_DRAINING", "The node is shutting down");
}
