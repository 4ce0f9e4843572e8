import type { DirectoryLog } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import { digestAll, type Digest } from "@meridian/replication";

/** The digest of the directory's data, and the sequence through which it covers the log. */
export interface LogDigest extends Digest {
  readonly sequence: number;
}

/** How often a log that grows meanwhile is read anew. */
const ATTEMPTS = 5;

/** Takes digests of a log, one at a time: who asks while one is taken gets that one. */
export class LogDigester {
  readonly #log: Pick<DirectoryLog, "committedThrough" | "settle" | "summaryPage">;
  #taking: Promise<LogDigest> | undefined;

  constructor(log: Pick<DirectoryLog, "committedThrough" | "settle" | "summaryPage">) {
    this.#log = log;
  }

  /**
   * The digest of everything that is committed. Throws `OVERLOADED` if the log never rested long enough to
   * be read: a digest of no one moment would tell the parties that they differ where they do not.
   */
  take(): Promise<LogDigest> {
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  async #take(): Promise<LogDigest> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const sequence = this.#log.committedThrough;
      await this.#settled();
      const digest = await digestAll(this.#log, setImmediate);
      if (this.#log.committedThrough === sequence) return { ...digest, sequence };
    }
    throw new MeridianError(
      "OVERLOADED",
      `Expected the log to rest while its digest is taken, but it grew each of ${ATTEMPTS} times`,
    );
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#log.settle((failure) => {
        if (failure === undefined) resolve();
        else reject(failure);
      });
    });
  }
}
