/**
 * Hashes strings by the few characters in which the keys at hand differ.
 *
 * Reading a string in JavaScript costs about as much per character as a memory access that hits the
 * cache, so hashing all of a 30-character key costs more than the rest of a lookup. But the keys of one
 * program look alike: `tenant:7:user:123456:profile` carries its information in six places. So the hasher
 * looks at some of the keys, finds the four or eight places in which they differ most, and from then on
 * reads only those and the length. (The idea is that of Hentschel, Sirin and Idreos, "Entropy-Learned Hashing",
 * SIGMOD 2022.) Short keys are read whole.
 *
 * If keys later agree in these places, they collide in the table. The table notices that, and the index then chooses
 * other places or, if that does not help, hashes whole keys. Somebody can still make keys that collide under
 * every seed; the table notices these, too.
 */
const PLACES = 8;
/** How many places are read if the keys do not differ in more. */
const FEW = 4;
const CLASSES = 1_024;
/** How many characters at each end of a key may be places. */
const DEPTH = 64;
/** Which share of the sampled keys may be too short for the places. Such keys are read whole. */
const SHORT_SHARE = 0.1;

/** A length that no string has. */
const LENGTH_MAX = 0x7fff_ffff;

/** The places to read: all counted from a key's start, or all from its end, the last being -1. */
type Places = readonly number[];

/** The shortest key that has a place. */
const lengthFor = (place: number): number => (place < 0 ? -place : place + 1);

/** Hashes strings. */
export interface KeyHasher {
  /** A hash of 32 bits. */
  hash(key: string): number;
}

export class StringHasher implements KeyHasher {
  readonly #seed: number;
  /** Shorter keys are read whole. Invariant: every key of at least this length has all places. */
  readonly #lengthMin: number;
  /** A mask of the key's length: -1 if places are counted from the key's end (and so are negative), otherwise 0. */
  readonly #fromEnd: number;
  /** Whether to read more than four places. */
  readonly #more: boolean;
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;
  readonly #e: number;
  readonly #f: number;
  readonly #g: number;
  readonly #h: number;

  /** Without `places`, the hasher reads every character of every key. */
  constructor(seed: number, places: Places = []) {
    this.#seed = seed;
    this.#lengthMin = places.length === 0 ? LENGTH_MAX : Math.max(...places.map(lengthFor));
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = places;
    this.#more = places.length > FEW;
    this.#fromEnd = a < 0 ? -1 : 0;
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    this.#e = e;
    this.#f = f;
    this.#g = g;
    this.#h = h;
  }

  /**
   * A hasher that reads the places in which `keys` differ, or whole keys if places would save nothing. With `thorough` it reads eight places,
   * even if these keys differ in fewer.
   */
  static learned(seed: number, keys: readonly string[], thorough: boolean): StringHasher {
    const lengths = keys.map((key) => key.length).toSorted((a, b) => a - b);
    const depth = Math.min(lengths[Math.floor(lengths.length * SHORT_SHARE)] ?? 0, DEPTH);
    if (depth <= PLACES) return new StringHasher(seed);
    // Shorter keys do not have these places, and are read whole.
    const sample = keys.filter((key) => key.length >= depth);
    const fromStart = mostVaried(sample, depth, 0, thorough);
    const fromEnd = mostVaried(sample, depth, -1, thorough);
    const { places } = fromStart.alike <= fromEnd.alike ? fromStart : fromEnd;
    return new StringHasher(seed, places);
  }

  /** A hash of 32 bits, never 0. */
  hash(key: string): number {
    const { length } = key;
    if (length < this.#lengthMin) return hashWhole(key, this.#seed);
    const base = length & this.#fromEnd;
    const first =
      key.charCodeAt(base + this.#a) ^
      (key.charCodeAt(base + this.#b) << 8) ^
      (key.charCodeAt(base + this.#c) << 16) ^
      (key.charCodeAt(base + this.#d) << 24);
    const mixed = this.#seed ^ length ^ Math.imul(first, 0x85ebca6b);
    if (!this.#more) return finish(mixed);
    const second =
      key.charCodeAt(base + this.#e) ^
      (key.charCodeAt(base + this.#f) << 8) ^
      (key.charCodeAt(base + this.#g) << 16) ^
      (key.charCodeAt(base + this.#h) << 24);
    return finish(mixed ^ Math.imul(second, 0x9e3779b1));
  }
}

/** Mixes a word into a hash. For a fixed `hash`, different words give different results, and vice versa. */
function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x85ebca6b);
  return product ^ (product >>> 15);
}

/** Finishes a hash: spreads its bits to the top bits, which choose the home of a key. Never returns 0; otherwise different inputs give different results. */
function finish(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) || 1;
}

function hashWhole(key: string, seed: number): number {
  let hash = seed ^ key.length;
  let word = 0;
  for (let at = 0; at < key.length; at++) {
    word = (word << 8) ^ key.charCodeAt(at);
    if ((at & 3) === 3) {
      hash = mix(hash, word);
      word = 0;
    }
  }
  return finish(mix(hash, word));
}

/** The places in which the keys differ most; and how many pairs of keys are alike, in each place and in all. */
function mostVaried(
  keys: readonly string[],
  depth: number,
  fromEnd: number,
  thorough: boolean,
): { places: Places; alike: number } {
  const alike = Array.from({ length: depth }, (_, at) =>
    pairsAlike(keys, (key) => key.charCodeAt(((key.length - depth) & fromEnd) + at)),
  );
  const inNoPlace = pairsAlike(keys, () => 0);
  const varied = alike.filter((pairs) => pairs < inNoPlace).length;
  const best = alike.indexOf(Math.min(...alike));
  const pairsAt = (at: number): number => alike[at] as number;
  // If no further place separates these keys, places near the best one are most likely to separate later keys.
  const chosen = [...alike.keys()]
    .toSorted((a, b) => pairsAt(a) - pairsAt(b) || Math.abs(a - best) - Math.abs(b - best))
    .slice(0, thorough || varied > FEW ? PLACES : FEW);
  return {
    places: chosen.map((at) => at - (depth & fromEnd)),
    alike: chosen.reduce((sum, at) => sum + pairsAt(at), 0),
  };
}

/**
 * How many pairs of keys have the same length and the same character, according to `unitOf`. The length is hashed, too, so keys of different lengths
 * differ anyway. Pairs are counted in `CLASSES` classes, so a few different ones count as alike, which only makes the estimate a little worse.
 */
function pairsAlike(keys: readonly string[], unitOf: (key: string) => number): number {
  const counts = new Uint32Array(CLASSES);
  let pairs = 0;
  for (const key of keys) {
    const one = (unitOf(key) + key.length * 131) % CLASSES;
    pairs += counts[one] as number;
    counts[one] = (counts[one] as number) + 1;
  }
  return pairs;
}
