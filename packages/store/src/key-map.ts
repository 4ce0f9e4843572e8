/**
 * A map by key that grows in small steps. A `Map` that outgrows its table copies all of it at once, which takes tens of milliseconds of a turn
 * where it has a hundred thousand keys. Here the keys are spread over many maps, each of which copies its part at another time.
 */

const PARTS = 64;

/** A map by key. Its order is none. */
export class KeyMap<Value> {
  readonly #parts: readonly Map<string, Value>[] = Array.from({ length: PARTS }, () => new Map());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return this.#partOf(key).get(key);
  }

  has(key: string): boolean {
    return this.#partOf(key).has(key);
  }

  set(key: string, value: Value): void {
    const part = this.#partOf(key);
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
  }

  delete(key: string): void {
    if (this.#partOf(key).delete(key)) this.#size -= 1;
  }

  clear(): void {
    if (this.#size === 0) return;
    for (const part of this.#parts) part.clear();
    this.#size = 0;
  }

  *keys(): Generator<string, void, undefined> {
    for (const part of this.#parts) yield* part.keys();
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
