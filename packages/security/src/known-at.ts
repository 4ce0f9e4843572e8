/**
 * When a program last knew of all revocations. That is kept in a file of its data, so that one that starts again while it is cut off
 * does not take itself for one that has never known any.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Clock, Logger } from "@meridian/runtime";
import type { Revocations } from "@meridian/tokens";

const FILE = "revocations-known-at";
const WATCH_MS = 1_000;
/** How much older than the truth the file may be. */
const SAVE_MS = 60_000;

/** Keeps the time. */
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
    // A clock that was ahead must not make the list younger than it is.
    return Math.min(saved, this.#clock.nowMs());
  }

  /** Begins to tell `revocations` when they were whole, and to save that. */
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
      this.#logger.warn("when revocations were last known could not be saved", { why });
    });
  }
}
