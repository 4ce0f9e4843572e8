import { MeridianError } from "@meridian/protocol";

import type { CliIo } from "../io.ts";
import { MovedRate } from "../moved-rate.ts";

const SHOW_EVERY_MS = 1_000;
/** Goes to the beginning of the line, and empties it. */
const OVER = "\r\u001B[K";

/** Counts the moved entries and bytes, limits their rate, and shows both once a second on a terminal. */
export class Progress {
  readonly #io: CliIo;
  readonly #verb: string;
  readonly #rate: MovedRate;
  #shownAtMs = -Infinity;
  readonly #share: () => number | undefined;
  #entries = 0;
  #bytes = 0;

  /**
   * `share` says which part of the work is done, from 0 to 1, where that is known. `rate` is the value of `--rate`, in entries per second; undefined for no limit. Throws
   * `INVALID_ARGUMENT` if it is no number above 0.
   */
  constructor(
    io: CliIo,
    verb: string,
    rate: string | undefined,
    share: () => number | undefined = () => undefined,
  ) {
    this.#io = io;
    this.#share = share;
    this.#verb = verb;
    const perSecond = rate === undefined ? Infinity : Number(rate);
    if (!(perSecond > 0)) {
      const said = `Expected \`--rate\` as entries per second, more than 0, got \`${rate ?? ""}\``;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    this.#rate = new MovedRate(perSecond);
  }

  /** Counts moved entries. Resolves when the rate allows the next ones. */
  async add(entries: number, bytes: number): Promise<void> {
    this.#entries += entries;
    this.#bytes += bytes;
    const { elapsedMs } = this.#rate;
    if (elapsedMs - this.#shownAtMs >= SHOW_EVERY_MS && this.#io.showsProgress === true) {
      this.#shownAtMs = elapsedMs;
      this.#io.stderr.write(`${OVER}${this.#line(elapsedMs)}${percent(this.#share())}`);
    }
    await this.#rate.add(entries);
  }

  /** Prints the totals. */
  end(more = ""): void {
    const start = this.#shownAtMs === -Infinity ? "" : OVER;
    const line = this.#line(this.#rate.elapsedMs);
    this.#io.stderr.write(`${start}${line}${more}\n`);
  }

  #line(elapsedMs: number): string {
    const perSecond = Math.round(this.#entries / (Math.max(1, elapsedMs) / 1_000));
    const mebibytes = (this.#bytes / 2 ** 20).toFixed(1);
    const entries = this.#entries === 1 ? "entry" : "entries";
    return `${this.#verb} ${this.#entries} ${entries}, ${mebibytes} MiB, ${perSecond} a second`;
  }
}

/** At most 100: a file may grow while it is read. */
function percent(share: number | undefined): string {
  return share === undefined ? "" : `, ${Math.min(100, Math.floor(share * 100))} %`;
}
