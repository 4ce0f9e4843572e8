/**
 * The list of revoked tokens. Revocations are entries of the cluster's data, so a program that is cut off may lack the latest ones.
 * It goes on accepting tokens that its list does not name, but not for long: once the list is
 * older than `ageMaxMs`, it accepts only tokens that were issued less than `ageMaxMs` ago. So no program accepts a token later than
 * `ageMaxMs` after its revocation.
 *
 * For example, `ageMaxMs` is 24 hours and a program has been cut off since Monday noon. Until Tuesday noon it accepts all tokens that
 * its list does not name; at noon on Wednesday only those that were issued since Tuesday noon.
 */
import { MeridianError, revokedId, type Entry } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

/** How the list is made. */
export interface RevocationsOptions {
  /** How old the list may be, in milliseconds, before old tokens are refused. */
  readonly ageMaxMs: number;
  /** When the list was last known to be complete, in milliseconds since the Unix epoch; 0 for never. */
  readonly knownAtMs: number;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
}

/** The part of an entry that shows whether it revokes a token. */
export type RevokingEntry = Pick<Entry, "key" | "expiresAtMs" | "deleted">;

/** A revoked token. */
export interface Revocation {
  /** The id of the token. */
  readonly id: string;
  /** When the revocation expires, no earlier than the token, in milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAtMs: number;
}

/** Knows the revoked tokens. */
export class Revocations {
  readonly #options: RevocationsOptions;
  /** When each revocation expires, by the id of the token; infinite for never. */
  readonly #until = new Map<string, number>();
  readonly #callbacks: (() => void)[] = [];
  #knownAtMs: number;
  /** The saved revocations cannot be read. */
  #isLost = false;
  /** How many revocations there were after expired ones were last dropped. */
  #swept = 0;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#knownAtMs = options.knownAtMs;
  }

  /** How many revocations there are. */
  get size(): number {
    return this.#until.size;
  }

  /** When the list was last known to be whole, in milliseconds since the Unix epoch; 0 for never. */
  get knownAtMs(): number {
    return this.#knownAtMs;
  }

  /** The first `limit` revocations whose ids come after `after`, in the order of the ids. */
  list(after: string, limit: number): readonly Revocation[] {
    this.#sweep();
    return [...this.#until]
      .filter(([id]) => id > after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([id, untilMs]) => ({ id, expiresAtMs: untilMs === Infinity ? 0 : untilMs }));
  }

  /** Adds the revocations among `entries`; ignores other entries. */
  take(entries: Iterable<RevokingEntry>): void {
    const nowMs = this.#options.clock.nowMs();
    let isNews = false;
    for (const { key, expiresAtMs, deleted } of entries) {
      const id = revokedId(key);
      const untilMs = expiresAtMs === 0 ? Infinity : expiresAtMs;
      if (id === undefined || deleted || untilMs <= nowMs) continue;
      if (!this.#until.has(id)) {
        isNews = true;
        this.#options.logger.info("a token has been revoked", { token: id });
      }
      this.#until.set(id, untilMs);
    }
    if (!isNews) return;
    if (this.#until.size > 2 * this.#swept + SWEEP_MIN) this.#sweep();
    for (const callback of this.#callbacks) callback();
  }

  /** Calls `callback` whenever a token has been revoked. */
  onRevoked(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Whether the list names the token. */
  has({ id }: Pick<Principal, "id">): boolean {
    return this.#until.has(id);
  }

  /** Notes that the list was complete at `atMs`, in milliseconds since the Unix epoch. */
  confirm(atMs: number): void {
    if (!this.#isLost) this.#knownAtMs = Math.max(this.#knownAtMs, atMs);
  }

  /** Notes that the saved revocations cannot be read: from now on the list counts as one that was never complete. */
  lose(): void {
    this.#isLost = true;
    this.#knownAtMs = 0;
  }

  /** Throws `REVOCATIONS_UNKNOWN` if the list is older than `ageMaxMs` and the token was issued longer ago than that. */
  checkAge({ issuedAtMs }: Pick<Principal, "issuedAtMs">): void {
    const { ageMaxMs, clock } = this.#options;
    if (clock.nowMs() - Math.max(issuedAtMs, this.#knownAtMs) <= ageMaxMs) return;
    throw new MeridianError(
      "REVOCATIONS_UNKNOWN",
      `Expected a token that was made within ${ageMaxMs} ms, as this program has been cut off for longer (--token-age-max) and may not know that an older one has been revoked`,
    );
  }

  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [id, untilMs] of this.#until) if (untilMs <= nowMs) this.#until.delete(id);
    this.#swept = this.#until.size;
  }
}

/** So many revocations may be added before expired ones are dropped, which costs a pass over all. */
const SWEEP_MIN = 1_000;
