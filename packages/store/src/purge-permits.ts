/**
 * Decides when purgeable entries may be removed: once everything that was in the journal when the horizon was permitted is folded. An older entry
 * that still waits in the journal would come back otherwise.
 *
 * Permits may come faster than folding follows, and each of them waits for a later end of the journal. So one that
 * waits is not replaced by a newer one: it takes effect first, and then the newest there is waits in its turn.
 */
import type { PurgeScope } from "./writer-messages.ts";

interface Permit {
  readonly scope: PurgeScope;
  /** The end of the journal when it was given. */
  readonly foldedThrough: number;
}

/** Nothing may be removed. */
const NOTHING: PurgeScope = { horizon: 0, through: 0 };

/** Keeps the permits to remove entries. */
export class PurgePermits {
  #inForce: PurgeScope = NOTHING;
  #waiting: Permit | undefined;
  #newest: Permit | undefined;

  /** What may be removed now. */
  get inForce(): PurgeScope {
    return this.#inForce;
  }

  /** Allows `scope` and nothing else, once the journal is folded through `foldedThrough`. */
  give(scope: PurgeScope, foldedThrough: number): void {
    this.#inForce = narrower(this.#inForce, scope);
    const permit = { scope, foldedThrough };
    if (this.#waiting === undefined) {
      this.#waiting = permit;
      return;
    }
    this.#waiting = { ...this.#waiting, scope: narrower(this.#waiting.scope, scope) };
    this.#newest = permit;
  }

  /** Takes note of how far the journal is folded. */
  advance(foldedThrough: number): void {
    while (this.#waiting !== undefined && this.#waiting.foldedThrough <= foldedThrough) {
      this.#inForce = this.#waiting.scope;
      this.#waiting = this.#newest;
      this.#newest = undefined;
    }
  }
}

function narrower(a: PurgeScope, b: PurgeScope): PurgeScope {
  return { horizon: Math.min(a.horizon, b.horizon), through: Math.min(a.through, b.through) };
}
