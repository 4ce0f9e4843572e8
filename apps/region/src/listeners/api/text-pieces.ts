/** Encodes a long text while it is made, so that memory never holds the whole text besides its bytes. */

/** How much text waits before it becomes a piece, in characters. */
const PIECE_LENGTH = 64 * 1024;

/** A long text that is made in parts. */
export class TextPieces {
  readonly #pieces: Uint8Array[] = [];
  #waiting: string;

  constructor(start: string) {
    this.#waiting = start;
  }

  add(text: string): void {
    this.#waiting += text;
    if (this.#waiting.length >= PIECE_LENGTH) this.#flush();
  }

  /** All of it, in UTF-8. */
  end(): readonly Uint8Array[] {
    this.#flush();
    return this.#pieces;
  }

  #flush(): void {
    this.#pieces.push(Buffer.from(this.#waiting));
    this.#waiting = "";
  }
}
