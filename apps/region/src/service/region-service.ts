/**
 * What a regional node does for its clients, whatever protocol they speak: admission, reads, writes, lists.
 *
 * Everything that decides is synchronous: a read and its refill, or a write's condition and its stamp, are
 * never separated by other work.
 */
import { HeldBytes, SMALL_BYTES } from "@meridian/http";
import {
  checkClientKey,
  CONTENT_TYPE_BYTES_MAX,
  formatPosition,
  isLive,
  MeridianError,
  NO_BYTES,
  type Entry,
  type Position,
  type AckLevel,
  type Acknowledgement,
} from "@meridian/protocol";
import type { Quarantine, Receipt, Replica, WriteRequest } from "@meridian/replication";
import type { Clock, Gauge } from "@meridian/runtime";

import type { AdmissionGate } from "./admission-gate.ts";
import { ByteBudget } from "./byte-budget.ts";
import { etagOf, isContentType, type CachedRecord } from "./cached-record.ts";
import { listKeys, type KeyPage, type KeyQuery, type KeySource } from "./key-listing.ts";
import type { Memory } from "./memory.ts";
import { StorePatience } from "./store-patience.ts";

/** What waits in memory to be stored, at most, unless it is said otherwise. */
const BACKLOG_BYTES_MAX = 128 * 1024 * 1024;

/** What a write takes in memory beside its key and value until it is answered, in bytes, about. */
const WRITE_BYTES = 500;

/** What bodies of requests may take that are being read, in bytes: at least two of the largest. */
const BODY_BYTES_MAX = 128 * 1024 * 1024;

/** What writes may take that are stored and wait to be known more widely, in bytes. */
const ACK_BYTES_MAX = 64 * 1024 * 1024;

/** What a service is made of. */
export interface RegionServiceOptions {
  readonly nodeId: string;
  readonly replica: Replica;
  readonly memory: Memory;
  readonly store: ServiceStore;
  readonly clock: Clock;
  /** The largest value taken, in bytes. */
  readonly valueBytesMax: number;
  /** The time to live of writes that name none, in milliseconds; 0 for none. */
  readonly ttlMsDefault: number;
  readonly gate: AdmissionGate;
  /** Writes are refused while more bytes than this wait to be stored. Default: 128 MiB. */
  readonly backlogBytesMax?: number | undefined;
}

/** What the service needs of the store beside the replica's use of it. */
export interface ServiceStore extends KeySource {
  /** Bytes that wait for the disk or for folding. */
  readonly backlogBytes: number;
  /** Why it takes no new values now. */
  readonly shortage: MeridianError | undefined;
}

/** What a request says of the session it belongs to. */
export interface Session {
  /** What the client has seen already: it is served nothing older. */
  readonly position?: Position;
  /** How long it waits for that, in milliseconds. */
  readonly waitMs: number;
  /** Whether it takes what a node has that is still catching up. */
  readonly stale: boolean;
}

/** What must hold of a key for a write to be made. Throws `PRECONDITION_FAILED` if it does not. */
export type Condition = (live: Entry | undefined) => void;

/** How widely a write is to be acknowledged before it is answered, and how long that may take. */
export interface AckRequest {
  readonly level: AckLevel;
  readonly timeoutMs: number;
}

/** One value to set. */
export interface SetRequest {
  readonly key: string;
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Milliseconds; without it, the node's default holds. */
  readonly ttlMs?: number;
}

/** Where a read was answered from. */
export type Tier = "memory" | "store";

/** A live entry. */
export interface Found {
  readonly record: CachedRecord;
  readonly tier: Tier;
}

/** What was written, and who has it. */
export interface Written {
  readonly entries: readonly Entry[];
  readonly acknowledged: Acknowledgement;
}

/** Another node that a client may ask. */
export interface Peer {
  readonly id: string;
  readonly url: string;
}

/** Reads since the start, by where they were answered from. */
export interface ReadCounts {
  readonly memory: number;
  readonly store: number;
  readonly misses: number;
}

/** A regional node's service. Knows nothing of HTTP. */
export class RegionService {
  readonly nodeId: string;
  readonly valueBytesMax: number;
  readonly #replica: Replica;
  readonly #memory: Memory;
  readonly #store: ServiceStore;
  readonly #ttlMsDefault: number;
  readonly #backlogBytesMax: number;
  /** What the bodies of requests take that are being read. */
  readonly bodies: HeldBytes;
  readonly #acknowledging: ByteBudget;
  readonly #patience: StorePatience;
  readonly #gate: AdmissionGate;
  /** Why this node is of no use to its clients although it runs. */
  #damage: MeridianError | undefined;
  /** Bytes of writes that have not been answered as durable. */
  #waitingBytes = 0;
  #draining = false;
  #memoryReads = 0;
  #storeReads = 0;
  #misses = 0;
  #writes = 0;
  #token = "";
  #tokenOf: Position = { logId: 0, epoch: 0, sequence: -1, incarnation: 0, outboxPosition: 0 };

