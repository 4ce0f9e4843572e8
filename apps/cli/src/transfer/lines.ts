import { decodeUtf8, MeridianError } from "@meridian/protocol";

/** A line of text, and its number from 1. */
export interface NumberedLine {
  readonly text: string;
  readonly line: number;
}

const LINE_BREAK = 10;

/**
 * Splits UTF-8 text that comes in pieces into lines, and skips empty lines. Throws `INVALID_ARGUMENT` for a line that is not UTF-8 or has more than
 * `bytesMax` bytes. Keeps at most `bytesMax` bytes in memory besides the present piece.
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<NumberedLine, void, undefined> {
  let [line, pieces, bytes]: [number, Uint8Array[], number] = [1, [], 0];
  const keep = (piece: Uint8Array): void => {
    bytes += piece.length;
    if (bytes > bytesMax) {
      const said = `line ${line}: Expected at most ${bytesMax} bytes, got more`;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    pieces.push(piece);
  };
  const take = (): string => {
    try {
      return decodeUtf8(Buffer.concat(pieces)).trim();
    } catch (cause) {
      const said = `line ${line}: Expected UTF-8, got other bytes`;
      throw new MeridianError("INVALID_ARGUMENT", said, { cause });
    } finally {
      [pieces, bytes] = [[], 0];
    }
  };
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_BREAK); end !== -1; end = chunk.indexOf(LINE_BREAK, from)) {
      keep(chunk.subarray(from, end));
      const text = take();
      if (text !== "") yield { text, line };
      [from, line] = [end + 1, line + 1];
    }
    keep(chunk.subarray(from));
  }
  const text = take();
  if (text !== "") yield { text, line };
}
