/** Records the requests of clients and their answers: the model with which all copies are compared. */
import { BURIAL_ORIGIN, isPurgeable, unixMsOf, type Entry } from "@meridian/protocol";
import type { WriteRequest } from "@meridian/replication";

import { fades } from "./fading.ts";
import type { WriteNames } from "./traced-store.ts";

/** How far the expiry of an entry may be rounded, in milliseconds. */
const ROUNDING_MS = 2;

/** The time of a node's clock, and the true time. */
export type Clocks = readonly [nodeMs: number, trueMs: number];

export class Ledger {
  readonly #names: WriteNames;
  /** Each write as its node first stamped it, by name. */
  readonly #made = new Map<string, Entry>();
  /** The names of writes whose expiry a new stamp has corrected, so that they may be gone at the end of the simulation. */
  readonly #fadingRenewals = new Set<string>();
  /** Requests whose conditions hold, of which the node has made no entry yet. It makes them in the same turn. */
  readonly #checked: WriteRequest[] = [];
  /** The write that was made of each request. */
  readonly #madeOf = new Map<WriteRequest, Entry>();
  /** Values whose clients got the answer that they are not stored, and names of such writes. */
  readonly #refusedValues = new Set<string>();
  readonly #refusedNames = new Set<string>();

  constructor(names: WriteNames) {
    this.#names = names;
  }

  /** Called when a node has found that the condition of a request holds. */
  checked(request: WriteRequest): void {
    this.#checked.push(request);
  }

  /** Called when the condition of a request does not hold: nothing may come of its batch. */
  uncheck(batch: readonly WriteRequest[]): void {
    for (const request of batch) this.#uncheck(this.#checked.indexOf(request));
  }

  /** Called when a node has stamped a write. Returns what is wrong with that. */
  made(entry: Entry): string | undefined {
    const name = this.#names.nameOf(entry.stamp);
    if (entry.stamp.origin === BURIAL_ORIGIN || this.#made.has(name)) return undefined;
    this.#made.set(name, entry);
    const index = this.#checked.findIndex((request) => isOf(entry, request));
    const request = this.#uncheck(index);
    if (request === undefined) return `at ${name} was asked for by nobody, or was refused`;
    this.#madeOf.set(request, entry);
    return undefined;
  }

  /** Called when a node has written a delete without being asked. */
  buried(entry: Entry): void {
    this.#made.set(this.#names.nameOf(entry.stamp), entry);
  }

  /** Called when the disk has refused writes that a node had stamped: it may give their stamps to others. */
  unmade(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const name = this.#names.nameOf(entry.stamp);
      if (this.#made.get(name) === entry) this.#made.delete(name);
    }
  }

  #uncheck(index: number): WriteRequest | undefined {
    return index < 0 ? undefined : this.#checked.splice(index, 1)[0];
  }

  /** Whether the write `name`, or the same write under a new stamp, may be gone at the end of the simulation. */
  fades(name: string): boolean {
    const last = this.#names.lastOf(name);
    const made = this.#made.get(last);
    return this.#fadingRenewals.has(last) || (made !== undefined && fades(made));
  }

