/**
 * A long JSON text cut into pieces before it is parsed, so that no turn of the event loop parses all of it. The elements of the lists that its
 * root names become pieces of their own. What is left is the outline: the same text with the number of a piece in the place of each.
 *
 *     {"entries":[{"key":"a"},{"key":"b"}],"ack":"all"}   →   {"entries":[0,1],"ack":"all"}, and {"key":"a"}, {"key":"b"}
 *
 * The text is JSON exactly if the outline and all pieces are: a JSON value takes the place of a JSON value. Parts are counted as they are
 * walked over: a parser takes a hundred times longer for a mebibyte of `[` than for one of text, and fifty times the memory for one of `{}`.
 */
import { MeridianError } from "@meridian/protocol";

/** What a JSON text may have. */
export interface JsonBounds {
  /** Lists and objects inside each other. */
  readonly depthMax: number;
  /** Lists, objects and commas. */
  readonly partsMax: number;
}

/** A text in pieces. */
export interface JsonPieces {
  readonly outline: Uint8Array;
  /** The elements of lists, by their numbers in the outline. */
  readonly elements: readonly Uint8Array[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const SPACE = 0x20;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** The longest outline, in bytes: numbers, and the few other members that a body has. */
const OUTLINE_BYTES_MAX = 64 * 1024;

/** So many bytes are walked over between two yields. */
const WALKED_BYTES = 256 * 1024;

/** A text's end is first looked for byte by byte: a search costs as much as so many bytes. */
const NEAR_BYTES = 64;

/**
 * Cuts a text. Yields now and then how many bytes have been walked over since it last did: after 256 KiB, or a longer text. Throws `INVALID_BODY` for JSON with more than `bounds` allow, and
 * says nothing of whether it is JSON.
 */
export function* piecesOf(json: Buffer, bounds: JsonBounds): Generator<number, JsonPieces> {
  const cutter = new Cutter(json, bounds);
  let walked = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfText(json, at);
    else if (byte === COMMA) cutter.comma(at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) cutter.open(at, byte === OPEN_LIST);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) cutter.close(at);
    if (at - walked < WALKED_BYTES) continue;
    yield at - walked;
    walked = at;
  }
  return cutter.end();
}

/** Where a walk over a text stands. */
class Cutter {
  readonly #json: Buffer;
  readonly #bounds: JsonBounds;
  readonly #outline: Uint8Array[] = [];
  readonly #elements: Uint8Array[] = [];
  #outlineBytes = 0;
  #depth = 0;
  #parts = 0;
  /** Whether the walk is in a list that the root names, and whether the list has an element before this one. */
  #isInList = false;
  #isFirst = true;
  /** Where what is walked over now begins: an element, or a part of the outline. */
  #startsAt = 0;

  constructor(json: Buffer, bounds: JsonBounds) {
    this.#json = json;
    this.#bounds = bounds;
  }

  comma(at: number): void {
    this.#count();
    if (!this.#isInList || this.#depth !== 2) return;
    this.#cut(at);
    this.#keep(Buffer.from(","));
    this.#startsAt = at + 1;
  }

  open(at: number, isList: boolean): void {
    const { depthMax } = this.#bounds;
    this.#count();
    this.#depth += 1;
    if (this.#depth > depthMax)
      throw tooMuch(`at most ${depthMax} lists and objects in each other`);
    if (this.#depth !== 2 || !isList) return;
    this.#keep(this.#json.subarray(this.#startsAt, at + 1));
    this.#isInList = true;
    this.#isFirst = true;
    this.#startsAt = at + 1;
  }

  close(at: number): void {
    this.#depth -= 1;
    if (!this.#isInList || this.#depth !== 1) return;
    if (!this.#isFirst || !isBlank(this.#json.subarray(this.#startsAt, at))) this.#cut(at);
    this.#isInList = false;
    this.#startsAt = at;
  }

  end(): JsonPieces {
    this.#keep(this.#json.subarray(this.#startsAt));
    return { outline: Buffer.concat(this.#outline), elements: this.#elements };
  }

  #cut(at: number): void {
    this.#isFirst = false;
    this.#keep(Buffer.from(String(this.#elements.length)));
    this.#elements.push(this.#json.subarray(this.#startsAt, at));
  }

  #keep(piece: Uint8Array): void {
    this.#outlineBytes += piece.byteLength;
    if (this.#outlineBytes > OUTLINE_BYTES_MAX) {
      throw tooMuch(`at most ${OUTLINE_BYTES_MAX} bytes outside of the lists that it names`);
    }
    this.#outline.push(piece);
  }

  #count(): void {
    this.#parts += 1;
    const { partsMax } = this.#bounds;
    if (this.#parts > partsMax) throw tooMuch(`at most ${partsMax} lists, objects and commas`);
  }
}

/** Where the text ends whose opening quote is at `start`; the end of everything if it does not. */
function endOfText(json: Buffer, start: number): number {
  let at = start + 1;
  while (at < json.length) {
    const near = Math.min(json.length, at + NEAR_BYTES);
    while (at < near) {
      const byte = json[at];
      if (byte === QUOTE) return at;
      at += byte === BACKSLASH ? 2 : 1;
    }
    const quote = json.indexOf(QUOTE, at);
    if (quote === -1) break;
    let first = quote;
    while (first > at && json[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote;
    at = quote + 1;
  }
  return json.length;
}

function isBlank(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte > SPACE) return false;
  return true;
}

function tooMuch(expected: string): MeridianError {
  return new MeridianError("INVALID_BODY", `Expected JSON with ${expected}, got more`);
}
