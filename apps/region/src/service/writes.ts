/**
 * Writes: checked, bounded, made durable, and acknowledged as widely as asked. A condition or an update and the stamp of what
 * comes of it are never separated by other work.
 */
import {
  checkClientKey,
  isLive,
  MeridianError,
  NO_BYTES,
  revocationKey,
  withoutScope,
  type AckLevel,
  type Entry,
} from "@meridian/protocol";
import type { EntryMark } from "@meridian/ports";
import type {
  BatchWrite,
  Content,
  Quarantine,
  Receipt,
  Replica,
  WriteDone,
  WriteNeeds,
  WriteRequest,
} from "@meridian/replication";
import {
  SMALL_BYTES,
  WAIT_SECONDS,
  type Clock,
  type Counter,
  type Histogram,
  type Metrics,
} from "@meridian/runtime";

import { ByteBudget } from "./byte-budget.ts";
import type { Memory } from "./memory.ts";
import {
  checkBytes,
  checkContentType,
  factsOf,
  type AckRequest,
  type Condition,
  type Life,
  type SetRequest,
  type Update,
  type WriteResult,
} from "./requests.ts";
import { StorePatience } from "./store-patience.ts";
import type { WriteGate } from "./write-gate.ts";
import { checkDeadline } from "./write-deadline.ts";
import { WriteQueue } from "./write-queue.ts";

/** The default for the most bytes that wait in memory to be stored. */
const BACKLOG_BYTES_MAX = 128 * 1024 * 1024;

/** About how many bytes a write takes in memory beside its key and value until it is answered. */
const WRITE_BYTES = 500;

/** The most bytes of writes that are stored and wait for a higher acknowledgement level. */
const ACK_BYTES_MAX = 64 * 1024 * 1024;

/** A write of more entries has filled the turn in which it is durable: its answer is made in another. */
const TURN_ENTRIES = 128;

/** What is asked for a write that nobody but this node need have. */
const UNREPORTED: WriteNeeds = { reportApplied: false };

const DELETED: Content = { value: NO_BYTES, contentType: "", ttlMs: 0, deleted: true };

/** The parts and bounds that writes need. */
export interface WritesOptions {
  readonly replica: Replica;
  readonly memory: Memory;
  /** Bytes that wait for the disk or for folding. */
  readonly store: { readonly backlogBytes: number };
  readonly clock: Clock;
  readonly gate: WriteGate;
  readonly metrics: Metrics;
  /** The largest value taken, in bytes. */
  readonly valueBytesMax: number;
  /** The time to live of writes that name none, in milliseconds; 0 for none. */
  readonly ttlMsDefault: number;
  /** Writes are refused while more bytes than this wait to be stored. Default: 128 MiB. */
  readonly backlogBytesMax?: number | undefined;
}

/** A revocation as it was stored. */
export interface Revoked {
  /** When it expires, in milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAtMs: number;
  readonly acknowledged: WriteResult["acknowledged"];
}

/** Called once: with the result, or with why there is none. */
export type PutDone = (failure: unknown, result?: WriteResult) => void;

/** Writes what clients ask for. */
export class Writes {
  readonly valueBytesMax: number;
  /** The time to live of writes that name none, in milliseconds; 0 for none. */
  ttlMsDefault: number;
  readonly #options: WritesOptions;
  readonly #backlogBytesMax: number;
  readonly #acknowledging: ByteBudget;
  readonly #patience: StorePatience;
  readonly #queue = new WriteQueue();
  readonly #count: Counter;
  readonly #seconds: Histogram;

  constructor(options: WritesOptions) {
    this.#options = options;
    this.valueBytesMax = options.valueBytesMax;
    this.ttlMsDefault = options.ttlMsDefault;
    this.#patience = new StorePatience(options.clock);
    this.#backlogBytesMax = options.backlogBytesMax ?? BACKLOG_BYTES_MAX;
    const { metrics } = options;
    const ackBytesMax = Math.max(ACK_BYTES_MAX, 4 * options.valueBytesMax);
    const what = "writes that wait to be acknowledged more widely";
    this.#acknowledging = new ByteBudget(metrics, "acknowledgingBytes", what, ackBytesMax);
    this.#count = metrics.counter("meridian_written_entries_total", "Entries written here.");
    this.#seconds = metrics.histogram(
      "meridian_write_seconds",
      "How long writes took to be durable here.",
      WAIT_SECONDS,
    );
    metrics.level(() => [
      { name: "writeBytes", now: this.#backlogBytes(), max: this.#backlogBytesMax },
    ]);
  }

  /** Entries written since the start. */
  get count(): number {
    return this.#count.value;
  }

