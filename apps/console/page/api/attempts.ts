/** A stream that stays open for this long is well even if nothing is told on it, in milliseconds. */
const STEADY_MS = 20_000;

/** How many attempts at a stream have failed, one after the other, and since when. */
export class Attempts {
  #failed = 0;
  #lostAtMs: number | undefined;
  #openedAtMs: number | undefined;

  /** Whether nothing is heard at present. */
  get isLost(): boolean {
    return this.#lostAtMs !== undefined;
  }

  /** An attempt is made. */
  begun(): void {
    this.#openedAtMs = undefined;
  }

  /** The stream is open, which a program that cannot reach what it tells of may let it do, too. */
  opened(nowMs: number): void {
    this.#openedAtMs = nowMs;
  }

  /** Something was told that is no problem. */
  heard(): void {
    this.#failed = 0;
    this.#lostAtMs = undefined;
  }

  /** The stream has ended, or did not begin. Returns how many attempts failed before, and since when nothing is heard. */
  ended(nowMs: number): { readonly failedBefore: number; readonly sinceMs: number } {
    if (this.#openedAtMs !== undefined && nowMs - this.#openedAtMs > STEADY_MS) this.heard();
    this.#lostAtMs ??= nowMs;
    const failedBefore = this.#failed;
    this.#failed += 1;
    return { failedBefore, sinceMs: this.#lostAtMs };
  }
}
