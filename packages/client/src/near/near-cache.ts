/**
 * Keeps values in this process, and knows when they may be returned.
 *
 * A value is kept only if it came from the node whose changes this client watches, and if the request was sent while it did so. From then on, the
 * node tells each change of the key: the value is dropped. The node also tells, at least once a second, through which of its positions it has told all
 * changes, and how long it has been telling. A kept value is returned only while
 *
 * - the node's last word is younger than the lease: nothing is returned that was replaced longer ago. The age counts from when the node was asked to tell
 *   plus how long it has been telling: so the time counts that the word was on its way;
 * - the node has told all changes through the position that the session has seen: nothing is returned that is older than what this client has read
 *   or written, of any key;
 * - it has not expired by the node's clock.
 *
 * Requests and changes may travel on different connections. So a read notes when its request is sent, and its value is not kept if a
 * change of the key has been told since, or this client has written the key.
 *
 * When changes may have been missed (the node has dropped them, or another node is watched), a new generation begins. The values of the last one
 * are compared with the node's by their etags, in batches; what is the same goes over into the new generation.
 */
import { TlruCache } from "@meridian/cache";
import { parsePosition, type Position } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import { bareEtag, type ReceivedEntry } from "../answers.ts";
import type { Session } from "../session.ts";
import type { ToldPosition } from "../told.ts";
import { plainTextOf } from "../values.ts";
import type { Near } from "./near.ts";
import type { NearTerms } from "./near-options.ts";

/** A near cache in numbers. */
export interface NearStatus {
  /** Whether kept values are returned now. */
  readonly live: boolean;
  readonly entries: number;
  /** About how many bytes they take. */
  readonly bytes: number;
  /** How many reads were answered from here. */
  readonly hits: number;
  /** How many reads of keys that may be kept were not. */
  readonly misses: number;
}

/** What a near cache needs. */
export interface NearCacheOptions {
  readonly terms: NearTerms;
  readonly clock: Clock;
  /** Undefined with `consistency: "eventual"`. */
  readonly session: Session | undefined;
  /** Called when a value could be kept if a node told of changes. */
  readonly onWanted: () => void;
}

interface Kept {
  readonly entry: ReceivedEntry;
  readonly etag: string;
  /** When it expires, on the clock's `elapsedMs`. */
  readonly dueMs: number;
  /** Invariant: a kept value is returned in its own generation only. */
  generation: number;
}

/** A request for a key that is under way. */
export interface NearRequest {
  readonly generation: number;
  /** How many requests share this. */
  count: number;
  /** The etag of what the node has told since; undefined for nothing. */
  told: string | undefined;
  /** The value of the key is not to be kept. */
  isSpoilt: boolean;
}

/** About how many bytes a kept value takes beside its key and itself. */
const KEPT_BYTES = 300;

/** The kept values. */
export class NearCache implements Near {
  readonly #terms: NearTerms;
  readonly #clock: Clock;
  readonly #session: Session | undefined;
  readonly #onWanted: () => void;
  readonly #kept: TlruCache<string, Kept>;
  /** By key. Invariant: none of them is spoilt. */
  readonly #requests = new Map<string, NearRequest>();
  /** No value is kept whose key begins with one of these. */
  readonly #leftOut = new Set<string>();
  #generation = 0;
  /** The URL of the node whose changes are told; undefined while none are. */
  #node: string | undefined;
  #position: Position | undefined;
  /** When the node was asked to tell, on the clock's `elapsedMs`. */
  #askedAtMs = 0;
  #leaseEndMs = -Infinity;
  /** What the node's time was at 0 of the clock's `elapsedMs`, at most. */
  #originMs: number | undefined;
  /** The version of the session that was compared last, when it was found, on the clock's `elapsedMs`, and the outcome. */
  #version = -1;
  #foundAtMs = 0;
  #isCovered = false;
  #hits = 0;
  #misses = 0;

