import { setTimeout as sleep } from "node:timers/promises";

import { MeridianError } from "@meridian/protocol";

import type { CliIo } from "../io.ts";

const SHOW_EVERY_MS = 1_000;
/** The longest delay of a timer of Node.js. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Counts the moved entries and bytes, limits their rate, and shows both once a second on a terminal. */
export class Progress {
  readonly #io: CliIo;
  readonly #verb: string;
  readonly #perSecond: number;
  readonly #startedAtMs = performance.now();
  #shownAtMs = -Infinity;
  #entries = 0;
  #bytes = 0;

  /** `rate` is the value of `--rate`, in entries per second; undefined for no limit. Throws `INVALID_ARGUMENT` if it is no number above 0. */
  constructor(io: CliIo, verb: string, rate: string | undefined) {
    this.#io = io;
    this.#verb = verb;
    this.#perSecond = rate === undefined ? Infinity : Number(rate);
    if (!(this.#perSecond > 0)) {
      const said = `Expected \`--rate\` as entries per second, more than 0, got \`${rate ?? ""}\``;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
  }

  /** Counts moved entries. Resolves when the rate allows the next ones. */
  async add(entries: number, bytes: number): Promise<void> {
    this.#entries += entries;
    this.#bytes += bytes;
    const elapsedMs = performance.now() - this.#startedAtMs;
    if (elapsedMs - this.#shownAtMs >= SHOW_EVERY_MS && this.#io.showsProgress === true) {
      this.#shownAtMs = elapsedMs;
      this.#io.stderr.write(`\r${this.#line(elapsedMs)}`);
    }
    const dueMs = (this.#entries / this.#perSecond) * 1_000;
    if (dueMs > elapsedMs) await sleep(Math.min(dueMs - elapsedMs, TIMER_MAX_MS));
  }

  /** Prints the totals. */
  end(more = ""): void {
    const start = this.#shownAtMs === -Infinity ? "" : "\r";
    const line = this.#line(performance.now() - this.#startedAtMs);
    this.#io.stderr.write(`${start}${line}${more}\n`);
  }

  #line(elapsedMs: number): string {
    const perSecond = Math.round(this.#entries / (Math.max(1, elapsedMs) / 1_000));
    const mebibytes = (this.#bytes / 2 ** 20).toFixed(1);
    return `${this.#verb} ${this.#entries} entries, ${mebibytes} MiB, ${perSecond} a second`;
  }
}
