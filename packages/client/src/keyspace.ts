import { MeridianError } from "@meridian/protocol";
import { batchWritten, deleted, keyPage, written } from "@meridian/protocol/http-api";
import type { Clock } from "@meridian/runtime";

import {
  answerOf,
  batchEntriesOf,
  keyInfoOf,
  rawEntryOf,
  writtenOf,
  type ReceivedEntry,
} from "./answers.ts";
import type {
  CallOptions,
  DeleteResult,
  KeyInfo,
  KeysOptions,
  RawEntry,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  WriteOptions,
  Written,
} from "./call-options.ts";
import type { Caller, NodeAnswer } from "./caller.ts";
import type { ClusterTime } from "./cluster-time.ts";
import type { FillOptions, LoadContext } from "./fill/fill-options.ts";
import type { FillRequest, Fills } from "./fill/fills.ts";
import type { Namespace } from "./namespace.ts";
import type { Reads, Take } from "./reads.ts";
import {
  BATCH_MAX,
  checkedKey,
  checkText,
  deleteRequest,
  entryTerms,
  getManyRequest,
  keysRequest,
  presenceRequest,
  readLimits,
  setManyRequests,
  setRequest,
  type EncodedEntry,
  type Write,
} from "./requests.ts";
import type { CallLimits } from "./run.ts";
import type { Shape } from "./shape.ts";

/** What a keyspace goes through. */
export interface KeyspaceParts {
  readonly caller: Caller;
  readonly reads: Reads;
  readonly fills: Fills;
  readonly clock: Clock;
  readonly time: ClusterTime;
  /** The default deadline of a call, in milliseconds. */
  readonly deadlineMs: number;
}

/** Which keys a keyspace is about, and what their values are. */
export interface KeyspaceTerms<In, Out> {
  readonly prefix: string;
  readonly shape: Shape<In, Out>;
  /** How long values live for which nothing else is said. */
  readonly ttlMs: number | undefined;
}

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

  get(key: string, options?: CallOptions): Promise<Out | undefined> {
    return this.#read("`get`", key, options, this.#take);
  }

  getRaw(key: string, options?: CallOptions): Promise<RawEntry | undefined> {
    return this.#read("`getRaw`", key, options, ownEntry);
  }

  /** No `async`: of ten thousand reads at once, each makes one promise. */
  #read<T>(
    what: string,
    key: string,
    options: CallOptions | undefined,
    take: Take<T>,
  ): Promise<T | undefined> {
    const { reads, deadlineMs } = this.#parts;
    try {
      const limits = options === undefined ? this.#limits : readLimits(what, options, deadlineMs);
      return reads.read(this.#whole(key), limits, take);
    } catch (cause) {
      return Promise.reject(cause as Error);
    }
  }

  async getMany(keys: Iterable<string>, options: CallOptions = {}): Promise<Map<string, Out>> {
    const limits = readLimits("`getMany`", options, this.#parts.deadlineMs);
    const wanted = [...new Set(keys)].map((key) => this.#whole(key));
    const values = new Map<string, Out>();
    for (let start = 0; start < wanted.length; start += BATCH_MAX) {
      const request = getManyRequest(wanted.slice(start, start + BATCH_MAX));
      const entries = batchEntriesOf(await this.#parts.caller.call(request, limits));
      for (const [key, entry] of entries) {
        const value = await this.#terms.shape.decode(key, entry, false);
        if (value !== undefined) values.set(this.#bare(key), value);
      }
    }
    return values;
  }

  async has(key: string, options: CallOptions = {}): Promise<boolean> {
    const limits = readLimits("`has`", options, this.#parts.deadlineMs);
    const reply = await this.#parts.caller.call(presenceRequest(this.#whole(key)), limits);
    return reply.found;
  }

  async getOrSet<Value extends In | undefined>(
    key: string,
    load: (context: LoadContext<Out>) => Value | Promise<Value>,
    options: FillOptions = {},
  ): Promise<Out | Extract<Value, undefined>> {
    const { shape } = this.#terms;
    const request: FillRequest<In, Out> = { key: this.#whole(key), name: key, load, shape };
    const value = await this.#parts.fills.getOrSet(request, this.#withTtl(options));
    return value as Out | Extract<Value, undefined>;
  }

  async set(key: string, value: In, options: SetOptions = {}): Promise<SetResult> {
    const whole = this.#whole(key);
    const terms = this.#withTtl(options);
    const encoded = await this.#terms.shape.encode(whole, value, options.contentType);
    const answer = answerOf(
      written,
      await this.#write(setRequest(whole, encoded, terms, this.#parts.deadlineMs)),
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
    const reply = await this.#write(write);
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

  async *keys(options: KeysOptions = {}): AsyncGenerator<KeyInfo, void, undefined> {
    const { signal, deadlineMs, prefix, after } = options;
    const limits = readLimits("`keys`", { signal, deadlineMs }, this.#parts.deadlineMs);
    const under = this.#terms.prefix + checkText("prefix", prefix ?? "", "INVALID_ARGUMENT");
    let last = after === undefined ? undefined : this.#whole(after);
    for (;;) {
      const request = keysRequest({ ...options, prefix: under === "" ? undefined : under }, last);
      const { keys, next } = answerOf(keyPage, await this.#parts.caller.call(request, limits));
      for (const key of keys) yield { ...keyInfoOf(key), key: this.#bare(key.key) };
      if (next === null) return;
      last = next;
    }
  }

  async #write({ request, limits }: Write): Promise<NodeAnswer> {
    const { caller, clock, time } = this.#parts;
    const sentAtMs = clock.nowMs();
    const reply = await caller.call(request, limits);
    time.wrote(reply.answer.headers.get("etag"), sentAtMs);
    return reply;
  }

  /** A write of a part, after so many entries have been written. */
  async #part(write: Write, count: number): Promise<NodeAnswer> {
    try {
      return await this.#write(write);
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

/** What is true of both. */
function narrower(
  first: SetManyResult["acknowledged"] | undefined,
  second: SetManyResult["acknowledged"],
): SetManyResult["acknowledged"] {
  if (first === undefined) return second;
  const nodes = first.nodes.filter((node) => second.nodes.includes(node));
  return { ...second, directory: first.directory && second.directory, nodes };
}
