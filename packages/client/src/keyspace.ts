import { MeridianError } from "@meridian/protocol";
import {
  batchDeleted,
  batchPresence,
  batchWritten,
  deleted,
  written,
} from "@meridian/protocol/http-api";
import type { Random } from "@meridian/runtime";

import { narrower, NOTHING_TO_WRITE } from "./acknowledgements.ts";
import {
  answerOf,
  keyInfoOf,
  listedPageOf,
  rawEntryOf,
  writtenOf,
  type ListedEntry,
  type ReceivedEntry,
} from "./answers.ts";
import type {
  CallOptions,
  DeleteManyResult,
  DeleteResult,
  EntriesOptions,
  EntryInfo,
  KeyInfo,
  KeysOptions,
  RawEntry,
  ReadOptions,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  UpdateOptions,
  WriteOptions,
  Written,
} from "./call-options.ts";
import {
  deleteManyRequests,
  expireAtRequest,
  hasManyRequests,
  touchRequest,
  type TouchOptions,
} from "./change-requests.ts";
import type { Caller, NodeAnswer } from "./caller.ts";
import type { ClusterTime } from "./cluster-time.ts";
import type { Network } from "./exchange.ts";
import type { FillOptions, LoadContext, Loader } from "./fill/fill-options.ts";
import type { FillRequest, Fills } from "./fill/fills.ts";
import type { Namespace } from "./namespace.ts";
import { refuseUnknown } from "./options.ts";
import { takeKept, type Reads, type Take } from "./reads.ts";
import {
  checkedKey,
  checkText,
  isScoped,
  scopedLimits,
  deleteRequest,
  entryTerms,
  keysRequest,
  type Listing,
  presenceRequest,
  readLimits,
  setManyRequests,
  setRequest,
  type EncodedEntry,
  WRITE,
  type Write,
} from "./requests.ts";
import type { CallLimits } from "./run.ts";
import type { Shape } from "./shape.ts";
import { bytesOf } from "./values.ts";
import { pull, readScoped, update } from "./update.ts";
import { keyOfCall, type WrapOptions } from "./wrap.ts";

/** What a keyspace goes through. */
export interface KeyspaceParts {
  readonly caller: Caller;
  readonly reads: Reads;
  readonly fills: Fills;
  readonly network: Network;
  readonly random: Random;
  readonly time: ClusterTime;
  /** Sends a write, and learns the cluster's time from its answer. */
  readonly write: (write: Write) => Promise<NodeAnswer>;
  /** The default deadline of a call, in milliseconds. */
  readonly deadlineMs: number;
}

/** Which keys a keyspace is about, and what their values are. */
export interface KeyspaceTerms<In, Out> {
  readonly prefix: string;
  readonly shape: Shape<In, Out>;
  /** How long values live for which nothing else is said. */
  readonly ttlMs: number | undefined;
  /** What `get` and `getMany` load what is missing with. */
  readonly load?: Loader<In, Out> | undefined;
  /** How values are filled for which nothing else is said. */
  readonly fill?: FillOptions | undefined;
}

/** How many keys of one `getMany` are loaded at a time. */
const LOADS_MAX = 64;

/** The options of `update`. */
const UPDATE = [...WRITE, "ttl", "ttlMs", "contentType", "scope"];

/** The values under a prefix of keys. */
export class Keyspace<In, Out> implements Namespace<In, Out> {
  readonly #parts: KeyspaceParts;
  readonly #terms: KeyspaceTerms<In, Out>;
  readonly #limits: CallLimits;
  readonly #take: Take<Out | undefined>;

  constructor(parts: KeyspaceParts, terms: KeyspaceTerms<In, Out>) {
    this.#parts = parts;
    this.#terms = terms;
    this.#limits = { deadlineMs: parts.deadlineMs };
    this.#take = (key, entry, shared) => terms.shape.decode(key, entry, shared);
  }

  get(key: string, options?: ReadOptions): Promise<Out | undefined> {
    const { load } = this.#terms;
    if (load === undefined || isScoped(options?.scope))
      return this.#read("`get`", key, options, this.#take);
    return this.#loaded("`get`", key, load, options);
  }

  getRaw(key: string, options?: ReadOptions): Promise<RawEntry | undefined> {
    return this.#read("`getRaw`", key, options, ownEntry);
  }

