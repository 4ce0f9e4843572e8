/**
 * What clients have been promised, and whether an answer keeps to it.
 *
 * Each write has a number of its own, which is also the value that it sets, so that what is read tells which write it is.
 * Of two writes of a key the later one counts. Which one that is depends on who writes:
 *
 *   writer   every key has one writer, which makes one write after the other: the greater number. No stamp is looked at, so
 *            that it does not matter what becomes of stamps, such as those of a clock that is set right.
 *   stamp    many write a key at a time: the greater stamp, as the answers tell it.
 *
 * A write that had no answer may have been made or not, and may even take effect later.
 */
import { compareStamps, type Stamp } from "@meridian/protocol";

/** Which of two writes of a key counts. */
export type Order = "writer" | "stamp";

/** A write that was attempted. */
export interface Attempt {
  readonly key: string;
  readonly number: number;
  readonly kind: "set" | "delete";
  /** From when on it may have expired, in milliseconds since the Unix epoch; Infinity for never. */
  readonly mayExpireAtMs: number;
  /** When it expires, as its acknowledgement said; 0 for never or not known. */
  expiresAtMs: number;
  /** Its stamp, as its acknowledgement said. */
  stamp: Stamp | undefined;
  outcome: "open" | "acknowledged" | "unknown" | "refused";
}

/** What an acknowledgement says of a write. */
export interface Acknowledgement {
  /** 0 for never. */
  readonly expiresAtMs: number;
  readonly stamp?: Stamp | undefined;
}

/** What a reader got: the number of a write and the stamp of what is read, or undefined for no value. */
export type Got = { readonly number: number; readonly stamp?: Stamp | undefined } | undefined;

/** Clocks and answers are not exact to less, in milliseconds. */
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
      // Not what the answer says: a region whose clock is ahead says too late, until it is set right.
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

  /** The write was acknowledged. */
  acknowledge(attempt: Attempt, { expiresAtMs, stamp }: Acknowledgement): void {
    attempt.expiresAtMs = expiresAtMs;
    attempt.stamp = stamp;
    attempt.outcome = "acknowledged";
    const known = this.#acknowledged.get(attempt.key);
    if (known === undefined || this.#isBefore(known, attempt)) {
      this.#acknowledged.set(attempt.key, attempt);
    }
  }

  /** Every key that a write was attempted of. */
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

  /** Of what is acknowledged of a key, what counts: what a read that begins now must not fall behind. */
  floor(key: string): Attempt | undefined {
    return this.#acknowledged.get(key);
  }

  /**
   * Why `got`, read at `nowMs` by someone to whom `floor` was promised or shown, breaks a promise; undefined if it
   * keeps them all.
   */
  broken(key: string, got: Got, floor: Attempt | undefined, nowMs: number): string | undefined {
    if (got === undefined) return this.#brokenByAbsence(key, floor, nowMs);
    const found = this.find(got);
    if (found?.key !== key || found.kind !== "set") return `${key} holds what nobody wrote`;
    if (found.outcome === "refused") return `${key} holds write ${got.number}, which was refused`;
    if (found.expiresAtMs !== 0 && found.expiresAtMs + MARGIN_MS < nowMs) {
      return `${key} is served ${nowMs - found.expiresAtMs} ms after it expired`;
    }
    // A write has one stamp. (Where clocks are set right, it may get another: there the order is the writer's.)
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
      if (each.outcome !== "unknown" && this.#isBefore(each, floor)) return false;
      if (each.kind === "delete") return true;
      return each.mayExpireAtMs - MARGIN_MS < nowMs;
    });
    return isAllowed === true ? undefined : `${key}: write ${floor.number} is gone`;
  }
}

/** Compares by stamp; what has none is before everything. */
function order(a: { readonly stamp?: Stamp | undefined }, b: typeof a): number {
  if (a.stamp === undefined || b.stamp === undefined) {
    return Number(a.stamp !== undefined) - Number(b.stamp !== undefined);
  }
  return compareStamps(a.stamp, b.stamp);
}
