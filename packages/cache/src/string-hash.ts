/**
 * Hashes strings by the few characters in which the keys at hand differ.
 *
 * Reading a string in JavaScript costs about as much per character as a memory access that hits the
 * cache, so hashing all of a 30-character key costs more than the rest of a lookup. But the keys of one
 * program look alike: `tenant:7:user:123456:profile` carries its information in six places. So the hasher
 * looks at some of the keys, finds the three groups of four neighbouring characters in which they differ
 * most, and from then on reads only those and the length. (The idea is that of Hentschel, Sirin and
 * Idreos, "Entropy-Learned Hashing", SIGMOD 2022.) Short keys are read whole.
 *
 * Whether the choice was good shows in the table: keys that agree in those places pile up. The table
 * notices, and then `learned` must be given up for hashing whole keys. Neither is safe against keys made
 * to collide under any seed; the table notices those too.
 */
const GROUP = 4;
const GROUPS = 3;
/** Instead of a third group that would tell nothing. */
const NONE = 2 ** 30;
const TELLS_NOTHING = 0.01;
/** How many of a key's characters are looked at, from either end. */
const DEPTH = 64;
/** How many of the keys may be too short for the groups; those are read whole. */
const SHORT_SHARE = 0.1;

export class StringHasher {
  /** Keys worth looking at to learn where they differ. */
  static readonly SAMPLE = 256;
  readonly #seed: number;
  /** Where the groups begin, counted from the start of a key or, if below 0, from its end. */
  readonly #first: number;
  readonly #second: number;
  readonly #third: number;
  readonly #fromEnd: boolean;
  /** Shorter keys are read whole. Invariant: the groups lie within any key this long. */
  readonly #lengthMin: number;

  private constructor(seed: number, groups: readonly number[], lengthMin: number) {
    this.#seed = seed;
    [this.#first, this.#second, this.#third] = groups as [number, number, number];
    this.#fromEnd = this.#first < 0;
    this.#lengthMin = lengthMin;
  }

  /** Reads every character of every key. */
  static whole(seed: number): StringHasher {
    return new StringHasher(seed, [0, 0, 0], Infinity);
  }

  /** Reads the places where these keys differ, or all if that would save nothing. */
  static learned(seed: number, keys: readonly string[]): StringHasher {
    const lengths = keys.map((key) => key.length).toSorted((a, b) => a - b);
    const lengthMin = lengths[Math.floor(lengths.length * SHORT_SHARE)] ?? 0;
    if (lengthMin <= GROUP * GROUPS) return StringHasher.whole(seed);
    // Shorter ones have no such places, and are read whole anyway.
    const sample = keys.filter((key) => key.length >= lengthMin);
    const depth = Math.min(lengthMin, DEPTH);
    const fromStart = choose(variety(sample, depth, (_, at) => at));
    const fromEnd = choose(variety(sample, depth, (key, at) => key.length - depth + at));
    const groups =
      fromStart.found >= fromEnd.found
        ? fromStart.groups
        : fromEnd.groups.map((group) => (group === NONE ? NONE : group - depth));
    return new StringHasher(seed, groups, lengthMin);
  }

  /** A hash of 32 bits, never 0. */
  hash(key: string): number {
    const { length } = key;
    if (length < this.#lengthMin) return finish(hashWhole(key, this.#seed ^ length));
    const base = this.#fromEnd ? length : 0;
    let hash = mix(this.#seed ^ length, four(key, base + this.#first));
    if (this.#third !== NONE) hash = mix(hash, four(key, base + this.#third));
    return finish(mix(hash, four(key, base + this.#second)));
  }
}

function four(key: string, at: number): number {
  return (
    key.charCodeAt(at) ^
    (key.charCodeAt(at + 1) << 8) ^
    (key.charCodeAt(at + 2) << 16) ^
    (key.charCodeAt(at + 3) << 24)
  );
}

/** One step of MurmurHash3: weaker mixing makes keys of digits collide by the thousand. */
function mix(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** The end of MurmurHash3. */
function finish(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16) || 1;
}

function hashWhole(key: string, seed: number): number {
  let hash = seed;
  let at = 0;
  for (; at + 3 < key.length; at += GROUP) hash = mix(hash, four(key, at));
  for (; at < key.length; at++) hash = mix(hash, key.charCodeAt(at));
  return hash;
}

/** For each place, how likely two of these keys are to differ there: from 0 to 1. */
function variety(
  keys: readonly string[],
  depth: number,
  placeOf: (key: string, at: number) => number,
): number[] {
  return Array.from({ length: depth }, (_, at) => {
    const counts = new Uint32Array(256);
    let pairsAlike = 0;
    for (const key of keys) {
      // Taking some characters for the same makes the estimate a little worse, and no more.
      const unit = key.charCodeAt(placeOf(key, at)) & 255;
      pairsAlike += 2 * (counts[unit] as number) + 1;
      counts[unit] = (counts[unit] as number) + 1;
    }
    return 1 - pairsAlike / keys.length ** 2;
  });
}

/** The groups with the greatest variety, each place counted once, and how much that is in all. */
function choose(places: number[]): { groups: number[]; found: number } {
  const groups: number[] = [];
  let found = 0;
  while (groups.length < GROUPS) {
    // Where nothing is left to gain, what follows the last group is the best guess for keys to come.
    let best = Math.min((groups.at(-1) ?? 0) + GROUP, places.length - GROUP);
    let most = 1e-9;
    for (let at = 0; at + GROUP <= places.length; at++) {
      const sum = places.slice(at, at + GROUP).reduce((total, one) => total + one, 0);
      if (sum > most + 1e-9) {
        best = at;
        most = sum;
      }
    }
    if (groups.length === 2 && most < TELLS_NOTHING) best = NONE;
    groups.push(best);
    found += most;
    places.fill(0, best, best + GROUP);
  }
  return { groups, found };
}