  /**
   * Sets values in one commit: all of them or none. Throws `INVALID_KEY`, `VALUE_TOO_LARGE`,
   * `INVALID_ARGUMENT` (the content type), `PRECONDITION_FAILED`, `DEADLINE_PASSED`, `ACK_TIMEOUT` (the write is stored), `OVERLOADED`
   * (with `details.mayHaveBeenApplied` if the disk has had the write for too long), `STORE_FULL` or `STORE_READ_ONLY` while the
   * disk takes no new values, and what the store throws.
   */
  set(
    requests: readonly SetRequest[],
    ack: AckRequest,
    condition?: Condition,
  ): Promise<WriteResult> {
    this.#options.gate.checkRoom();
    const check = condition && this.#onLive(condition);
    const writes = requests.map((request): WriteRequest => {
      const { key, value, contentType, ttlMs = this.ttlMsDefault, expiresAtMs } = request;
      checkClientKey(key);
      checkContentType(contentType);
      this.checkLength(value.byteLength);
      const life = expiresAtMs === undefined ? { ttlMs } : { ttlMs, expiresAtMs };
      return { key, value, contentType, ...life, deleted: false, ...(check && { check }) };
    });
    return this.#writeAll(writes, bytesOf(writes), ack);
  }

  /**
   * Sets one value as `set` does, and calls `done` once it is durable on this node, instead of making promises. Throws, or calls `done` with, what `set` throws;
   * this may be before it returns.
   */
  put({ key, value, contentType }: SetRequest, done: PutDone): void {
    this.#options.gate.checkRoom();
    checkClientKey(key);
    checkContentType(contentType);
    this.checkLength(value.byteLength);
    const writes = [{ key, value, contentType, ttlMs: this.ttlMsDefault, deleted: false }];
    const { replica } = this.#options;
    this.#begin(
      writes,
      bytesOf(writes),
      (committed) => replica.commit(writes, UNREPORTED, committed),
      (failure, receipt) =>
        receipt === undefined ? done(failure) : done(undefined, this.#localResultOf(receipt)),
    );
  }

