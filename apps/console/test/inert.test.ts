import { describe, expect, it } from "vitest";

import { shownParts } from "../page/pages/keys/inert.ts";

const shown = (text: string, isLong?: boolean): string =>
  shownParts(text, isLong)
    .map((part) => (part.isName ? `[${part.text}]` : part.text))
    .join("");

describe("a text that anybody may have written", () => {
  it.each([
    ["plain: é 漢字 שלום 👍🏽", "plain: é 漢字 שלום 👍🏽"],
    ["a\u202Egnp.exe", "a[RLO]gnp.exe"],
    ["\u2066x\u2069", "[U+2066]x[U+2069]"],
    ["a\u0000b\u001b[31m\u007f\u0085", "a[U+0000]b[U+001B][31m[U+007F][U+0085]"],
    ["zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"],
    ["half \ud800 of one", "half [U+D800] of one"],
    ["line\nbreak\u2028", "line[LF]break[U+2028]"],
    ["<img src=x>", "<img src=x>"],
    ["", ""],
  ])("%j is seen for what it is", (text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it("keeps its lines where it is long", () => {
    expect(shown("a\n\tb\r", true)).toBe("a\n\tb[CR]");
  });
});
