/**
 * Records all writes of a load, and checks whether what is read breaks a guarantee.
 *
 * Each write has a number of its own, which is also the value that it sets, so that a read shows which write it found.
 * Of two writes of a key the later one wins. How the ledger decides which is later depends on the load:
 *
 *   writer   every key has one writer, which makes one write after the other: the greater number is later. Stamps are not
 *            compared, so they may change, such as after a clock is set.
 *   stamp    several sessions write a key at the same time: the greater stamp of the answers is later.
 *
 * A write without an answer may have been applied or not, and may even be applied later.
 */
import { compareStamps, type Stamp } from "@meridian/protocol";

/** How the later one of two writes of a key is found. */
export type Order = "writer" | "stamp";

/** A write that was attempted. */
export interface Attempt {
  readonly key: string;
  readonly number: number;
  readonly kind: "set" | "delete";
  /** When it was attempted, in milliseconds since the Unix epoch. */
  readonly atMs: number;
  /** The region that was asked; empty if the load does not say. */
  region: string;
  /** The earliest instant at which the write may have expired, in milliseconds since the Unix epoch; Infinity for never. */
  readonly mayExpireAtMs: number;
  /** When the write expires, by its acknowledgement; 0 for never or unknown. */
  expiresAtMs: number;
  /** The stamp of the write, by its acknowledgement. */
  stamp: Stamp | undefined;
  outcome: "open" | "acknowledged" | "unknown" | "refused";
}

/** The facts of a write's acknowledgement. */
export interface AcknowledgedFacts {
  /** 0 for never. */
  readonly expiresAtMs: number;
  readonly stamp?: Stamp | undefined;
}

/** The result of a read: the number of the write and the stamp of the entry, or undefined for no value. */
export type Got = { readonly number: number; readonly stamp?: Stamp | undefined } | undefined;

/** The tolerance for clocks and delays of answers, in milliseconds. */
const MARGIN_MS = 2_000;

/** All writes of a load. */
export class Ledger {
  readonly #order: Order;
  readonly #attempts: Attempt[] = [];
  readonly #byKey = new Map<string, Attempt[]>();
  readonly #acknowledged = new Map<string, Attempt>();

  constructor(order: Order = "writer") {
    this.#order = order;
  }

  /** Notes a write that is about to be made at `nowMs`; `ttlMs` is 0 for ever. */
  attempt(key: string, kind: Attempt["kind"], ttlMs: number, nowMs: number): Attempt {
    const attempt: Attempt = {
      key,
      number: this.#attempts.length,
      kind,
      atMs: nowMs,
      region: "",
      // The expiry of the answer is too late if the region's clock is ahead, until the clock is set.
      mayExpireAtMs: ttlMs === 0 ? Infinity : nowMs + ttlMs,
      expiresAtMs: 0,
      stamp: undefined,
      outcome: "open",
    };
    this.#attempts.push(attempt);
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, [attempt]);
    else ofKey.push(attempt);
    return attempt;
  }

  /** Records that a write was acknowledged. */
  acknowledge(attempt: Attempt, { expiresAtMs, stamp }: AcknowledgedFacts): void {
    attempt.expiresAtMs = expiresAtMs;
    attempt.stamp = stamp;
    attempt.outcome = "acknowledged";
    const known = this.#acknowledged.get(attempt.key);
    if (known === undefined || this.#isBefore(known, attempt)) {
      this.#acknowledged.set(attempt.key, attempt);
    }
  }

  /** Every key for which a write was attempted. */
  get keys(): readonly string[] {
    return [...this.#byKey.keys()];
  }

  /** How many writes had this outcome. */
  count(outcome: Attempt["outcome"], kind?: Attempt["kind"]): number {
    return this.#attempts.filter(
      (each) => each.outcome === outcome && (kind === undefined || each.kind === kind),
    ).length;
  }

  /** The write that was read. */
  find(got: Got): Attempt | undefined {
    return got === undefined ? undefined : this.#attempts[got.number];
  }

  /** The latest acknowledged write of a key: a read that begins now must not return an older one. */
  floor(key: string): Attempt | undefined {
    return this.#acknowledged.get(key);
  }

  /**
   * Why `got`, read at `nowMs` by a session that has written or seen `floor`, breaks a guarantee; undefined if it
   * breaks none.
   */
  broken(key: string, got: Got, floor: Attempt | undefined, nowMs: number): string | undefined {
    if (got === undefined) return this.#brokenByAbsence(key, floor, nowMs);
    const found = this.find(got);
    if (found?.key !== key || found.kind !== "set") return `${key} holds what nobody wrote`;
    if (found.outcome === "refused") return `${key} holds write ${got.number}, which was refused`;
    if (found.expiresAtMs !== 0 && found.expiresAtMs + MARGIN_MS < nowMs) {
      return `${key} is served ${nowMs - found.expiresAtMs} ms after it expired`;
    }
    // Under this order a write keeps its stamp. (After a clock is set right, a write may get another one; loads that set clocks use the order `writer`.)
    if (this.#order === "stamp" && found.stamp !== undefined && order(found, got) !== 0) {
      return `${key}: write ${got.number} has another stamp than it was acknowledged with`;
    }
    if (floor === undefined || !this.#isOvertaken(got, found, floor)) return undefined;
    const rest = `write ${got.number} is there again after write ${floor.number}`;
    return floor.kind === "delete" ? `${key} was deleted, and ${rest}` : `${key}: ${rest}`;
  }

  #isOvertaken(got: NonNullable<Got>, found: Attempt, floor: Attempt): boolean {
    if (this.#order === "stamp") return order(got, floor) < 0;
    return got.number < floor.number && found.outcome !== "unknown";
  }

  #isBefore(a: Attempt, b: Attempt): boolean {
    return this.#order === "stamp" ? order(a, b) < 0 : a.number < b.number;
  }

  #brokenByAbsence(key: string, floor: Attempt | undefined, nowMs: number): string | undefined {
    if (floor === undefined || floor.kind === "delete") return undefined;
    const isAllowed = this.#byKey.get(key)?.some((each) => {
      if (each.outcome === "refused") return false;
      // What has no answer yet may be the latest of all.
      if (each.outcome === "acknowledged" && this.#isBefore(each, floor)) return false;
      if (each.kind === "delete") return true;
      return each.mayExpireAtMs - MARGIN_MS < nowMs;
    });
    return isAllowed === true ? undefined : `${key}: write ${floor.number} is gone`;
  }
}

/** Compares by stamp; a write or read without a stamp is before all others. */
function order(a: { readonly stamp?: Stamp | undefined }, b: typeof a): number {
  if (a.stamp === undefined || b.stamp === undefined) {
    return Number(a.stamp !== undefined) - Number(b.stamp !== undefined);
  }
  return compareStamps(a.stamp, b.stamp);
}
