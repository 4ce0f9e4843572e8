/**
 * Remembers the hashes of keys that were evicted lately, and from which of two queues.
 *
 * The table has a fixed size. A bucket has four pairs: a hash, and the queue and time of its eviction. A new pair replaces the oldest one of
 * its bucket. "Lately" means: in a cache of 1 000 entries, within the last 1 000 evictions from the same queue. Two keys with the same hash
 * count as one key, which makes the policy a little less precise.
 */
const WAYS = 4;
const PAIR = 2;
/** Evictions are counted modulo `ROUND`. */
const ROUND = 2 ** 30;

export class Ghosts {
  #pairs = new Int32Array(0);
  readonly #evictions = [0, 0];
  /** For each queue, about how many keys are remembered. */
  readonly counts: [number, number] = [0, 0];

  /** Remembers an eviction from queue 0 or 1 of a cache with `entries` entries. Hash 0 stands for no key and is not remembered. */
  add(hash: number, queue: 0 | 1, entries: number): void {
    if (hash === 0) return;
    if (this.#pairs.length < entries * 2 * PAIR) this.#resize(entries);
    const start = this.#bucket(hash);
    let oldest = start;
    let oldestAge = -1;
    for (let at = start; at < start + WAYS * PAIR; at += PAIR) {
      const age = this.#pairs[at] === 0 ? ROUND : this.#age(at);
      if (age > oldestAge) {
        oldest = at;
        oldestAge = age;
      }
    }
    const when = ((this.#evictions[queue] as number) + 1) % ROUND;
    this.#evictions[queue] = when;
    this.#pairs[oldest] = hash;
    this.#pairs[oldest + 1] = when * 2 + queue;
    this.counts[queue] = Math.min(entries, this.counts[queue] + 1);
  }

  /** Returns the queue from which the key with `hash` was evicted lately, or -1. Forgets the key. */
  take(hash: number, entries: number): 0 | 1 | -1 {
    if (hash === 0 || this.#pairs.length === 0) return -1;
    const start = this.#bucket(hash);
    for (let at = start; at < start + WAYS * PAIR; at += PAIR) {
      if (this.#pairs[at] !== hash) continue;
      const late = this.#age(at) < entries;
      const queue = ((this.#pairs[at + 1] as number) & 1) as 0 | 1;
      this.#pairs[at] = 0;
      if (!late) return -1;
      this.counts[queue] = Math.max(0, this.counts[queue] - 1);
      return queue;
    }
    return -1;
  }

  /** How many evictions from the same queue there have been since. */
  #age(at: number): number {
    const stamp = this.#pairs[at + 1] as number;
    const now = this.#evictions[stamp & 1] as number;
    return (now - (stamp >>> 1) + ROUND) % ROUND;
  }

  #bucket(hash: number): number {
    // The table of strings uses the top bits of the hash. The multiplication spreads them over the bits that choose a bucket.
    const mixed = Math.imul(hash, 0x9e3779b1) >>> 8;
    return (mixed % (this.#pairs.length / (WAYS * PAIR))) * WAYS * PAIR;
  }

  #resize(entries: number): void {
    const buckets = Math.ceil((entries * 3) / WAYS) + 1;
    this.#pairs = new Int32Array(buckets * WAYS * PAIR);
    this.counts.fill(0);
  }
}
