/**
 * How many requests a client may make a second, and how often an address may show tokens that are no good. A client is the token
 * that it shows, or its address where it shows none.
 *
 * Requests are counted by one number each client, the time at which all that it has asked for would have been due at the
 * allowed rate (GCRA, as in ATM Forum TM 4.0). An address whose tokens keep failing is locked out for a second, then
 * two, up to a minute: tokens that nobody has verified yet are not even looked at, while those that have been go on. So whoever
 * shares an address with an attacker, and those at other addresses, lose nothing.
 */
import { MeridianError } from "@meridian/protocol";
import type { Clock, Metrics } from "@meridian/runtime";

/** How much a client may ask for. */
export interface Rate {
  /** Requests a second for each client; null for any number. */
  readonly perSecond: number | null;
  /** Requests that may come at once; null for those of one second. */
  readonly burst: number | null;
}

/** How limits are made. */
export interface RateLimitsOptions extends Rate {
  readonly clock: Pick<Clock, "elapsedMs">;
  readonly metrics: Metrics;
}

/** Clients and addresses that are remembered, each: beyond, those that were first seen the longest ago are forgotten. */
const REMEMBERED_MAX = 10_000;

/** So many tokens may fail at one address at once, and one more every three seconds. */
const FAILURES_MAX = 20;
const FAILURE_MS = 3_000;

const LOCK_FIRST_MS = 1_000;
const LOCK_MAX_MS = 60_000;

/** An address at which nothing fails for so long after its failures have been worked off begins anew. */
const QUIET_MS = 60_000;

/** The invalid tokens of an address. */
interface Failures {
  /** When all failures so far would have been due at the allowed rate. */
  dueMs: number;
  lockedUntilMs: number;
  lockMs: number;
}

/** Keeps count of clients. */
export class RateLimits {
  readonly #clock: Pick<Clock, "elapsedMs">;
  /** How long one request uses up a client's rate; 0 without a limit. */
  #costMs = 0;
  #burst = 1;
  readonly #due = new Map<string, number>();
  readonly #failures = new Map<string, Failures>();

  constructor({ perSecond, burst, clock, metrics }: RateLimitsOptions) {
    this.#clock = clock;
    this.change({ perSecond, burst });
    const max = 2 * REMEMBERED_MAX;
    const now = (): number => this.#due.size + this.#failures.size;
    metrics.level(() => [{ name: "limitedClients", now: now(), max }]);
  }

  /** Allows another rate from here on. Every client begins anew if it is another: what is due by one rate says nothing by another. */
  change({ perSecond, burst }: Rate): void {
    const costMs = perSecond === null ? 0 : 1_000 / perSecond;
    const most = burst ?? Math.max(1, perSecond ?? 1);
    if (costMs === this.#costMs && most === this.#burst) return;
    [this.#costMs, this.#burst] = [costMs, most];
    this.#due.clear();
  }

  /** Whether requests are limited. */
  get areLimited(): boolean {
    return this.#costMs > 0;
  }

  /** Counts a request of a client. Throws `RATE_LIMITED` for one too many, and counts nothing. */
  take(client: string): void {
    if (this.#costMs === 0) return;
    const nowMs = this.#clock.elapsedMs();
    const dueMs = this.#dueMs(client, nowMs);
    const waitMs = this.#waitMs(dueMs, nowMs);
    if (waitMs > 0) throw limited("fewer requests of this client", waitMs);
    if (!this.#due.has(client)) makeRoom(this.#due, (due) => due <= nowMs);
    this.#due.set(client, dueMs);
  }

  /** Whether a request of a client would not be one too many. */
  hasRoom(client: string): boolean {
    if (this.#costMs === 0) return true;
    const nowMs = this.#clock.elapsedMs();
    return this.#waitMs(this.#dueMs(client, nowMs), nowMs) === 0;
  }

  /** Throws `RATE_LIMITED` while an address is locked out. */
  checkAddress(address: string | undefined): void {
    const failures = this.#failures.get(placeOf(address));
    if (failures === undefined) return;
    const waitMs = failures.lockedUntilMs - this.#clock.elapsedMs();
    if (waitMs > 0) throw limited("fewer bad tokens of this address", waitMs);
  }

  /** When all that a client has asked for would have been due, with one more request. */
  #dueMs(client: string, nowMs: number): number {
    return Math.max(this.#due.get(client) ?? 0, nowMs) + this.#costMs;
  }

  /** How long a request is to wait. */
  #waitMs(dueMs: number, nowMs: number): number {
    const waitMs = dueMs - nowMs - this.#burst * this.#costMs;
    // The tolerance is needed because sums of fractions are not exact.
    return waitMs > 1e-6 ? waitMs : 0;
  }

  /** Notes that an address has shown an invalid token. */
  fail(address: string | undefined): void {
    const nowMs = this.#clock.elapsedMs();
    const place = placeOf(address);
    let failures = this.#failures.get(place);
    if (failures === undefined) {
      makeRoom(this.#failures, ({ dueMs }) => dueMs + QUIET_MS <= nowMs);
      failures = { dueMs: nowMs, lockedUntilMs: 0, lockMs: LOCK_FIRST_MS };
      this.#failures.set(place, failures);
    }
    if (failures.dueMs + QUIET_MS <= nowMs) failures.lockMs = LOCK_FIRST_MS;
    failures.dueMs = Math.max(failures.dueMs, nowMs) + FAILURE_MS;
    if (failures.dueMs - nowMs <= FAILURES_MAX * FAILURE_MS) return;
    failures.dueMs = nowMs + FAILURES_MAX * FAILURE_MS;
    failures.lockedUntilMs = nowMs + failures.lockMs;
    failures.lockMs = Math.min(LOCK_MAX_MS, 2 * failures.lockMs);
  }
}

/** If there is no room for one more, drops the entries that are at rest, or else the oldest. */
function makeRoom<Value>(table: Map<string, Value>, isAtRest: (value: Value) => boolean): void {
  if (table.size < REMEMBERED_MAX) return;
  for (const [key, value] of table) if (isAtRest(value)) table.delete(key);
  // More than one, so that the table is not walked through for each newcomer.
  for (const key of table.keys()) {
    if (table.size < REMEMBERED_MAX - REMEMBERED_MAX / 8) return;
    table.delete(key);
  }
}

/** The part of an address that counts as one client: of an IPv6 address, the network of 64 bits, which one customer has. */
export function placeOf(address: string | undefined): string {
  const plain = (address ?? "").replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - after.length);
  const all = [...groups, ...Array.from({ length: zeros }, () => "0"), ...after];
  return `${all.slice(0, 4).join(":")}::/64`;
}

function limited(expected: string, waitMs: number): MeridianError {
  const retryAfterSeconds = Math.ceil(waitMs / 1_000);
  return new MeridianError(
    "RATE_LIMITED",
    `Expected ${expected}, got one too many; try again in ${retryAfterSeconds} s`,
    { details: { retryAfterSeconds } },
  );
}
