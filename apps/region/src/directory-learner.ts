/**
 * Learns of directories that come to a cluster while a region runs. Every half a minute it asks the directories that it knows which others there are,
 * as at the start, and adds the new ones. One that has gone stays known until the region starts again, and is dialled last.
 */
import type { Clock, Logger, Random } from "@meridian/runtime";

import type { Credentials } from "./ask-status.ts";
import { allOf, directoriesAt, NAMED_MAX } from "./join.ts";

/** How a `DirectoryLearner` asks, and whom it tells. */
export interface DirectoryLearnerOptions {
  /** The URLs of the directories that are known, without a last slash. New ones are added. */
  readonly directories: string[];
  readonly cluster: string;
  /** The credentials for asking over TLS, read anew each time. */
  credentials(): Credentials;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A directory was added to the list. */
  onNew(): void;
  /** The directories that are there are others than before. */
  keep(directories: readonly string[]): void;
}

/** The delay before the first question, in milliseconds. */
const FIRST_MS = 5_000;
/** That between later ones, on average: the regions of a directory do not all ask at once. */
const AGAIN_MS = 30_000;

/** Asks which directories there are, for as long as the region runs. */
export class DirectoryLearner {
  readonly #options: DirectoryLearnerOptions;
  #present: readonly string[];
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(options: DirectoryLearnerOptions) {
    this.#options = options;
    this.#present = [...options.directories];
  }

  /** The directories that were there when one last answered: what to tell others that join. */
  get present(): readonly string[] {
    return this.#present;
  }

  start(): void {
    this.#learnAfter(FIRST_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #learnAfter(delayMs: number): void {
    const { clock, random } = this.#options;
    if (this.#isStopped) return;
    this.#cancel = clock.after(delayMs * (0.5 + random.next()), () => void this.#learn());
  }

  async #learn(): Promise<void> {
    const { directories, cluster, logger } = this.#options;
    const asking = { cluster, credentials: this.#options.credentials() };
    const answers = await Promise.all(directories.map((url) => directoriesAt(url, asking)));
    if (this.#isStopped) return;
    const named = answers.flatMap((answer) => (typeof answer === "string" ? [] : [answer]));
    const present = allOf(named).slice(0, NAMED_MAX);
    for (const url of present) {
      if (directories.includes(url) || directories.length >= NAMED_MAX) continue;
      directories.push(url);
      logger.info("there is another directory", { directory: url });
      this.#options.onNew();
    }
    if (present.length > 0 && present.join() !== this.#present.join()) {
      this.#present = present;
      this.#options.keep(present);
    }
    this.#learnAfter(AGAIN_MS);
  }
}
