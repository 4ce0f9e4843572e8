/**
 * The mean round trip to a node (an exponentially weighted moving average): the
 * nearest node on the map is not always the fastest on the network.
 */

/** The weight of the newest measurement. */
const NEWEST = 0.3;

/** A node takes precedence over the nearest only if its round trip is shorter by so many milliseconds, and takes at most `LEAD_SHARE` of the time. */
const LEAD_MS = 20;
const LEAD_SHARE = 0.7;

/** It keeps the precedence while its round trip takes at most this part of the nearest node's. */
const KEEP_SHARE = 0.9;

/** The round trips to one node. */
export class RoundTrips {
  #meanMs: number | undefined;

  /** In milliseconds; undefined if none has been measured. */
  get meanMs(): number | undefined {
    return this.#meanMs;
  }

  measured(ms: number): void {
    this.#meanMs = this.#meanMs === undefined ? ms : this.#meanMs + NEWEST * (ms - this.#meanMs);
  }
}

/** Whether `other` takes precedence over `nearest` because it is faster. `has`: whether it has the precedence now. */
export function isFaster(other: RoundTrips, nearest: RoundTrips, has: boolean): boolean {
  const [otherMs, nearestMs] = [other.meanMs, nearest.meanMs];
  if (otherMs === undefined || nearestMs === undefined) return false;
  if (has) return otherMs < nearestMs * KEEP_SHARE;
  return otherMs < nearestMs * LEAD_SHARE && otherMs < nearestMs - LEAD_MS;
}
