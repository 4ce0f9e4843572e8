/** Which marks get their names beside them: those whose names cover neither another name nor another mark. */
import type { Mark } from "./steer.ts";

/** The height of a line of text and the width of a letter, in pixels. */
const LINE = 16;
const LETTER = 7.2;
const GAP = 12;
/** Beside a name there is room for a lag, if the map is not small. */
const LAG_LETTERS = 7;
const SMALL = 560;
const LETTERS_MAX = 18;

/** More names than this are never shown at once. */
const LABELS_MAX = 60;

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The side on which each mark has its name, 1 for right; marks without a name are left out. */
export function labelPlaces(marks: readonly Mark[], width: number): ReadonlyMap<string, 1 | -1> {
  const taken: Box[] = marks.map(({ pixel: [x, y] }) => boxAt(x - 7, x + 7, y));
  const sides = new Map<string, 1 | -1>();
  const spare = width < SMALL ? 0 : LAG_LETTERS;
  marks.forEach(({ id, name = id, pixel: [x, y] }, index) => {
    if (sides.size >= LABELS_MAX) return;
    const length = (Math.min(LETTERS_MAX, name.length) + spare) * LETTER;
    for (const side of [1, -1] as const) {
      const box =
        side === 1 ? boxAt(x + GAP, x + GAP + length, y) : boxAt(x - GAP - length, x - GAP, y);
      if (box.left < 0 || box.right > width) continue;
      if (taken.some((other, at) => at !== index && overlap(box, other))) continue;
      taken.push(box);
      sides.set(id, side);
      return;
    }
  });
  return sides;
}

function boxAt(left: number, right: number, y: number): Box {
  return { left, right, top: y - LINE / 2, bottom: y + LINE / 2 };
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