  /** No `async`: of ten thousand reads at once, each makes one promise. */
  #read<T>(
    what: string,
    key: string,
    options: ReadOptions | undefined,
    take: Take<T>,
  ): Promise<T | undefined> {
    const { reads, deadlineMs } = this.#parts;
    try {
      if (options?.scope !== undefined) return this.#readScoped(what, key, options, take);
      const limits = options === undefined ? this.#limits : readLimits(what, options, deadlineMs);
      const { signal } = limits;
      const kept = signal?.aborted === true ? undefined : this.#kept(key);
      if (kept !== undefined) return takeKept(key, kept, take);
      return reads.fetch(this.#whole(key), limits, take);
    } catch (cause) {
      return Promise.reject(cause as Error);
    }
  }

  /** Neither what this process keeps nor a read that others have begun is new enough. */
  async #readScoped<T>(
    what: string,
    key: string,
    options: ReadOptions,
    take: Take<T>,
  ): Promise<T | undefined> {
    const limits = scopedLimits(what, options, this.#parts.deadlineMs);
    const held = await readScoped(this.#parts, this.#whole(key), limits);
    return held && take(this.#whole(key), held, false);
  }

  async getMany(keys: Iterable<string>, options: CallOptions = {}): Promise<Map<string, Out>> {
    const limits = readLimits("`getMany`", options, this.#parts.deadlineMs);
    const wanted = [...new Set(keys)].map((key) => this.#whole(key));
    const values = new Map<string, Out>();
    const { load } = this.#terms;
    if (load !== undefined) {
      const bare = wanted.map((whole) => this.#bare(whole));
      for (let start = 0; start < bare.length; start += LOADS_MAX) {
        const some = bare.slice(start, start + LOADS_MAX);
        const loaded = some.map((key) => this.#loaded("`getMany`", key, load, options));
        for (const [index, value] of (await Promise.all(loaded)).entries()) {
          if (value !== undefined) values.set(some[index] ?? "", value);
        }
      }
      return values;
    }
    const entries = await this.#parts.reads.many(wanted, limits);
    for (const key of wanted) {
      const entry = entries.get(key);
      const value = entry && (await this.#terms.shape.decode(key, entry, true));
      if (value !== undefined) values.set(this.#bare(key), value);
    }
    return values;
  }

  async has(key: string, options: CallOptions = {}): Promise<boolean> {
    const limits = readLimits("`has`", options, this.#parts.deadlineMs);
    const reply = await this.#parts.caller.call(presenceRequest(this.#whole(key)), limits);
    return reply.found;
  }

  async #loaded(
    what: string,
    key: string,
    load: Loader<In, Out>,
    options: CallOptions | undefined,
  ): Promise<Out | undefined> {
    readLimits(what, options ?? {}, this.#parts.deadlineMs);
    return this.getOrSet(key, load, options);
  }

  async getOrSet<Value extends In | undefined>(
    key: string,
    load: (context: LoadContext<Out>) => Value | Promise<Value>,
    options: FillOptions = {},
  ): Promise<Out | Extract<Value, undefined>> {
    const { shape } = this.#terms;
    const request: FillRequest<In, Out> = { key: this.#whole(key), name: key, load, shape };
    const terms = this.#withTtl({ ...this.#terms.fill, ...options });
    const value = await this.#parts.fills.getOrSet(request, terms);
    return value as Out | Extract<Value, undefined>;
  }

  wrap<Args extends unknown[], Value extends In | undefined>(
    name: string,
    call: (...args: Args) => Value | Promise<Value>,
    { key, ...options }: WrapOptions<Args> = {},
  ): (...args: Args) => Promise<Out | Extract<Value, undefined>> {
    checkText("name", name, "INVALID_ARGUMENT");
    return async (...args) =>
      this.getOrSet(keyOfCall(name, args, key), () => call(...args), options);
  }

  async set(key: string, value: In, options: SetOptions = {}): Promise<SetResult> {
    const whole = this.#whole(key);
    const terms = this.#withTtl(options);
    const encoded = await this.#terms.shape.encode(whole, value, options.contentType);
    const answer = answerOf(
      written,
      await this.#parts.write(setRequest(whole, encoded, terms, this.#parts.deadlineMs)),
    );
    return { ...this.#written(answer), acknowledged: answer.acknowledged };
  }

  async setMany(
    entries: Iterable<SetEntry<In>>,
    options: SetManyOptions = {},
  ): Promise<SetManyResult> {
    const encoded: EncodedEntry[] = [];
    for (const entry of entries) {
      const { ttlMs = this.#terms.ttlMs, contentType } = entryTerms(entry);
      const key = this.#whole(entry.key);
      const value = await this.#terms.shape.encode(key, entry.value, contentType);
      encoded.push({ key, value, ttlMs });
    }
    const all: Written[] = [];
    let acknowledged: SetManyResult["acknowledged"] | undefined;
    for (const write of setManyRequests(encoded, options, this.#parts.deadlineMs)) {
      const answer = answerOf(batchWritten, await this.#part(write, all.length));
      all.push(...answer.entries.map((entry) => this.#written(entry)));
      acknowledged = narrower(acknowledged, answer.acknowledged);
    }
    if (acknowledged === undefined) throw new Error("Expected at least one request, got none");
    return { entries: all, acknowledged };
  }

  async delete(key: string, options: WriteOptions = {}): Promise<DeleteResult> {
    const write = deleteRequest(this.#whole(key), options, this.#parts.deadlineMs);
    const reply = await this.#parts.write(write);
    const answer = answerOf(deleted, reply);
    const { etag } = this.#written(answer);
    const wasLive = answer.deleted;
    return {
      key,
      etag,
      deleted: wasLive || !reply.repeated ? wasLive : undefined,
      acknowledged: answer.acknowledged,
    };
  }

  update(
    key: string,
    change: (current: Out | undefined) => In | undefined | Promise<In | undefined>,
    options: UpdateOptions = {},
  ): Promise<Out | undefined> {
    return this.#checked(() => {
      refuseUnknown("`update`", options, UPDATE);
      const { shape } = this.#terms;
      return update(this.#parts, { key: this.#whole(key), shape, change }, this.#withTtl(options));
    });
  }

  async deleteMany(
    keys: Iterable<string>,
    options: SetManyOptions = {},
  ): Promise<DeleteManyResult> {
    const deletedKeys: string[] = [];
    const wanted = [...new Set(keys)].map((key) => this.#whole(key));
    let acknowledged: DeleteManyResult["acknowledged"] | undefined;
    for (const write of deleteManyRequests(wanted, options, this.#parts.deadlineMs)) {
      const answer = answerOf(batchDeleted, await this.#parts.write(write));
      for (const entry of answer.entries) {
        if (entry.deleted) deletedKeys.push(this.#bare(entry.key));
      }
      acknowledged = narrower(acknowledged, answer.acknowledged);
    }
    return { deleted: deletedKeys, acknowledged: acknowledged ?? NOTHING_TO_WRITE };
  }

  async hasMany(keys: Iterable<string>, options: CallOptions = {}): Promise<Set<string>> {
    const limits = readLimits("`hasMany`", options, this.#parts.deadlineMs);
    const wanted = [...new Set(keys)].map((key) => this.#whole(key));
    const there = new Set<string>();
    for (const request of hasManyRequests(wanted)) {
      const answer = answerOf(batchPresence, await this.#parts.caller.call(request, limits));
      for (const { key, found: isThere } of answer.entries) if (isThere) there.add(this.#bare(key));
    }
    return there;
  }

  pull(key: string, options: CallOptions = {}): Promise<Out | undefined> {
    return this.#checked(() => {
      const { shape } = this.#terms;
      return pull(this.#parts, { key: this.#whole(key), shape }, options);
    });
  }

  async touch(key: string, options: TouchOptions = {}): Promise<boolean> {
    const write = touchRequest(this.#whole(key), this.#withTtl(options), this.#parts.deadlineMs);
    return (await this.#parts.write(write)).found;
  }

  async expireAt(
    key: string,
    at: Date | number | undefined,
    options: SetManyOptions = {},
  ): Promise<boolean> {
    const write = expireAtRequest(this.#whole(key), at, options, this.#parts.deadlineMs);
    return (await this.#parts.write(write)).found;
  }

  async ttl(key: string, options: CallOptions = {}): Promise<number | undefined> {
    const limits = readLimits("`ttl`", options, this.#parts.deadlineMs);
    const reply = await this.#parts.caller.call(presenceRequest(this.#whole(key)), limits);
    if (!reply.found) return undefined;
    const expiresAtMs = Number(reply.answer.headers.get("meridian-expires-at"));
    return expiresAtMs > 0 ? Math.max(0, expiresAtMs - this.#parts.time.nowMs()) : Infinity;
  }

  async *keys(options: KeysOptions = {}): AsyncGenerator<KeyInfo, void, undefined> {
    for await (const listed of this.#listed("`keys`", options, false)) yield this.#keyInfo(listed);
  }

  async *entries(options: EntriesOptions = {}): AsyncGenerator<EntryInfo<Out>, void, undefined> {
    const { shape } = this.#terms;
    for await (const listed of this.#listed("`entries`", options, options.values ?? true)) {
      const { key, entry, hasValue } = listed;
      const value = hasValue ? await shape.decode(key, entry, false) : undefined;
      yield { ...this.#keyInfo(listed), value };
    }
  }

  async *rawEntries(
    options: KeysOptions = {},
  ): AsyncGenerator<KeyInfo & RawEntry, void, undefined> {
    for await (const listed of this.#listed("`rawEntries`", options, true)) {
      const { key, entry, hasValue } = listed;
      if (!hasValue)
        throw new MeridianError("INTERNAL", `Expected the value of \`${key}\`, got none`);
      yield { ...this.#keyInfo(listed), value: bytesOf(entry) };
    }
  }

  async *#listed(
    what: Listing,
    options: EntriesOptions,
    values: boolean,
  ): AsyncGenerator<ListedEntry, void, undefined> {
    const { signal, deadlineMs, prefix, after } = options;
    const limits = readLimits(what, { signal, deadlineMs }, this.#parts.deadlineMs);
    const under = this.#terms.prefix + checkText("prefix", prefix ?? "", "INVALID_ARGUMENT");
    let last = after;
    if (after !== undefined) {
      last = this.#terms.prefix + checkText("after", after, "INVALID_ARGUMENT");
    }
    for (;;) {
      const within = { ...options, prefix: under === "" ? undefined : under };
      const request = keysRequest(what, within, last, values);
      const { entries, next } = listedPageOf(await this.#parts.caller.call(request, limits));
      yield* entries;
      if (next === null) return;
      last = next;
    }
  }

  #keyInfo(listed: ListedEntry): KeyInfo {
    return { ...keyInfoOf(listed), key: this.#bare(listed.key) };
  }

  /** A promise, whatever throws. */
  #checked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return work();
    } catch (cause) {
      return Promise.reject(cause as Error);
    }
  }

  /** A write of a part, after so many entries have been written. */
  async #part(write: Write, count: number): Promise<NodeAnswer> {
    try {
      return await this.#parts.write(write);
    } catch (cause) {
      if (count === 0 || !(cause instanceof MeridianError)) throw cause;
      const message = `${cause.message}; the first ${count} entries have been written`;
      const details = { ...cause.details, written: count };
      throw new MeridianError(cause.code, message, { details, cause: cause.cause });
    }
  }

  #written(entry: Parameters<typeof writtenOf>[0]): Written {
    const told = writtenOf(entry);
    return { ...told, key: this.#bare(told.key) };
  }

  #withTtl<
    Options extends { readonly ttl?: string | undefined; readonly ttlMs?: number | undefined },
  >(options: Options): Options {
    const { ttlMs } = this.#terms;
    if (ttlMs === undefined || options.ttl !== undefined || options.ttlMs !== undefined) {
      return options;
    }
    return { ...options, ttlMs };
  }

  /** What this process keeps of a key. A key that is kept has been checked. */
  #kept(key: unknown): ReceivedEntry | undefined {
    if (typeof key !== "string" || key === "") return undefined;
    return this.#parts.reads.kept(this.#terms.prefix + key);
  }

  /** The whole of a key. Throws `INVALID_KEY`. */
  #whole(key: unknown): string {
    const { prefix } = this.#terms;
    if (prefix === "") return checkedKey(key);
    const bare = checkText("key", key, "INVALID_KEY");
    if (bare === "") throw new MeridianError("INVALID_KEY", "Expected a key, got an empty one");
    return checkedKey(prefix + bare);
  }

  #bare(key: string): string {
    return key.slice(this.#terms.prefix.length);
  }
}

function ownEntry(_: string, entry: ReceivedEntry, shared: boolean): RawEntry {
  const raw = rawEntryOf(entry);
  return shared ? { ...raw, value: raw.value.slice() } : raw;
}
