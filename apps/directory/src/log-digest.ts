import type { DirectoryLog } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import { digestAll, type Digest } from "@meridian/replication";
import type { Clock } from "@meridian/runtime";

/** The digest of the directory's data, and the sequence through which it covers the log. */
export interface LogDigest extends Digest {
  readonly sequence: number;
}

/** How many times a log that has grown meanwhile is read again. */
const ATTEMPTS = 5;

/** Computes the digest of a log. Requests that come while it is computed share the result. */
export class LogDigester {
  readonly #log: Pick<DirectoryLog, "committedThrough" | "settle" | "summaryPage">;
  readonly #clock: Pick<Clock, "nowMs">;
  #taking: Promise<LogDigest> | undefined;

  /**
   * By `clock`, the digest finds values that were emptied before they expired, because a clock was wrong. They count as other values, as in the
   * digests of regions.
   */
  constructor(
    log: Pick<DirectoryLog, "committedThrough" | "settle" | "summaryPage">,
    clock: Pick<Clock, "nowMs">,
  ) {
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * The digest of everything that is committed. Throws `OVERLOADED` if the log grew during every reading: a digest of no single moment
   * would report a difference where there is none.
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
      const digest = await digestAll(this.#log, setImmediate, this.#clock.nowMs());
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
