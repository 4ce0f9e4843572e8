import type { CliIo } from "../io.ts";

const SHOW_EVERY_MS = 500;

/** Shows the progress of a transfer in bytes. */
export class ByteProgress {
  readonly #io: CliIo;
  readonly #verb: string;
  readonly #of: number | undefined;
  #bytes: number;
  #shownAtMs = -Infinity;

  /** `of` is the total, if it is known; `bytes` were transferred before. */
  constructor(io: CliIo, verb: string, of?: number, bytes: number = 0) {
    this.#io = io;
    this.#verb = verb;
    this.#of = of;
    this.#bytes = bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (this.#io.showsProgress !== true || nowMs - this.#shownAtMs < SHOW_EVERY_MS) return;
    this.#shownAtMs = nowMs;
    const share = this.#of === undefined ? "" : ` of ${mebibytes(this.#of)}`;
    this.#io.stderr.write(`\r${this.#verb} ${mebibytes(this.#bytes)}${share} MiB`);
  }

  /** Ends the line. */
  end(): void {
    if (this.#shownAtMs > -Infinity) this.#io.stderr.write("\n");
  }
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
