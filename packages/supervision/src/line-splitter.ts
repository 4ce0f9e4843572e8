/** Longer lines than this are cut in pieces, so that a program's output without line breaks takes no memory. */
const LINE_LENGTH_MAX = 64 * 1024;

/** Splits a stream of text, which comes in pieces, into lines. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line.replace(/\r$/, ""));
    if (this.#rest.length > LINE_LENGTH_MAX) this.end();
  }

  /** Passes on the text after the last line break. */
  end(): void {
    if (this.#rest !== "") this.#onLine(this.#rest);
    this.#rest = "";
  }
}
