/**
 * What a drill has been promised, and whether an answer keeps to it.
 *
 * Every key has one writer, which makes one write after the other, each with a number of its own and greater than all
 * before. So what a key may hold is known without looking at stamps: the last write that was acknowledged, or
 * one of which nobody knows what became of it, for it had no answer and may even take effect later.
 */

/** A write that was attempted. */
export interface Attempt {
  readonly key: string;
  /** Its number, which is also the value it sets. */
  readonly number: number;
  readonly kind: "set" | "delete";
  /** From when on it may have expired, in milliseconds since the Unix epoch; Infinity for never. */
  readonly mayExpireAtMs: number;
  /** When it expires, as its acknowledgement said; 0 for never or not known. */
  expiresAtMs: number;
  outcome: "open" | "acknowledged" | "unknown" | "refused";
}

/** What a reader got: the number of a write, or undefined for no value. */
export type Got = number | undefined;

/** Clocks and answers are not exact to less, in milliseconds. */
const MARGIN_MS = 2_000;

/** All writes of a drill. */
export class Ledger {
  readonly #attempts: Attempt[] = [];
  readonly #byKey = new Map<string, Attempt[]>();
  readonly #acknowledged = new Map<string, Attempt>();

  /** Notes a write that is about to be made at `nowMs`; `ttlMs` is 0 for ever. */
  attempt(key: string, kind: Attempt["kind"], ttlMs: number, nowMs: number): Attempt {
    const attempt: Attempt = {
      key,
      number: this.#attempts.length,
      kind,
      // Not what the answer says: a region whose clock is ahead says too late, until it is set right.
      mayExpireAtMs: ttlMs === 0 ? Infinity : nowMs + ttlMs,
      expiresAtMs: 0,
      outcome: "open",
    };
    this.#attempts.push(attempt);
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, [attempt]);
    else ofKey.push(attempt);
    return attempt;
  }

  /** The write was acknowledged. */
  acknowledge(attempt: Attempt, expiresAtMs: number): void {
    attempt.expiresAtMs = expiresAtMs;
    attempt.outcome = "acknowledged";
    this.#acknowledged.set(attempt.key, attempt);
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

  /** The write of that number. */
  find(number: Got): Attempt | undefined {
    return number === undefined ? undefined : this.#attempts[number];
  }

  /** What is acknowledged of a key, the last of it: what a read that begins now must not fall behind. */
  floor(key: string): Attempt | undefined {
    return this.#acknowledged.get(key);
  }

  /**
   * Why `got`, read at `nowMs` by someone to whom `floor` was promised or shown, breaks a promise; undefined if it
   * keeps them all.
   */
  broken(key: string, got: Got, floor: Attempt | undefined, nowMs: number): string | undefined {
    if (got === undefined) return this.#brokenByAbsence(key, floor, nowMs);
    const found = this.#attempts[got];
    if (found?.key !== key || found.kind !== "set") return `${key} holds what nobody wrote`;
    if (found.expiresAtMs !== 0 && found.expiresAtMs + MARGIN_MS < nowMs) {
      return `${key} is served ${nowMs - found.expiresAtMs} ms after it expired`;
    }
    if (floor === undefined || got >= floor.number || found.outcome === "unknown") return undefined;
    const rest = `write ${got} is there again after write ${floor.number}`;
    return floor.kind === "delete" ? `${key} was deleted, and ${rest}` : `${key}: ${rest}`;
  }

  #brokenByAbsence(key: string, floor: Attempt | undefined, nowMs: number): string | undefined {
    if (floor === undefined || floor.kind === "delete") return undefined;
    const isAllowed = this.#byKey.get(key)?.some((each) => {
      if (each.outcome === "refused") return false;
      if (each.number < floor.number && each.outcome !== "unknown") return false;
      if (each.kind === "delete") return true;
      return each.mayExpireAtMs - MARGIN_MS < nowMs;
    });
    return isAllowed === true ? undefined : `${key}: write ${floor.number} is gone`;
  }
}
