import { setTimeout as sleep } from "node:timers/promises";

import { MeridianError } from "@meridian/protocol";

/** A program drops a backup that nobody asks for within ten minutes, and bytes are asked for by the mebibyte. */
const LEAST = 10_000;

/** Limits a transfer to so many bytes a second. */
export class ByteRate {
  readonly #perSecond: number;
  readonly #startedAtMs = performance.now();
  #bytes = 0;

  /** `rate` is the `--rate` of the command line; undefined for none. Throws `INVALID_ARGUMENT` if it is no rate. */
  constructor(rate: string | undefined) {
    this.#perSecond = rate === undefined ? Infinity : Number(rate);
    if (this.#perSecond >= LEAST) return;
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`--rate\` as bytes per second, at least ${LEAST}, got \`${rate ?? ""}\``,
    );
  }

  /** So many bytes more have been moved. Resolves when the next may follow. */
  async add(bytes: number): Promise<void> {
    this.#bytes += bytes;
    const dueMs = (this.#bytes / this.#perSecond) * 1_000;
    const waitMs = dueMs - (performance.now() - this.#startedAtMs);
    if (waitMs > 0) await sleep(waitMs);
  }
}
