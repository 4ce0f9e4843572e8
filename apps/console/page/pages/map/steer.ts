/** Which node keys go to: arrows across the map, Page Up and Page Down in the order of ids, by which every node is reached. */
import type { Pixel } from "./projection.ts";

/** The arrow keys as directions on the map. */
export const ARROWS: Readonly<Record<string, Pixel>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The keys that go through all marks. */
export const PAGES: Readonly<Record<string, 1 | -1>> = { PageUp: -1, PageDown: 1 };

/** A mark on the map. */
export interface Mark {
  readonly id: string;
  /** What stands beside it; its id if that is undefined. */
  readonly name?: string;
  readonly pixel: Pixel;
}

/**
 * The mark to go to from one in a direction: the nearest in the quarter of the map that lies there, where what is aside counts double.
 * Without one, the farthest on the other side: round the world.
 */
export function markTowards(
  marks: readonly Mark[],
  from: Mark,
  [dx, dy]: Pixel,
): string | undefined {
  const others = marks.filter(({ id }) => id !== from.id);
  const ahead = ({ pixel: [x, y] }: Mark): number =>
    (x - from.pixel[0]) * dx + (y - from.pixel[1]) * dy;
  const aside = ({ pixel: [x, y] }: Mark): number =>
    Math.abs((x - from.pixel[0]) * dy) + Math.abs((y - from.pixel[1]) * dx);
  const there = others.filter((mark) => ahead(mark) > 0 && aside(mark) <= ahead(mark) * 1.5);
  const cost = (mark: Mark): number => ahead(mark) + 2 * aside(mark);
  const nearest = there.toSorted((a, b) => cost(a) - cost(b))[0];
  if (nearest !== undefined) return nearest.id;
  return others.toSorted((a, b) => ahead(a) - ahead(b))[0]?.id;
}

/** The mark before or behind one in the order of ids, round and round. */
export function markBeside(marks: readonly Mark[], from: Mark, step: 1 | -1): string | undefined {
  const ids = marks.map(({ id }) => id).toSorted();
  return ids[(ids.indexOf(from.id) + step + ids.length) % ids.length];
}
