/** What is watched: one key, or all keys that begin with a prefix. */
export type Watched = { readonly key: string } | { readonly prefix: string };

/** Finds those who watch a key, in a time that does not grow with how many watch others. */
export class WatchIndex<Watcher> {
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #byPrefix = new Map<string, Set<Watcher>>();
  /** How many prefixes are watched of each length. */
  readonly #lengths = new Map<number, number>();

  add(watched: Watched, watcher: Watcher): void {
    if ("key" in watched) return void put(this.#byKey, watched.key, watcher);
    const { prefix } = watched;
    if (!put(this.#byPrefix, prefix, watcher)) return;
    this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
  }

  delete(watched: Watched, watcher: Watcher): void {
    if ("key" in watched) return void take(this.#byKey, watched.key, watcher);
    const { prefix } = watched;
    if (!take(this.#byPrefix, prefix, watcher)) return;
    const left = (this.#lengths.get(prefix.length) ?? 0) - 1;
    if (left === 0) this.#lengths.delete(prefix.length);
    else this.#lengths.set(prefix.length, left);
  }

  /** Whether anybody watches a key. */
  has(key: string): boolean {
    if (this.#byKey.has(key)) return true;
    for (const length of this.#lengths.keys()) {
      if (length <= key.length && this.#byPrefix.has(key.slice(0, length))) return true;
    }
    return false;
  }

  /** Those who watch a key. */
  *of(key: string): Generator<Watcher> {
    yield* this.#byKey.get(key) ?? [];
    for (const length of this.#lengths.keys()) {
      if (length <= key.length) yield* this.#byPrefix.get(key.slice(0, length)) ?? [];
    }
  }
}

/** Whether what is watched includes a key. */
export function watches(watched: Watched, key: string): boolean {
  return "key" in watched ? watched.key === key : key.startsWith(watched.prefix);
}

/** Returns whether it is the first. */
function put<Watcher>(table: Map<string, Set<Watcher>>, name: string, watcher: Watcher): boolean {
  const known = table.get(name);
  if (known === undefined) table.set(name, new Set([watcher]));
  else known.add(watcher);
  return known === undefined;
}

/** Returns whether it was the last. */
function take<Watcher>(table: Map<string, Set<Watcher>>, name: string, watcher: Watcher): boolean {
  const known = table.get(name);
  if (known?.delete(watcher) !== true || known.size > 0) return false;
  return table.delete(name);
}
