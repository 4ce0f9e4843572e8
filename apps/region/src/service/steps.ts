/** A turn ends after this much work, in bytes, which takes a few milliseconds. */
const BYTES_PER_TURN = 512 * 1024;

/** What a piece of work costs on top of its bytes, in bytes. */
const PIECE_COST = 4 * 1024;

/** A turn ends after so many milliseconds, too: code that is new, or on a slow machine, takes many times what it takes otherwise. */
const MS_PER_TURN = 4;

/** Spreads work in short pieces over turns of the event loop. */
export class Steps {
  #bytes = 0;
  #beganAtMs = performance.now();

  /** To be called where work goes on after a pause, which does not count as time of this turn. */
  begin(): void {
    this.#beganAtMs = performance.now();
  }

  /** Counts a piece of `bytes` bytes. Resolves at once, or in a later turn if this turn has done enough. */
  async spend(bytes: number): Promise<void> {
    this.#bytes += PIECE_COST + bytes;
    const isOver = this.#bytes >= BYTES_PER_TURN;
    if (!isOver && performance.now() - this.#beganAtMs < MS_PER_TURN) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#bytes = 0;
    this.begin();
  }
}
