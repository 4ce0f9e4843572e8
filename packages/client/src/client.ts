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
import type { Caller } from "./caller.ts";
import type { Directories } from "./directories.ts";
import type {
  CallOptions,
  DeleteResult,
  KeyInfo,
  KeysOptions,
  KnownNode,
  MeridianClient,
  RawEntry,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  WriteOptions,
} from "./meridian-client.ts";
import type { NodePool } from "./node-pool.ts";
import type { Reads, Take } from "./reads.ts";
import {
  BATCH_MAX,
  checkedKey,
  deleteRequest,
  getManyRequest,
  keysRequest,
  presenceRequest,
  readLimits,
  setManyRequest,
  setRequest,
} from "./requests.ts";
import type { CallLimits } from "./run.ts";
import type { Session } from "./session.ts";
import { decodeValue } from "./values.ts";

/** What a client is put together from. */
export interface ClientParts {
  readonly caller: Caller;
  readonly reads: Reads;
  readonly pool: NodePool;
  readonly directories: Directories;
  readonly clock: Clock;
  readonly session: Session;
  /** The default deadline of a call, in milliseconds. */
  readonly deadlineMs: number;
  /** Ends everything under way. */
  readonly closing: AbortController;
}

/** The client that `connect` returns. */
export class Client implements MeridianClient {
  readonly #parts: ClientParts;
  readonly #limits: CallLimits;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#limits = { deadlineMs: parts.deadlineMs };
  }

  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined> {
    return this.#read("`get`", key, options, ownValue as Take<T>);
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
      return reads.read(checkedKey(key), limits, take);
    } catch (cause) {
      return Promise.reject(cause as Error);
    }
  }

  async getMany<T = unknown>(
    keys: Iterable<string>,
    options: CallOptions = {},
  ): Promise<Map<string, T>> {
    const limits = readLimits("`getMany`", options, this.#parts.deadlineMs);
    const wanted = [...new Set(keys)];
    for (const key of wanted) checkedKey(key);
    const values = new Map<string, T>();
    for (let start = 0; start < wanted.length; start += BATCH_MAX) {
      const request = getManyRequest(wanted.slice(start, start + BATCH_MAX));
      const entries = batchEntriesOf(await this.#parts.caller.call(request, limits));
      for (const [key, entry] of entries) values.set(key, decodeValue(key, entry) as T);
    }
    return values;
  }

  async has(key: string, options: CallOptions = {}): Promise<boolean> {
    const limits = readLimits("`has`", options, this.#parts.deadlineMs);
    const reply = await this.#parts.caller.call(presenceRequest(key), limits);
    return reply.found;
  }

  async set(key: string, value: unknown, options: SetOptions = {}): Promise<SetResult> {
    const { request, limits } = setRequest(key, value, options, this.#parts.deadlineMs);
    const answer = answerOf(written, await this.#parts.caller.call(request, limits));
    return { ...writtenOf(answer), acknowledged: answer.acknowledged };
  }

  async setMany(entries: Iterable<SetEntry>, options: SetManyOptions = {}): Promise<SetManyResult> {
    const { request, limits } = setManyRequest([...entries], options, this.#parts.deadlineMs);
    const answer = answerOf(batchWritten, await this.#parts.caller.call(request, limits));
    return { entries: answer.entries.map(writtenOf), acknowledged: answer.acknowledged };
  }

  async delete(key: string, options: WriteOptions = {}): Promise<DeleteResult> {
    const { request, limits } = deleteRequest(key, options, this.#parts.deadlineMs);
    const reply = await this.#parts.caller.call(request, limits);
    const answer = answerOf(deleted, reply);
    const { etag } = writtenOf(answer);
    const wasLive = answer.deleted;
    return {
      key,
      etag,
      deleted: wasLive || !reply.repeated ? wasLive : undefined,
      acknowledged: answer.acknowledged,
    };
  }

  async *keys(options: KeysOptions = {}): AsyncGenerator<KeyInfo, void, undefined> {
    const { signal, deadlineMs } = options;
    let after = options.after;
    for (;;) {
      const request = keysRequest(options, after);
      const limits = readLimits("`keys`", { signal, deadlineMs }, this.#parts.deadlineMs);
      const { keys, next } = answerOf(keyPage, await this.#parts.caller.call(request, limits));
      for (const key of keys) yield keyInfoOf(key);
      if (next === null) return;
      after = next;
    }
  }

  get nodes(): readonly KnownNode[] {
    const { pool, clock } = this.#parts;
    const first = pool.inUse(clock.elapsedMs());
    const rest = pool.nodes.filter((node) => node !== first);
    return [first, ...rest].flatMap((node) =>
      node === undefined ? [] : [{ ...node.info, circuit: node.circuit.state }],
    );
  }

  get directory(): string | undefined {
    return this.#parts.directories.current;
  }

  forgetPosition(): void {
    this.#parts.session.forget();
  }

  close(): void {
    const message = "Expected an open client, got one that was closed";
    this.#parts.closing.abort(new MeridianError("CLIENT_CLOSED", message));
  }
}

/** The value of an entry, which this caller may change: others do not see it. */
function ownValue(key: string, entry: ReceivedEntry, shared: boolean): unknown {
  const value = decodeValue(key, entry);
  return shared && value instanceof Uint8Array ? value.slice() : value;
}

function ownEntry(_: string, entry: ReceivedEntry, shared: boolean): RawEntry {
  const raw = rawEntryOf(entry);
  return shared ? { ...raw, value: raw.value.slice() } : raw;
}
