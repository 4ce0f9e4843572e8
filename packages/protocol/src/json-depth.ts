const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether JSON text nests arrays and objects deeper than `depthMax`. `JSON.parse` takes microseconds for each level, and so seconds for a few
 * MiB of brackets; this function takes as long as reading the text. For text that is not JSON the result has no meaning.
 */
export function isDeeperThan(json: string, depthMax: number): boolean {
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    const unit = json.charCodeAt(index);
    if (unit === QUOTE) index = endOfString(json, index);
    // `[` and `{`, and `]` and `}`, differ in this bit only.
    else if ((unit | 0x20) === 0x7b) depth += 1;
    else if ((unit | 0x20) === 0x7d) depth -= 1;
    if (depth > depthMax) return true;
  }
  return false;
}

/** The index of the quote that ends the string which starts at `start`; the end of the text if none does. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end !== -1; end = json.indexOf('"', end + 1)) {
    let escapes = 0;
    while (json.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
  return json.length;
}
