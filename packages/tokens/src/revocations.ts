/**
 * The list of revoked tokens. Revocations are entries of the cluster's data, so a program that is cut off may lack the latest ones.
 * It goes on accepting tokens that its list does not name, but not for long: once the list is
 * older than `ageMaxMs`, it accepts only tokens that were issued less than `ageMaxMs` ago. So no program accepts a token later than
 * `ageMaxMs` after its revocation.
 *
 * For example, `ageMaxMs` is 24 hours and a program has been cut off since Monday noon. Until Tuesday noon it accepts all tokens that
 * its list does not name; at noon on Wednesday only those that were issued since Tuesday noon.
 */
import { MeridianError, REVOCATION_PREFIX, revokedId, type Entry } from "@meridian/protocol";
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

/**
 * The most revocations that a list holds. From half of it on, regions make no new ones: others may make some at the same time. With ids of
 * at most 200 characters, a full list takes about 30 MB.
 */
export const REVOCATIONS_MAX = 100_000;

/** Some entries in the order of their keys, and the key after which the next page begins; null after the last page. */
export interface RevokingPage {
  readonly entries: Iterable<RevokingEntry>;
  readonly next: string | null;
}

/** Knows the revoked tokens. */
export class Revocations {
  readonly #options: RevocationsOptions;
  /** How old the list may be, in milliseconds, before old tokens are refused. */
  ageMaxMs: number;
  /** When each revocation expires, by the id of the token; infinite for never. */
  readonly #until = new Map<string, number>();
  readonly #callbacks: (() => void)[] = [];
  #knownAtMs: number;
  /** The saved revocations cannot be read, or not all can be remembered. */
  #isLost = false;
  /** How many revocations there were after expired ones were last dropped. */
  #swept = 0;

  constructor(options: RevocationsOptions) {
    this.#options = options;
    this.ageMaxMs = options.ageMaxMs;
    this.#knownAtMs = options.knownAtMs;
  }

  /** How many revocations there are, without those that have expired. */
  get size(): number {
    this.#sweep();
    return this.#until.size;
  }

  /** When the list was last known to be whole, in milliseconds since the Unix epoch; 0 for never. */
  get knownAtMs(): number {
    return this.#knownAtMs;
  }

  /** Throws `OVERLOADED` if there is no room to revoke the token of that id, too. */
  checkRoom(id: string): void {
    const most = REVOCATIONS_MAX / 2;
    if (this.#until.has(id) || this.#until.size < most || this.size < most) return;
    throw new MeridianError(
      "OVERLOADED",
      `Expected at most ${most} revoked tokens that have not expired, got one more. Each makes room when its token expires; to revoke all tokens of a signing key at once, take the key out of \`token-keys.json\``,
    );
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
        const isFull = this.#until.size >= REVOCATIONS_MAX;
        if (isFull && (this.#isLost || this.size >= REVOCATIONS_MAX)) {
          this.#overflow();
          continue;
        }
        isNews = true;
        this.#options.logger.info("a token has been revoked", { token: id });
      }
      this.#until.set(id, untilMs);
    }
    if (!isNews) return;
    if (this.#until.size > 2 * this.#swept + SWEEP_MIN) this.#sweep();
    for (const callback of this.#callbacks) callback();
  }

  /** Adds the revocations of all pages, of which `pageAfter` reads the one after a key. The program goes on between two pages. */
  async takePages(pageAfter: (key: string) => RevokingPage): Promise<void> {
    for (let after: string | null = REVOCATION_PREFIX; after !== null;) {
      const { entries, next } = pageAfter(after);
      this.take(entries);
      after = next;
      await new Promise((resolve) => setImmediate(resolve));
    }
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
    const { ageMaxMs } = this;
    const { clock } = this.#options;
    if (clock.nowMs() - Math.max(issuedAtMs, this.#knownAtMs) <= ageMaxMs) return;
    throw new MeridianError(
      "REVOCATIONS_UNKNOWN",
      `Expected a token that was made within ${ageMaxMs} ms, as this program has been cut off for longer (--token-age-max) and may not know that an older one has been revoked`,
    );
  }

  /** A token that is not on the list must not count as a good one. */
  #overflow(): void {
    if (this.#isLost) return;
    this.lose();
    this.#options.logger.error(
      "more tokens are revoked than can be remembered; until a restart with fewer, only recently issued tokens are accepted",
      { most: REVOCATIONS_MAX },
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
