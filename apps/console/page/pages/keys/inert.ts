/**
 * Text that anybody may have written, as parts that can be shown. A character that changes how others are shown, or is not seen, stands as its
 * name: so nothing looks like what it is not.
 */

/** A part of a text; `isName` for the name of a character. */
interface ShownPart {
  readonly text: string;
  readonly isName: boolean;
}

/** Controls, marks of direction, what joins or has no width, separators that break lines, and halves of characters. */
const UNSEEN =
  /[\p{Cc}\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/u;

const NAMES: Readonly<Record<string, string>> = {
  "\t": "TAB",
  "\n": "LF",
  "\r": "CR",
  "\u200e": "LRM",
  "\u200f": "RLM",
  "\u202a": "LRE",
  "\u202b": "RLE",
  "\u202c": "PDF",
  "\u202d": "LRO",
  "\u202e": "RLO",
};

/** The parts of a text. With `isLong`, line breaks and tabs are what they are. */
export function shownParts(text: string, isLong = false): readonly ShownPart[] {
  const parts: ShownPart[] = [];
  let plain = "";
  for (const character of text) {
    if (!UNSEEN.test(character) || (isLong && (character === "\n" || character === "\t"))) {
      plain += character;
      continue;
    }
    if (plain !== "") parts.push({ text: plain, isName: false });
    plain = "";
    parts.push({ text: nameOf(character), isName: true });
  }
  if (plain !== "") parts.push({ text: plain, isName: false });
  return parts;
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return NAMES[character] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