  constructor({ terms, clock, session, onWanted }: NearCacheOptions) {
    this.#terms = terms;
    this.#onWanted = onWanted;
    this.#clock = clock;
    this.#session = session;
    const { maxEntries, maxBytes } = terms;
    const time = {
      nowMs: () => clock.elapsedMs(),
      after: (delayMs: number, callback: () => void) => clock.after(delayMs, callback),
    };
    const bounds =
      maxBytes === undefined ? { maxEntries: maxEntries ?? 1 } : { maxEntries, maxBytes };
    this.#kept = new TlruCache({ ...bounds, sizeOf, clock: time });
  }

  /** The URL of the node whose changes are told. */
  get node(): string | undefined {
    return this.#node;
  }

  /** When kept values are returned no more unless the node says another word, on the clock's `elapsedMs`. */
  get leaseEndMs(): number {
    return this.#leaseEndMs;
  }

  /** The kept value of a whole key, if it may be returned now. */
  get(key: string): ReceivedEntry | undefined {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.generation === this.#generation) {
      const nowMs = this.#clock.elapsedMs();
      if (nowMs < this.#leaseEndMs && nowMs < kept.dueMs && this.#isLevel()) {
        this.#hits += 1;
        return kept.entry;
      }
    }
    if (this.#mayKeep(key)) this.#misses += 1;
    return undefined;
  }

