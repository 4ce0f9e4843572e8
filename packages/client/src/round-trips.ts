/**
 * How long answers of a node take to come, in the mean of the last measurements (an exponentially weighted moving average): the
 * nearest node on the map may be the farther one on the network.
 */

/** The weight of the newest measurement. */
const NEWEST = 0.3;

/** A node takes precedence over the nearest only if it is faster by so much, in milliseconds, and in the part of the time. */
const LEAD_MS = 20;
const LEAD_SHARE = 0.7;

/** It keeps it for as long as it is faster by so much. */
const KEEP_SHARE = 0.9;

/** The round trips to one node. */
export class RoundTrips {
  #meanMs: number | undefined;

  /** In milliseconds; undefined where none has been measured. */
  get meanMs(): number | undefined {
    return this.#meanMs;
  }

  measured(ms: number): void {
    this.#meanMs = this.#meanMs === undefined ? ms : this.#meanMs + NEWEST * (ms - this.#meanMs);
  }
}

/** Whether answers of `other` come so much faster than those of `nearest` that it takes precedence; `has` says that it does. */
export function isFaster(other: RoundTrips, nearest: RoundTrips, has: boolean): boolean {
  const [otherMs, nearestMs] = [other.meanMs, nearest.meanMs];
  if (otherMs === undefined || nearestMs === undefined) return false;
  if (has) return otherMs < nearestMs * KEEP_SHARE;
  return otherMs < nearestMs * LEAD_SHARE && otherMs < nearestMs - LEAD_MS;
}
