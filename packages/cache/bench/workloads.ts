/**
 * The timed operations. Each is checked against what it must have done before its time counts.
 */
import type { Cache, Library } from "./libraries.ts";

/** Nanoseconds per operation. */
export type Timings = Record<string, number>;

/** So long that a batch of any operation pays for the garbage it makes, and for no other's. */
const BATCH = 200_000;
const WARM_UP = 2;
const BATCHES = 12;
const REQUESTS = 10 * BATCH;
/** A value, and what it counts for in the byte-bounded workload. */
const VALUE = 100;

/** 27 to 34 characters, as a server would build them from a request. */
const keyOf = (id: number): string => `tenant:7:user:${id}:profile:v2`;

/** A small generator (mulberry32), so that every library sees the same requests. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws from `0…count - 1`, rank r with probability ∝ 1 / (r + 1)^skew, after Gray et al. 1994. */
function zipfFrom(random: () => number, count: number, skew: number): () => number {
  let zeta = 0;
  for (let rank = 1; rank <= count; rank++) zeta += 1 / rank ** skew;
  const alpha = 1 / (1 - skew);
  const eta = (1 - (2 / count) ** (1 - skew)) / (1 - (1 + 0.5 ** skew) / zeta);
  return () => {
    const u = random();
    if (u * zeta < 1) return 0;
    if (u * zeta < 1 + 0.5 ** skew) return 1;
    return Math.floor(count * (eta * u - eta + 1) ** alpha);
  };
}

interface Operation {
  readonly name: string;
  /** Does it `BATCH` times, from the nth request on; what comes out must be `expected`, if that is known. */
  readonly pass: (first: number) => number;
  readonly expected?: number;
}

/** Processor time of this process, garbage collection and compilation included, in nanoseconds. */
function processorNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}

/**
 * Times the operations in turn, batch by batch, and takes the first quartile of the batches. Processor
 * time, and no mean, because the machine may have other work: that takes the processor away and empties
 * its caches. The first batches warm up and do not count.
 */
function timeAll(operations: readonly Operation[]): Timings {
  const taken: Record<string, number[]> = {};
  for (let batch = 0; batch < WARM_UP + BATCHES; batch++) {
    for (const { name, pass, expected } of operations) {
      const start = processorNs();
      const got = pass((batch * BATCH) % REQUESTS);
      const tookNs = processorNs() - start;
      if (expected !== undefined && got !== expected) {
        throw new Error(`${name}: expected a result of ${expected}, got ${got}`);
      }
      if (batch >= WARM_UP) (taken[name] ??= []).push(tookNs / BATCH);
    }
  }
  const quartile = (all: number[]): number =>
    all.toSorted((x, y) => x - y)[all.length >> 2] as number;
  return Object.fromEntries(Object.entries(taken).map(([name, all]) => [name, quartile(all)]));
}

interface Requests {
  readonly order: Int32Array;
  readonly keys: string[];
}

/** Keys as they come out of a request or a file: flat strings, none of them hashed yet. */
function received(count: number, firstId: number): string[] {
  const keys = Array.from({ length: count }, (_, id) => keyOf(firstId + id));
  return JSON.parse(JSON.stringify(keys)) as string[];
}

function requestsFor(size: number): Requests {
  const random = randomFrom(1);
  const order = Int32Array.from({ length: REQUESTS }, () => Math.floor(random() * size));
  return { order, keys: received(size, 0) };
}

function readsAndUpdates(cache: Cache, size: number, { order, keys }: Requests): Operation[] {
  const absent = received(size, size);
  const hit = (first: number): number => {
    let sum = 0;
    for (let n = first; n < first + BATCH; n++) {
      sum += cache.get(keys[order[n] as number] as string) as number;
    }
    return sum;
  };
  const hitBuilt = (first: number): number => {
    let sum = 0;
    for (let n = first; n < first + BATCH; n++)
      sum += cache.get(keyOf(order[n] as number)) as number;
    return sum;
  };
  const miss = (first: number): number => {
    let found = 0;
    for (let n = first; n < first + BATCH; n++) {
      if (cache.get(absent[order[n] as number] as string) !== undefined) found++;
    }
    return found;
  };
  const update = (first: number): number => {
    for (let n = first; n < first + BATCH; n++)
      cache.set(keys[order[n] as number] as string, VALUE);
    return cache.get(keys[order[first] as number] as string) as number;
  };
  return [
    { name: "get, hit, key built per call", pass: hitBuilt, expected: BATCH * VALUE },
    { name: "get, hit, same key object", pass: hit, expected: BATCH * VALUE },
    { name: "get, miss", pass: miss, expected: 0 },
    { name: "set, update", pass: update, expected: VALUE },
  ];
}

function evictions(name: string, cache: Cache, size: number): Operation {
  let next = size;
  const pass = (): number => {
    for (let n = 0; n < BATCH; n++) cache.set(keyOf(next++), VALUE);
    const newestIsHere = cache.get(keyOf(next - 1)) === VALUE;
    const old = next - 3 * size;
    const oldIsGone = old < size || cache.get(keyOf(old)) === undefined;
    return newestIsHere && oldIsGone ? 1 : 0;
  };
  return { name, pass, expected: 1 };
}

function mixed(library: Library, size: number): Operation {
  const draw = zipfFrom(randomFrom(2), size * 10, 0.99);
  // Scrambled, so that popular keys are not neighbours.
  const ids = Int32Array.from({ length: REQUESTS }, () => Math.imul(draw(), 7_919) >>> 1);
  const cache = library.entries(size);
  const pass = (first: number): number => {
    let hits = 0;
    for (let n = first; n < first + BATCH; n++) {
      const key = keyOf(ids[n] as number);
      if (n % 10 === 9) cache.set(key, VALUE);
      else if (cache.get(key) === undefined) cache.set(key, VALUE);
      else hits++;
    }
    return hits;
  };
  for (let first = 0; first < REQUESTS; first += BATCH) pass(first);
  return { name: "zipf 0.99, 90 % get", pass };
}

/** Times a library with caches of `size` entries. */
export function measure(library: Library, size: number): Timings {
  const requests = requestsFor(size);
  const cache = library.entries(size);
  for (const key of requests.keys) cache.set(key, VALUE);
  const timings = timeAll(readsAndUpdates(cache, size, requests));
  const timed = [evictions("set, new with eviction", cache, size), mixed(library, size)];
  const byBytes = library.bytes?.(size * VALUE);
  if (byBytes !== undefined) {
    for (const key of requests.keys) byBytes.set(key, VALUE);
    timed.push(evictions("set, new with eviction, bytes", byBytes, size));
  }
  return { ...timings, ...timeAll(timed) };
}