  leaveOut(prefix: string): void {
    if (this.#leftOut.has(prefix)) return;
    this.#leftOut.add(prefix);
    const known = [...this.#kept.keys(), ...this.#requests.keys()];
    for (const key of known) if (key.startsWith(prefix)) this.#drop(key);
  }

  /** A request for a key is sent now. Undefined where its value is not kept in any case. */
  sent(key: string): NearRequest | undefined {
    if (!this.#mayKeep(key)) return undefined;
    if (this.#node === undefined) this.#onWanted();
    if (this.#node === undefined) return undefined;
    let request = this.#requests.get(key);
    if (request === undefined) {
      request = { generation: this.#generation, count: 0, told: undefined, isSpoilt: false };
      this.#requests.set(key, request);
    }
    request.count += 1;
    return request;
  }

  /** A request has failed. */
  failed(key: string, request: NearRequest): void {
    request.count -= 1;
    if (request.count === 0 && !request.isSpoilt) this.#requests.delete(key);
  }

  /** The node of that URL has answered with an entry, or that there is none. */
  came(
    key: string,
    request: NearRequest | undefined,
    node: string,
    entry: ReceivedEntry | undefined,
  ): void {
    const etag = entry && bareEtag(entry.etag);
    const isGood = request !== undefined && this.#isGood(request, node, etag);
    if (request !== undefined) this.failed(key, request);
    const before = this.#kept.peek(key);
    if (before !== undefined && before.etag !== etag) this.#kept.delete(key);
    if (!isGood || entry === undefined || etag === undefined) return;
    const dueMs = this.#dueMsOf(entry.expiresAtMs);
    if (dueMs === undefined) return;
    const kept = { entry: ownEntryOf(entry), etag, dueMs, generation: this.#generation };
    this.#kept.set(key, kept, dueMs - this.#clock.elapsedMs());
  }

  /** This client has written keys, or may have. */
  wrote(keys: readonly string[]): void {
    for (const key of keys) this.#drop(key);
  }

  /** A node tells changes from now on. Returns whether a new generation has begun: its past is not known here. */
  opened(node: string, askedAtMs: number): boolean {
    this.#askedAtMs = askedAtMs;
    if (node === this.#node) return false;
    this.#node = node;
    this.renew();
    return true;
  }

  /** Changes have been missed: a new generation begins. */
  renew(): void {
    this.#generation += 1;
    this.#position = undefined;
    this.#isCovered = false;
    this.#leaseEndMs = -Infinity;
    for (const request of this.#requests.values()) request.isSpoilt = true;
    this.#requests.clear();
  }

  /** No node tells changes any more. */
  left(): void {
    this.#node = undefined;
    this.renew();
  }

  /** A node has told a change of a key. */
  changed(key: string, etag: string, isSet: boolean): void {
    if (!isSet || this.#kept.peek(key)?.etag !== etag) this.#kept.delete(key);
    const request = this.#requests.get(key);
    if (request !== undefined) request.told = isSet ? etag : "";
  }

  /** The node has told all its changes through a position. Throws `INVALID_POSITION`. */
  reached({ position, elapsedMs, nowMs }: ToldPosition): void {
    this.#position = parsePosition(position);
    const saidAtMs = this.#askedAtMs + elapsedMs;
    this.#leaseEndMs = Math.max(this.#leaseEndMs, saidAtMs + this.#terms.leaseMs);
    this.#originMs = nowMs - saidAtMs;
    this.#compareSession(saidAtMs);
  }

  /** The keys of the last generations. */
  oldKeys(): readonly string[] {
    const old: string[] = [];
    for (const [key, { generation }] of this.#kept.entries()) {
      if (generation !== this.#generation) old.push(key);
    }
    return old;
  }

  /** The node of that URL has told the etag of a key in answer to a request, or that it has no value. */
  compared(key: string, request: NearRequest | undefined, node: string, etag: string): void {
    const isGood = request !== undefined && this.#isGood(request, node, etag);
    if (request !== undefined) this.failed(key, request);
    const kept = this.#kept.peek(key);
    if (kept === undefined || kept.generation === this.#generation) return;
    if (isGood && kept.etag === etag) kept.generation = this.#generation;
    else this.#kept.delete(key);
  }

  status(): NearStatus {
    const { size: entries, bytes } = this.#kept;
    const live = this.#clock.elapsedMs() < this.#leaseEndMs && this.#isLevel();
    return { live, entries, bytes, hits: this.#hits, misses: this.#misses };
  }

  /** Returns nothing any more. */
  close(): void {
    this.left();
    this.#kept.clear();
    this.#kept.close();
  }

  /** Whether the node has told all changes that the session may have seen. */
  #isLevel(): boolean {
    if (this.#session !== undefined && this.#session.version !== this.#version) {
      this.#compareSession(-Infinity);
    }
    return this.#isCovered;
  }

  /** Compares what the session has seen with the node's word, which was said at `saidAtMs` or later: so it covers all answers from before. */
  #compareSession(saidAtMs: number): void {
    const [session, node, position] = [this.#session, this.#node, this.#position];
    if (session !== undefined && session.version !== this.#version) {
      this.#version = session.version;
      this.#foundAtMs = this.#clock.elapsedMs();
      this.#isCovered = false;
    }
    if (node === undefined || position === undefined) this.#isCovered = false;
    else if (session === undefined) this.#isCovered = true;
    else if (saidAtMs >= this.#foundAtMs) this.#isCovered = session.isAllOf(node);
    else this.#isCovered ||= session.isCoveredBy(node, position);
  }

  #mayKeep(key: string): boolean {
    if (!key.startsWith(this.#terms.prefix)) return false;
    for (const prefix of this.#leftOut) if (key.startsWith(prefix)) return false;
    return true;
  }

  #isGood(request: NearRequest, node: string, etag: string | undefined): boolean {
    if (request.isSpoilt || request.generation !== this.#generation) return false;
    return node === this.#node && (request.told === undefined || request.told === etag);
  }

  #drop(key: string): void {
    this.#kept.delete(key);
    const request = this.#requests.get(key);
    if (request === undefined) return;
    request.isSpoilt = true;
    this.#requests.delete(key);
  }

  /** When a value expires that expires at that instant of the node's time; undefined where that is not known. */
  #dueMsOf(expiresAtMs: unknown): number | undefined {
    if (typeof expiresAtMs !== "number" || !(expiresAtMs > 0)) return Infinity;
    return this.#originMs === undefined ? undefined : expiresAtMs - this.#originMs;
  }
}

function sizeOf({ entry }: Kept, key: string): number {
  return KEPT_BYTES + 2 * key.length + 2 * (entry.text?.length ?? 0) + (entry.bytes?.length ?? 0);
}

/** An entry of its own: of text as text only, so that it is decoded once; of bytes as a copy, because answers share their memory. */
function ownEntryOf({ contentType, etag, expiresAtMs, ...value }: ReceivedEntry): ReceivedEntry {
  const text = plainTextOf({ contentType, ...value });
  const bytes = text === undefined ? value.bytes?.slice() : undefined;
  return { contentType, etag, expiresAtMs, bytes, text };
}
