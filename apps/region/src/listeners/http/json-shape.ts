/**
 * What a JSON text is made of, looked at before it is parsed. A parser takes a hundred times longer for a mebibyte of `[`
 * than for one of text, and fifty times the memory for one of `{}`; of a batch it is known how much of that there can be.
 */
import { MeridianError } from "@meridian/protocol";

/** What a JSON text may have. */
export interface JsonBounds {
  /** Lists and objects inside each other. */
  readonly depthMax: number;
  /** Lists, objects and commas. */
  readonly partsMax: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Throws `INVALID_BODY` for a text with more than that. Says nothing of whether it is JSON. */
export function checkShape(json: Buffer, { depthMax, partsMax }: JsonBounds): void {
  let depth = 0;
  let parts = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) {
      at = endOfText(json, at);
    } else if (byte === COMMA) {
      parts += 1;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      parts += 1;
      depth += 1;
      if (depth > depthMax) throw tooMuch(`at most ${depthMax} lists and objects in each other`);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth -= 1;
    }
    if (parts > partsMax) throw tooMuch(`at most ${partsMax} lists, objects and commas`);
  }
}

/** Where the text ends whose opening quote is at `start`; the end of everything if it does not. */
function endOfText(json: Buffer, start: number): number {
  for (let at = json.indexOf(QUOTE, start + 1); at !== -1; at = json.indexOf(QUOTE, at + 1)) {
    let first = at;
    while (json[first - 1] === BACKSLASH) first -= 1;
    if ((at - first) % 2 === 0) return at;
  }
  return json.length;
}

function tooMuch(expected: string): MeridianError {
  return new MeridianError("INVALID_BODY", `Expected JSON with ${expected}, got more`);
}
