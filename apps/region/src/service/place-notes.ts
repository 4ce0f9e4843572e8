/**
 * Tells watchers through which position they have been told everything.
 *
 * A client that keeps values, and is told of changes, needs this to know that nothing has changed meanwhile. A note is sent after changes, and when
 * the node's position has moved on, at most a bounded number a second for all watchers together. Each watcher also gets one a second in any case,
 * which shows it that the node is alive.
 */
import type { Clock } from "@meridian/runtime";

/** A watcher that gets notes. */
export interface Noted {
  /** Whether the watcher has been told everything, and accepts a note now. */
  isLevel(): boolean;
  /** Sends the note. Must not throw. */
  note(position: string): void;
}

/** How notes are made. */
export interface PlaceNotesOptions {
  readonly clock: Pick<Clock, "elapsedMs" | "after">;
  /** The node's position, as text. */
  readonly position: () => string;
}

/** How often a watcher is sent a note although the position is the same, in milliseconds. */
const BEAT_MS = 1_000;

/** Between two rounds lies so much time, and more of it where there are many watchers, in milliseconds. */
const ROUND_MS_MIN = 25;
const NOTES_PER_MS = 4;

/** How many notes are sent in one turn. */
const NOTES_PER_TURN = 64;

interface Last {
  position: string;
  atMs: number;
}

/** Sends notes to watchers. */
export class PlaceNotes {
  readonly #options: PlaceNotesOptions;
  readonly #watchers = new Map<Noted, Last>();
  #cancel: (() => void) | undefined;
  /** The watchers that this round has not visited yet. */
  #left: Iterator<Noted> | undefined;

  constructor(options: PlaceNotesOptions) {
    this.#options = options;
  }

  add(watcher: Noted): void {
    this.#watchers.set(watcher, { position: "", atMs: -Infinity });
    if (this.#watchers.size === 1) this.#begin();
  }

  delete(watcher: Noted): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size === 0) this.#end();
  }

  /** Sends a watcher a note now, if it wants notes and has been told everything. */
  tell(watcher: Noted): void {
    const last = this.#watchers.get(watcher);
    if (last === undefined || !watcher.isLevel()) return;
    last.position = this.#options.position();
    last.atMs = this.#options.clock.elapsedMs();
    watcher.note(last.position);
  }

  #begin(): void {
    const roundMs = Math.max(ROUND_MS_MIN, Math.ceil(this.#watchers.size / NOTES_PER_MS));
    this.#cancel = this.#options.clock.after(roundMs, () => {
      this.#left = this.#watchers.keys();
      this.#go(this.#left);
    });
  }

  #end(): void {
    this.#cancel?.();
    this.#left = undefined;
  }

  #go(left: Iterator<Noted>): void {
    if (this.#left !== left) return;
    const nowMs = this.#options.clock.elapsedMs();
    const position = this.#options.position();
    for (let seen = 0; seen < NOTES_PER_TURN; seen += 1) {
      const { done, value: watcher } = left.next();
      if (done === true) return this.#begin();
      const last = this.#watchers.get(watcher);
      if (last?.position !== position || nowMs - last.atMs >= BEAT_MS) this.tell(watcher);
    }
    setImmediate(() => this.#go(left));
  }
}
