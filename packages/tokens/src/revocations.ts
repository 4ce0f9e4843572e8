/**
 * Which tokens have been revoked. Revocations come as entries of the cluster's data, so a program may lack those that were made
 * while it was cut off. It then goes on taking the tokens that it knows nothing against, but not for long: once the list is
 * older than `ageMaxMs`, only tokens that are younger than that are taken. So a revoked token is good nowhere
 * `ageMaxMs` after its revocation.
 *
 * With 24 hours, and a program that has been cut off since Monday noon: until Tuesday noon it takes all tokens that it
 * knows nothing against, on Wednesday those that were made since Tuesday.
 */
import { MeridianError, revokedId, type Entry } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

/** How revocations are known. */
export interface RevocationsOptions {
  /** How old the list may be, in milliseconds, before old tokens are refused. */
  readonly ageMaxMs: number;
  /** When the list was last known to be whole, in milliseconds since the Unix epoch; 0 for never. */
  readonly knownAtMs: number;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
}

/** What has to be known of an entry to tell whether it revokes a token. */
export type RevokingEntry = Pick<Entry, "key" | "expiresAtMs" | "deleted">;

/** A token that is good no more. */
export interface Revocation {
  /** The id of the token. */
  readonly id: string;
  /** When it would have expired anyway, in milliseconds since the Unix epoch; 0 where nobody knows. */
  readonly expiresAtMs: number;
}

/** What is known of revoked tokens. */
export class Revocations {
  readonly #options: RevocationsOptions;
  /** When what revokes a token expires, by the id of the token; infinite for never. */
  readonly #until = new Map<string, number>();
  readonly #callbacks: (() => void)[] = [];
  #knownAtMs: number;
  /** What was known cannot be read any more. */
  #isLost = false;
  /** How many there were when those that have expired were last dropped. */
  #swept = 0;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.#knownAtMs = options.knownAtMs;
  }

  /** How many there are. */
  get size(): number {
    return this.#until.size;
  }

  /** When the list was last known to be whole, in milliseconds since the Unix epoch; 0 for never. */
  get knownAtMs(): number {
    return this.#knownAtMs;
  }

  /** The first of them in the order of their ids, after `after`, and no more than `limit`. */
  list(after: string, limit: number): readonly Revocation[] {
    this.#sweep();
    return [...this.#until]
      .filter(([id]) => id > after)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([id, untilMs]) => ({ id, expiresAtMs: untilMs === Infinity ? 0 : untilMs }));
  }

  /** Learns from entries which tokens have been revoked; others are passed over. */
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

  /** Calls back whenever a token has been revoked. */
  onRevoked(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Whether a token has been revoked, as far as is known. */
  has({ id }: Pick<Principal, "id">): boolean {
    return this.#until.has(id);
  }

  /** Takes note that the list was whole at a moment, in milliseconds since the Unix epoch. */
  confirm(atMs: number): void {
    if (!this.#isLost) this.#knownAtMs = Math.max(this.#knownAtMs, atMs);
  }

  /** Takes note that what was known cannot be read: from here on the list counts as one that was never whole. */
  lose(): void {
    this.#isLost = true;
    this.#knownAtMs = 0;
  }

  /** Throws `REVOCATIONS_UNKNOWN` for a token that may have been revoked so long ago that it must not be taken any more. */
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

/** With fewer there is nothing to gain from dropping those that have expired. */
const SWEEP_MIN = 1_000;
