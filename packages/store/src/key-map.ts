/**
 * A map by key that grows in small steps. A `Map` that outgrows its table copies all of it at once, which takes tens of milliseconds of a turn
 * where it has a hundred thousand keys. Here the keys are spread over many maps, each of which copies its part at another time.
 */

const PARTS = 64;

/** A map by key. Its order is none. */
export class KeyMap<Value extends object> {
  readonly #parts: readonly Map<string, Value>[] = Array.from({ length: PARTS }, () => new Map());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#partOf(key).get(key);
  }

  /** The value of a key; if it has none, that of `make`, which it has from then on. */
  obtain(key: string, make: (key: string) => Value): Value {
    const part = this.#partOf(key);
    const known = part.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    part.set(key, value);
    this.#size += 1;
    return value;
  }

  delete(key: string): void {
    if (this.#partOf(key).delete(key)) this.#size -= 1;
  }

  *values(): Generator<Value, void, undefined> {
    for (const part of this.#parts) yield* part.values();
  }

  #partOf(key: string): Map<string, Value> {
    return this.#parts[partOf(key)] as Map<string, Value>;
  }
}

/** The part that a key belongs to. Of a long key, every so many characters are looked at. */
export function partOf(key: string): number {
  const step = 1 + (key.length >>> 5);
  let hash = key.length;
  for (let at = key.length - 1; at >= 0; at -= step) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) & (PARTS - 1);
}