  /** Deletes a key; `deleted` tells whether it was live. Throws as `set` does. */
  async delete(
    key: string,
    ack: AckRequest,
    condition?: Condition,
  ): Promise<WriteResult & { readonly deleted: boolean }> {
    let deleted = false;
    const write = this.#deletion(key, (live) => {
      deleted = live !== undefined;
      condition?.(live);
    });
    return { ...(await this.#writeAll([write], bytesOf([write]), ack)), deleted };
  }

  /** Deletes keys in one commit; `deleted` has those that were live. Throws as `set` does. */
  async deleteAll(
    keys: readonly string[],
    ack: AckRequest,
  ): Promise<WriteResult & { readonly deleted: ReadonlySet<string> }> {
    const deleted = new Set<string>();
    const writes = keys.map((key) =>
      this.#deletion(key, (live) => {
        if (live !== undefined) deleted.add(key);
      }),
    );
    return { ...(await this.#writeAll(writes, bytesOf(writes), ack)), deleted };
  }

  /** Gives the value of a key, which is at most `bytes` long, another time to live; `entries` is empty if the key has no value. Throws as `set` does. */
  touch(key: string, life: Life, bytes: number, ack: AckRequest): Promise<WriteResult> {
    const touched = (live: Entry | undefined): Content | undefined => {
      if (live === undefined) return undefined;
      const { value, contentType } = live;
      // The new version is written plainly, whatever the old one was.
      const attributes = withoutScope(live.attributes);
      return { value, contentType, deleted: false, ...(attributes && { attributes }), ...life };
    };
    return this.update(key, touched, bytes, ack);
  }

  /** Deletes a key, and resolves to the live entry that it held; to undefined where there was none. Throws as `set` does. */
  async pull(key: string, ack: AckRequest): Promise<Entry | undefined> {
    checkClientKey(key);
    let held: Entry | undefined;
    const update = this.#onLive((live: Entry | undefined) => {
      held = live;
      return live && DELETED;
    });
    await this.#writeAll([{ key, update }], WRITE_BYTES + 2 * key.length, ack);
    return held;
  }

  #deletion(key: string, condition: Condition): WriteRequest {
    checkClientKey(key);
    return { key, ...DELETED, check: this.#onLive(condition) };
  }

  /**
   * Sets a key to what `update` makes of its live entry; `entries` is empty if `update` leaves the key as it is. Until the result is known, it counts
   * as `bytes` long. Throws as `set` does, and what `update` throws.
   */
  update(key: string, update: Update, bytes: number, ack: AckRequest): Promise<WriteResult> {
    checkClientKey(key);
    this.#options.gate.checkRoom();
    const compute = this.#onLive(update);
    const write: BatchWrite = {
      key,
      update: (current) => {
        const content = compute(current);
        if (content === undefined || content.deleted) return content;
        checkContentType(content.contentType);
        this.checkLength(content.value.byteLength);
        return content;
      },
    };
    return this.#writeAll([write], WRITE_BYTES + 2 * key.length + bytes, ack);
  }

  /**
   * Writes a quarantined entry anew and takes it out of the quarantine. Throws `QUARANTINED_NOT_FOUND`,
   * `QUARANTINED_EXPIRED`, and what `set` throws.
   */
  async replay(id: number, ack: AckRequest, condition?: Condition): Promise<WriteResult> {
    this.#options.gate.checkRoom();
    const onLive = condition && this.#onLive(condition);
    const check = (current: EntryMark | undefined): void => {
      this.checkDeadline(ack.deadlineMs);
      onLive?.(current);
    };
    const held = this.quarantine.get(id)?.entry;
    const writes = held === undefined ? [] : [held];
    return this.#write(writes, bytesOf(writes), ack, (done) =>
      this.quarantine.replay(id, check, needsOf(ack), done),
    );
  }

  /**
   * Revokes the token of an id for `ttlMs`, 0 for ever; one that has been revoked for longer stays so. Takes it also where there is no
   * room for new values. Throws `INVALID_ARGUMENT` for what is no id, and what `delete` throws.
   */
  async revoke(id: string, ttlMs: number, ack: AckRequest): Promise<Revoked> {
    const key = revocationKey(id);
    const { replica } = this.#options;
    let expiresAtMs = ttlMs === 0 ? 0 : replica.nowMs() + ttlMs;
    const update = this.#onLive((live: Entry | undefined) => {
      if (live !== undefined && (live.expiresAtMs || Infinity) >= (expiresAtMs || Infinity)) {
        ({ expiresAtMs } = live);
        return undefined;
      }
      return { value: NO_BYTES, contentType: "", ttlMs, expiresAtMs, deleted: false };
    });
    const bytes = WRITE_BYTES + 2 * key.length;
    const { acknowledged } = await this.#writeAll([{ key, update }], bytes, ack);
    return { expiresAtMs, acknowledged };
  }

  /** What the cluster deleted while this node was away and held it live. */
  get quarantine(): Quarantine {
    return this.#options.replica.quarantine;
  }

  /** Throws `VALUE_TOO_LARGE` if this node takes no value of so many bytes. */
  checkLength(bytes: number): void {
    checkBytes("a value", bytes, this.valueBytesMax);
  }

  /** Throws as the function of that name does. */
  checkDeadline(deadlineMs: number | undefined): void {
    if (deadlineMs !== undefined) checkDeadline(deadlineMs, this.#options.replica.nowMs());
  }

  /** Calls `about` with the live entry among those that the replica gives, if there is one. */
  #onLive<E extends EntryMark, T>(
    about: (live: E | undefined) => T,
  ): (current: E | undefined) => T {
    return (current) =>
      about(
        current !== undefined && isLive(current, this.#options.replica.nowMs())
          ? current
          : undefined,
      );
  }

  #writeAll(writes: readonly BatchWrite[], bytes: number, ack: AckRequest): Promise<WriteResult> {
    const { replica } = this.#options;
    const inTime = this.#inTime(writes, ack.deadlineMs);
    return this.#write(writes, bytes, ack, (done) => replica.commit(inTime, needsOf(ack), done));
  }

  /** The same writes, all of which are refused if they get their stamps too late: they get them together, so the first one looks. */
  #inTime(writes: readonly BatchWrite[], deadlineMs: number | undefined): readonly BatchWrite[] {
    const [first, ...rest] = writes;
    if (deadlineMs === undefined || first === undefined) return writes;
    if ("update" in first) {
      const update: Extract<BatchWrite, { update: unknown }>["update"] = (current) => {
        this.checkDeadline(deadlineMs);
        return first.update(current);
      };
      return [{ ...first, update }, ...rest];
    }
    const check = (current: EntryMark | undefined): void => {
      this.checkDeadline(deadlineMs);
      first.check?.(current);
    };
    return [{ ...first, check }, ...rest];
  }

  /** Writes `bytes` bytes of these keys, and waits until the write has reached the level that was asked for. */
  #write(
    keys: readonly { readonly key: string }[],
    bytes: number,
    ack: AckRequest,
    write: (done: WriteDone) => void,
  ): Promise<WriteResult> {
    const written =
      ack.level === "local"
        ? this.#commit(keys, bytes, write).then(this.#localResultOf)
        : this.#writeWidely(keys, bytes, ack, write);
    return keys.length > TURN_ENTRIES ? written.then(inAnotherTurn) : written;
  }

  readonly #localResultOf = (receipt: Receipt): WriteResult => ({
    entries: receipt.entries,
    acknowledged: this.#options.replica.acknowledgements.local(receipt.outboxPosition),
  });

  async #writeWidely(
    keys: readonly { readonly key: string }[],
    bytes: number,
    ack: AckRequest,
    write: (done: WriteDone) => void,
  ): Promise<WriteResult> {
    const { gate, replica } = this.#options;
    gate.check();
    const giveBack = this.#reserve(ack.level, bytes);
    try {
      const receipt = await this.#commit(keys, bytes, write);
      const acknowledged = await replica.acknowledgement(receipt, ack.level, ack.timeoutMs);
      if (acknowledged.reached) return { entries: receipt.entries, acknowledged };
      throw new MeridianError(
        "ACK_TIMEOUT",
        `Expected acknowledgement \`${ack.level}\` within ${ack.timeoutMs} ms; the write is stored on this node and will travel`,
        { details: { acknowledged, entries: receipt.entries.map(factsOf) } },
      );
    } finally {
      giveBack();
    }
  }

  /** Takes the budget of a write that waits for a higher acknowledgement level, and returns the function that gives it back. Throws `OVERLOADED`. */
  #reserve(level: AckLevel, bytes: number): () => void {
    const giveBack = this.#options.replica.acknowledgements.reserve();
    try {
      this.#acknowledging.take(bytes);
    } catch (cause) {
      giveBack();
      throw cause;
    }
    return () => {
      giveBack();
      this.#acknowledging.give(bytes);
    };
  }

  #commit(
    keys: readonly { readonly key: string }[],
    bytes: number,
    write: (done: WriteDone) => void,
  ): Promise<Receipt> {
    return new Promise((resolve, reject) =>
      this.#begin(keys, bytes, write, (failure, receipt) =>
        receipt === undefined ? reject(failure) : resolve(receipt),
      ),
    );
  }

  /** Begins a write of these keys, and calls `done` once. Throws if the write is refused before it begins. */
  #begin(
    keys: readonly { readonly key: string }[],
    bytes: number,
    write: (done: WriteDone) => void,
    done: WriteDone,
  ): void {
    const { memory, clock, gate } = this.#options;
    gate.check();
    this.#checkBacklog(bytes);
    const beganAtMs = clock.elapsedMs();
    for (const { key } of keys) memory.announce(key);
    const bytesThen = this.#queue.enter(bytes);
    let isOver = false;
    const endPatience = this.#patience.begin((failure) => {
      isOver = true;
      done(failure);
    });
    write((failure, receipt) => {
      endPatience();
      this.#queue.leave(bytes);
      for (const { key } of keys) memory.land(key);
      if (receipt !== undefined) {
        const tookMs = clock.elapsedMs() - beganAtMs;
        this.#queue.observe(bytesThen, tookMs);
        this.#count.add(receipt.entries.length);
        this.#seconds.observe(tookMs / 1_000);
      }
      if (!isOver) done(failure, receipt);
    });
  }

  #backlogBytes(): number {
    return this.#queue.bytes + this.#options.store.backlogBytes;
  }

  /** Throws `OVERLOADED` while too much waits in memory for the disk, or for too long; the last quarter of the room is for small writes. */
  #checkBacklog(wanted: number): void {
    if (this.#queue.isTooLong(wanted)) {
      const waitMs = Math.round(this.#queue.waitMs);
      throw new MeridianError(
        "OVERLOADED",
        `Expected the disk to take what waits to be stored sooner, got about ${waitMs} ms; smaller writes are taken`,
        { details: { waitMs } },
      );
    }
    const bytes = this.#backlogBytes();
    const max = this.#backlogBytesMax;
    const bytesMax = wanted <= SMALL_BYTES ? max : max - Math.floor(max / 4);
    if (bytes <= bytesMax) return;
    throw new MeridianError(
      "OVERLOADED",
      `Expected at most ${bytesMax} bytes waiting to be stored, got ${bytes}`,
      { details: { bytes, bytesMax } },
    );
  }
}

function inAnotherTurn<T>(result: T): Promise<T> {
  return new Promise((resolve) => setImmediate(() => resolve(result)));
}

function bytesOf(requests: readonly Pick<Entry, "key" | "value">[]): number {
  let bytes = 0;
  for (const { key, value } of requests) bytes += WRITE_BYTES + 2 * key.length + value.byteLength;
  return bytes;
}

/**
 * What the replica is told of a write: the directory has to report who has applied one that waits for more than this node. It makes such a write
 * durable at once, and others together with what comes within some milliseconds.
 */
export function needsOf({ level, trace }: AckRequest): WriteNeeds {
  const reportApplied = typeof level === "number" ? level > 1 : level !== "local";
  return trace === undefined ? { reportApplied } : { reportApplied, trace };
}
