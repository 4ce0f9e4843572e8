/** After so much work, in bytes, other work has its turn: a few milliseconds. */
const BYTES_PER_TURN = 512 * 1024;

/** What a piece of work costs beside its bytes, in bytes. */
const PIECE_COST = 4 * 1024;

/** Work that is done in turns of the event loop, in pieces that are short. */
export class Steps {
  #bytes = 0;

  /** A piece has been done, of so many bytes. Resolves in a later turn where this one has done enough. */
  async spend(bytes: number): Promise<void> {
    this.#bytes += PIECE_COST + bytes;
    if (this.#bytes < BYTES_PER_TURN) return;
    this.#bytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