  constructor(options: RegionServiceOptions) {
    this.nodeId = options.nodeId;
    this.valueBytesMax = options.valueBytesMax;
    this.#replica = options.replica;
    this.#memory = options.memory;
    this.#store = options.store;
    this.#patience = new StorePatience(options.clock);
    this.#gate = options.gate;
    this.#ttlMsDefault = options.ttlMsDefault;
    this.#backlogBytesMax = options.backlogBytesMax ?? BACKLOG_BYTES_MAX;
    const bodyBytesMax = Math.max(BODY_BYTES_MAX, 4 * options.valueBytesMax);
    const { clock } = options;
    const bodies = { name: "bodyBytes", what: "bodies that are being read", max: bodyBytesMax };
    this.bodies = new HeldBytes({ ...bodies, clock });
    const ackBytesMax = Math.max(ACK_BYTES_MAX, 4 * options.valueBytesMax);
    const what = "writes that wait to be acknowledged more widely";
    this.#acknowledging = new ByteBudget("acknowledgingBytes", what, ackBytesMax);
  }

  /** How full what the service holds is. */
  gauges(): readonly Gauge[] {
    return [
      this.bodies.gauge(),
      { name: "writeBytes", now: this.#backlogBytes(), max: this.#backlogBytesMax },
      this.#acknowledging.gauge(),
    ];
  }

  /** The time by which the cluster judges expiry, in milliseconds since the Unix epoch. */
  nowMs(): number {
    return this.#replica.nowMs();
  }

  /** What a client that is answered now has seen, as the token that it may present later. */
  positionToken(): string {
    const position = this.#replica.position();
    const known = this.#tokenOf;
    if (
      position.sequence !== known.sequence ||
      position.outboxPosition !== known.outboxPosition ||
      position.logId !== known.logId ||
      position.epoch !== known.epoch ||
      position.incarnation !== known.incarnation
    ) {
      this.#tokenOf = position;
      this.#token = formatPosition(position);
    }
    return this.#token;
  }

  /** Whether requests are served now without asking for stale data. */
  get serving(): boolean {
    if (this.#draining || this.#damage !== undefined) return false;
    const { status } = this.#replica;
    return status === "ready" || status === "standalone" || status === "full";
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Throws unless this node is a good one to send clients to: what `/readyz` tells. */
  checkReady(): void {
    this.checkServing(false);
    this.#checkRoom();
    const { refusal } = this.#replica.link;
    if (refusal === undefined) return this.#gate.check();
    throw new MeridianError(
      "NODE_REFUSED",
      `The directory refuses node \`${this.nodeId}\`, which serves alone: ${refusal.message}`,
      { details: { refusal: refusal.code, alternatives: this.peers() } },
    );
  }

  /** Why this node serves nobody although it runs. */
  get damage(): MeridianError | undefined {
    return this.#damage;
  }

  /** The database is damaged: nobody can tell what else of it is wrong. From now on no request is admitted. */
  fail(damage: MeridianError): void {
    this.#damage ??= damage;
  }

  /** From now on no request is admitted any more; those that were go on. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Lets a request in, once this node has reached its session's position. Throws `NODE_SYNCING` and
   * `NODE_DRAINING` with the nodes to ask instead, and `POSITION_NOT_REACHED`.
   */
  async admit(session: Session): Promise<void> {
    this.checkServing(session.stale);
    const { position, waitMs } = session;
    if (position === undefined || (await this.#replica.reach(position, waitMs))) return;
    throw new MeridianError(
      "POSITION_NOT_REACHED",
      `Expected to reach position \`${formatPosition(position)}\` within ${waitMs} ms, got to \`${this.positionToken()}\``,
      { details: { waitMs } },
    );
  }

  /** Throws `NODE_SYNCING` or `NODE_DRAINING` unless requests are served now. */
  checkServing(stale: boolean): void {
    if (this.serving) return;
    if (this.#damage !== undefined) {
      throw new MeridianError(
        "NODE_DRAINING",
        `The database of node \`${this.nodeId}\` is damaged; ask one of \`alternatives\``,
        { details: { alternatives: this.peers(), damage: this.#damage.message } },
      );
    }
    const { status } = this.#replica;
    const draining = this.#draining || status === "draining";
    if (stale && !draining) return;
    throw new MeridianError(
      draining ? "NODE_DRAINING" : "NODE_SYNCING",
      draining
        ? `Node \`${this.nodeId}\` is shutting down; ask one of \`alternatives\``
        : `Node \`${this.nodeId}\` is \`${status}\`; ask one of \`alternatives\`, or again in a moment`,
      { details: { alternatives: this.peers() } },
    );
  }

  /** The live record of a key if memory has it and requests are served now. */
  hit(key: string): CachedRecord | undefined {
    if (!this.serving) return undefined;
    const record = this.#memory.get(key);
    if (record !== undefined) this.#memoryReads += 1;
    return record;
  }

  /** The live record of a key, if there is one. Throws `INVALID_KEY`. */
  find(key: string): Found | undefined {
    checkClientKey(key);
    const held = this.#memory.get(key);
    if (held !== undefined) {
      this.#memoryReads += 1;
      return { record: held, tier: "memory" };
    }
    const entry = this.#replica.get(key);
    const record = entry && this.#memory.fill(entry);
    if (record === undefined) {
      this.#misses += 1;
      return undefined;
    }
    this.#storeReads += 1;
    return { record, tier: "store" };
  }

  /**
   * Sets values in one commit: all of them or none. Throws `INVALID_KEY`, `VALUE_TOO_LARGE`,
   * `INVALID_ARGUMENT` (the content type), `PRECONDITION_FAILED`, `ACK_TIMEOUT` (the write is stored), `OVERLOADED`
   * (with `details.mayHaveBeenApplied` if the disk has had the write for too long), `STORE_FULL` or `STORE_READ_ONLY` while the
   * disk takes no new values, and what the store throws.
   */
  set(requests: readonly SetRequest[], ack: AckRequest, condition?: Condition): Promise<Written> {
    this.#checkRoom();
    const check = condition && this.#checkOf(condition);
    const writes = requests.map((request): WriteRequest => {
      const { key, value, contentType, ttlMs = this.#ttlMsDefault } = request;
      checkClientKey(key);
      checkContentType(contentType);
      this.checkLength(value.byteLength);
      return { key, value, contentType, ttlMs, deleted: false, ...(check && { check }) };
    });
    return this.#write(writes, ack);
  }

  /** Deletes a key; `deleted` tells whether it was live. Throws as `set` does. */
  async delete(
    key: string,
    ack: AckRequest,
    condition?: Condition,
  ): Promise<Written & { readonly deleted: boolean }> {
    checkClientKey(key);
    let deleted = false;
    const check = this.#checkOf((live) => {
      deleted = live !== undefined;
      condition?.(live);
    });
    const write = { key, value: NO_BYTES, contentType: "", ttlMs: 0, deleted: true, check };
    return { ...(await this.#write([write], ack)), deleted };
  }

  /** What the cluster deleted while this node was away and held it live. */
  get quarantine(): Quarantine {
    return this.#replica.quarantine;
  }

  /**
   * Writes a quarantined entry anew and takes it out of the quarantine. Throws `QUARANTINED_NOT_FOUND`,
   * `QUARANTINED_EXPIRED`, and what `set` throws.
   */
  async replay(id: number, ack: AckRequest, condition?: Condition): Promise<Written> {
    this.#checkRoom();
    const check = condition && this.#checkOf(condition);
    const held = this.quarantine.get(id)?.entry;
    const bytes = held === undefined ? 0 : bytesOf([held]);
    this.#checkBacklog(bytes);
    return this.#acknowledged(bytes, ack, async () => {
      const receipt = await this.quarantine.replay(id, check, isReported(ack.level));
      this.#writes += 1;
      return receipt;
    });
  }

  /** A page of the live keys, in key order, without reserved ones. Does not count as a use of them. */
  list(query: KeyQuery): Promise<KeyPage> {
    return listKeys(this.#store, query, () => this.nowMs());
  }

  /** Follows entries that may be news: the replica's `onChange`. */
  follow(entries: readonly Entry[]): void {
    for (const entry of entries) this.#memory.follow(entry);
  }

  /** Forgets what memory holds of these keys: the replica's `onForget`. */
  forget(keys: readonly string[]): void {
    for (const key of keys) this.#memory.forget(key);
  }

  /** Throws `VALUE_TOO_LARGE` if this node takes no value of so many bytes. */
  checkLength(bytes: number): void {
    checkBytes("a value", bytes, this.valueBytesMax);
  }

  /** The other nodes that are ready, as the directory last told. */
  peers(): readonly Peer[] {
    return this.#replica.members
      .filter(({ id, status }) => id !== this.nodeId && status === "ready")
      .map(({ id, url }) => ({ id, url }));
  }

  /** Reads since the start. */
  reads(): ReadCounts {
    return { memory: this.#memoryReads, store: this.#storeReads, misses: this.#misses };
  }

  /** Entries read and written since the start. */
  operations(): number {
    return this.#memoryReads + this.#storeReads + this.#misses + this.#writes;
  }

  #checkOf(condition: Condition): (current: Entry | undefined) => void {
    return (current) =>
      condition(
        current !== undefined && isLive(current, this.#replica.nowMs()) ? current : undefined,
      );
  }

  #write(requests: readonly WriteRequest[], ack: AckRequest): Promise<Written> {
    return this.#acknowledged(bytesOf(requests), ack, () => this.#commit(requests, ack.level));
  }

  /** Writes so many bytes, and waits until that is as widely known as asked. */
  async #acknowledged(
    bytes: number,
    ack: AckRequest,
    write: () => Promise<Receipt>,
  ): Promise<Written> {
    this.#gate.check();
    const waiting = ack.level === "local" ? 0 : bytes;
    this.#acknowledging.take(waiting);
    try {
      const receipt = await this.#patience.wait(write());
      const acknowledged = await this.#replica.acknowledgement(receipt, ack.level, ack.timeoutMs);
      if (acknowledged.reached) return { entries: receipt.entries, acknowledged };
      throw new MeridianError(
        "ACK_TIMEOUT",
        `Expected acknowledgement \`${ack.level}\` within ${ack.timeoutMs} ms; the write is stored on this node and will travel`,
        { details: { acknowledged, entries: receipt.entries.map(factsOf) } },
      );
    } finally {
      this.#acknowledging.give(waiting);
    }
  }

  async #commit(requests: readonly WriteRequest[], level: AckLevel): Promise<Receipt> {
    const bytes = bytesOf(requests);
    this.#checkBacklog(bytes);
    for (const { key } of requests) this.#memory.announce(key);
    this.#waitingBytes += bytes;
    let receipt: Receipt | undefined;
    try {
      receipt = await this.#replica.write(requests, isReported(level));
      this.#writes += requests.length;
      return receipt;
    } finally {
      this.#waitingBytes -= bytes;
      for (const [index, { key }] of requests.entries()) {
        this.#memory.land(key, receipt?.entries[index]);
      }
    }
  }

  /** Throws why the store takes no new values, if that is so. Deletes it may take. */
  #checkRoom(): void {
    const { shortage } = this.#store;
    if (shortage !== undefined) throw shortage;
  }

  #backlogBytes(): number {
    return this.#waitingBytes + this.#store.backlogBytes;
  }

  /** Throws `OVERLOADED` while too much waits in memory for the disk; the last quarter of the room is for small writes. */
  #checkBacklog(wanted: number): void {
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

function bytesOf(requests: readonly Pick<Entry, "key" | "value">[]): number {
  let bytes = 0;
  for (const { key, value } of requests) bytes += WRITE_BYTES + 2 * key.length + value.byteLength;
  return bytes;
}

/** Whether the directory has to tell who applied a write that is acknowledged so widely. */
function isReported(level: AckLevel): boolean {
  return typeof level === "number" ? level > 1 : level === "all";
}

/** An entry that was written, as answers tell of it. */
export interface WrittenFacts {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | null;
}

/** What an answer tells of an entry that was written. */
export function factsOf(entry: Entry): WrittenFacts {
  const { key, expiresAtMs } = entry;
  return { key, etag: etagOf(entry), expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs };
}

/** Throws `VALUE_TOO_LARGE` if `bytes` is above `bytesMax`. `what` names what is so large. */
export function checkBytes(what: string, bytes: number, bytesMax: number): void {
  if (bytes <= bytesMax) return;
  throw new MeridianError(
    "VALUE_TOO_LARGE",
    `Expected ${what} of at most ${bytesMax} bytes, got ${bytes} or more`,
    { details: { bytesMax } },
  );
}

/** Throws `INVALID_ARGUMENT` unless `contentType` is 1 to 255 printable ASCII characters. */
export function checkContentType(contentType: string): void {
  if (contentType.length <= CONTENT_TYPE_BYTES_MAX && isContentType(contentType)) return;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a content type of 1 to ${CONTENT_TYPE_BYTES_MAX} printable ASCII characters, got \`${contentType.slice(0, 100)}\``,
    { details: { length: contentType.length } },
  );
}