  /** Notes that clients got errors for these writes. */
  refused(requests: readonly WriteRequest[]): void {
    for (const request of requests) {
      const made = this.#madeOf.get(request);
      const name = made && this.#names.nameOf(made.stamp);
      if (name !== undefined && this.#made.get(name) === made) this.#refusedNames.add(name);
      if (!request.deleted) this.#refusedValues.add(textOf(request.value));
    }
  }

  /** Whether the client of this write got an error. */
  isRefused({ stamp, deleted, value }: Entry): boolean {
    const mayBeRefused = !deleted && this.#refusedValues.size > 0;
    const isRefusedValue = mayBeRefused && this.#refusedValues.has(textOf(value));
    return isRefusedValue || this.#refusedNames.has(this.#names.nameOf(stamp));
  }

  /** What is wrong with the answer to a request. `nowMs` are the node's clock and the true one when it was made, and when it was answered. */
  wrongAnswer(
    request: WriteRequest,
    entry: Entry,
    [[madeMs, trueMadeMs], [answeredMs, trueAnsweredMs]]: readonly [Clocks, Clocks],
  ): string | undefined {
    const { key, deleted, ttlMs } = request;
    if (entry.key !== key || entry.deleted !== deleted) return "is another write";
    if (!deleted && textOf(entry.value) !== textOf(request.value)) return "has another value";
    if (!deleted && entry.contentType !== request.contentType) return "has another content type";
    if (deleted || ttlMs === 0) return entry.expiresAtMs === 0 ? undefined : "expires";
    // If the clock was set meanwhile, the time at which the write was stamped is unknown.
    const wasSetMs = answeredMs - madeMs - (trueAnsweredMs - trueMadeMs);
    if (Math.abs(wasSetMs) > ROUNDING_MS) return undefined;
    const atMs = entry.expiresAtMs - ttlMs;
    const isInTime = atMs >= madeMs - ROUNDING_MS && atMs <= answeredMs + ROUNDING_MS;
    return isInTime ? undefined : `expires ${atMs - madeMs} ms later than it was asked to`;
  }

  /** Notes that a write was given a new stamp, and returns what is wrong with that: its expiry must move by exactly as much as its stamp, or not at all. */
  wrongRenewal(old: Entry, renewed: Entry): string | undefined {
    if (fades(renewed)) this.#fadingRenewals.add(this.#names.nameOf(old.stamp));
    const shiftedMs = renewed.expiresAtMs - old.expiresAtMs;
    const movedMs = unixMsOf(renewed.stamp.time) - unixMsOf(old.stamp.time);
    const isExact = shiftedMs === 0 || Math.abs(shiftedMs - movedMs) <= ROUNDING_MS;
    const mayEnd = old.expiresAtMs > 0 && renewed.expiresAtMs > 0;
    if (isExact && (shiftedMs === 0 || mayEnd)) return undefined;
    return `was stamped anew ${movedMs} ms later, and ends ${shiftedMs} ms later`;
  }

  /** What is wrong with a copy of an entry: it must be a write that was made, unchanged, and not refused. */
  wrongCopy(entry: Entry, horizon: number): string | undefined {
    const { stamp, deleted, value, contentType, expiresAtMs } = entry;
    if (stamp.origin === BURIAL_ORIGIN || isPurgeable(entry, horizon)) return undefined;
    const name = this.#names.nameOf(stamp);
    const made = this.#made.get(name);
    if (made === undefined) return `at ${name} was written by nobody`;
    if (this.isRefused(entry)) return `at ${name} was refused`;
    if (made.deleted !== deleted || textOf(made.value) !== textOf(value)) {
      return `at ${name} has another value than was written`;
    }
    if (made.contentType !== contentType) return `at ${name} has another content type`;
    if ((made.expiresAtMs === 0) !== (expiresAtMs === 0)) return `at ${name} has another end`;
    // A new stamp moves the expiry by as much, so that the TTL stays the same; or does not move it, if no majority has
    // confirmed the time.
    const movedMs = unixMsOf(stamp.time) - unixMsOf(made.stamp.time);
    // A write that was written once more above a stamp that was taken back keeps the expiry that it had under its lowest stamp.
    const lowest = this.#names.lowestOf(name) ?? made.stamp;
    const lowestMs = unixMsOf(lowest.time) - unixMsOf(made.stamp.time);
    const shiftedMs = expiresAtMs === 0 ? 0 : expiresAtMs - made.expiresAtMs;
    const isWithin =
      shiftedMs >= Math.min(0, movedMs, lowestMs) - ROUNDING_MS &&
      shiftedMs <= Math.max(0, movedMs) + ROUNDING_MS;
    return isWithin ? undefined : `at ${name} ends ${shiftedMs} ms later, and was moved ${movedMs}`;
  }
}

/** Whether the entry may be what a node has made of the request. */
function isOf(entry: Entry, { key, deleted, value }: WriteRequest): boolean {
  const isSame = entry.key === key && entry.deleted === deleted;
  return isSame && (deleted || textOf(entry.value) === textOf(value));
}

const DECODER = new TextDecoder();

function textOf(value: Uint8Array): string {
  return DECODER.decode(value);
}
