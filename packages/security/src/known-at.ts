/**
 * Saves when a program last knew all revocations, in a file in its data folder. Without the file, a program that restarts while it is cut
 * off would not know the time, and would have to refuse all but new tokens.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Clock, Logger } from "@meridian/runtime";
import type { Revocations } from "@meridian/tokens";

const FILE = "revocations-known-at";
const WATCH_MS = 1_000;
/** How far the saved time may lie behind the real one, in milliseconds. */
const SAVE_MS = 60_000;

/** Saves the time and reads it again. */
export class KnownAt {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #savedMs = 0;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(
    folder: string,
    { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#path = join(folder, FILE);
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The time that was saved, in milliseconds since the Unix epoch; 0 for none. Never rejects. */
  async read(): Promise<number> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const saved = /^\d{1,15}$/.test(text.trim()) ? Number(text) : 0;
    // If the clock was ahead when the time was saved, the list must not count as newer than it is.
    return Math.min(saved, this.#clock.nowMs());
  }

  /** Starts to tell `revocations` when they were complete, as `wholeAtMs` says, and to save that time. */
  watch(wholeAtMs: () => number | undefined, revocations: Revocations): void {
    if (this.#isStopped) return;
    const atMs = wholeAtMs();
    if (atMs !== undefined) {
      revocations.confirm(atMs);
      if (revocations.knownAtMs >= this.#savedMs + SAVE_MS) this.#save(revocations.knownAtMs);
    }
    this.#cancel = this.#clock.after(WATCH_MS, () => this.watch(wholeAtMs, revocations));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #save(atMs: number): void {
    this.#savedMs = atMs;
    writeFile(this.#path, `${Math.floor(atMs)}\n`).catch((cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.#logger.warn("could not save when all revocations were last known", { why });
    });
  }
}
