/**
 * A cube of space that holds points: a leaf with the points themselves, or eight cubes of half its side (an octree).
 *
 * A leaf that holds more than `LEAF_MAX` points is divided, and cubes that together hold few are one leaf again. So a point comes and goes at the cost of the
 * cubes around it, however many points there are. A search leaves out each cube that lies further off than the worst point found so far.
 *
 * With many points, what takes time is memory that is not in the processor's cache. So a cube does not say where it lies: whoever comes from its parent knows. And a
 * leaf has the places of its points in one list of numbers: points themselves are read only if they are near enough.
 */
import type { Angles } from "./distance.ts";
import type { Selection } from "./selection.ts";
import type { UnitVector } from "./unit-vector.ts";

/** A node, and where it is. */
export interface Point<Node> extends UnitVector {
  readonly node: Node;
  readonly angles: Angles;
}

/** What a search looks for. */
export interface Search<Node> {
  readonly from: UnitVector;
  readonly found: Selection<Point<Node>>;
  readonly accept: (node: Node) => boolean;
}

/** A leaf with more points is divided. */
const LEAF_MAX = 32;
/** Cubes that together have fewer points become one leaf: well below the bound, so that a node that comes and goes does not divide and unite. */
const UNITED_MAX = 12;
/** The side of all space, as a power of two, in the smallest cubes: 40 cm on Earth. Such a cube holds any number of points, which may be at the very same place. */
const LEVELS = 25;
/** The side of the smallest cube, where the Earth's radius is 1. */
const SMALLEST: number = 2 / (1 << LEVELS);
/** Covers what rounding does to distances up to the sphere's diameter, in sides of the smallest cube. */
const ROUNDING: number = 1e-12 / SMALLEST;
/** The order in which eight cubes are searched, by the axes along which they lie on the far side. */
const FAR_AXES: readonly number[] = [0b000, 0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b111];

/** A cube, and the points in it. Its side is `2 ** level` smallest cubes. */
export class Cell<Node> {
  readonly #level: number;
  /** Empty in a cube that is no leaf. */
  #points: Point<Node>[] = [];
  /** Three numbers for each of the points. */
  #places: number[] = [];
  /** Undefined in a leaf. */
  #cells: (Cell<Node> | undefined)[] | undefined;
  /** Invariant: as many as are in `#points` or in `#cells`. */
  #size = 0;

  /** All of space by default. */
  constructor(level: number = LEVELS) {
    this.#level = level;
  }

  /** How many points there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a point that lies in the cube. */
  add(point: Point<Node>): void {
    this.#size += 1;
    if (this.#cells !== undefined) return this.#addBelow(this.#cells, point);
    this.#points.push(point);
    this.#places.push(point.x, point.y, point.z);
    if (this.#points.length > LEAF_MAX && this.#level > 0) this.#divide();
  }

  /** Removes a point that was added. */
  remove(point: Point<Node>): void {
    this.#size -= 1;
    if (this.#cells === undefined) return this.#removeHere(point);
    const octant = octantOf(point, this.#level - 1);
    const cell = this.#cells[octant];
    cell?.remove(point);
    if (cell?.size === 0) this.#cells[octant] = undefined;
    if (this.#size < UNITED_MAX) this.#unite();
  }

  /** Offers what it has to a search. The smallest coordinates of the cube are given in sides of the smallest cube, from -1 on. */
  search(search: Search<Node>, x = 0, y = 0, z = 0): void {
    if (this.#cells === undefined) return this.#scan(search);
    const { from, found } = search;
    const half = 1 << (this.#level - 1);
    const [fromX, fromY, fromZ] = [steps(from.x), steps(from.y), steps(from.z)];
    const nearest =
      (fromX < x + half ? 0 : 1) | (fromY < y + half ? 0 : 2) | (fromZ < z + half ? 0 : 4);
    for (const axes of FAR_AXES) {
      const octant = nearest ^ axes;
      const cell = this.#cells[octant];
      if (cell === undefined) continue;
      const lowX = x + ((octant & 1) === 0 ? 0 : half);
      const lowY = y + ((octant & 2) === 0 ? 0 : half);
      const lowZ = z + ((octant & 4) === 0 ? 0 : half);
      const offX = offOf(fromX, lowX, half);
      const offY = offOf(fromY, lowY, half);
      const offZ = offOf(fromZ, lowZ, half);
      const square = (offX * offX + offY * offY + offZ * offZ) * (SMALLEST * SMALLEST);
      if (square <= found.bound) cell.search(search, lowX, lowY, lowZ);
    }
  }

  #scan({ from, found, accept }: Search<Node>): void {
    const { x, y, z } = from;
    const places = this.#places;
    let { bound } = found;
    for (let at = 0; at < places.length; at += 3) {
      const offX = (places[at] ?? 0) - x;
      const offY = (places[at + 1] ?? 0) - y;
      const offZ = (places[at + 2] ?? 0) - z;
      const square = offX * offX + offY * offY + offZ * offZ;
      if (square > bound) continue;
      const point = this.#points[at / 3];
      if (point === undefined || !accept(point.node)) continue;
      found.offer(square, point);
      bound = found.bound;
    }
  }

  #addBelow(cells: (Cell<Node> | undefined)[], point: Point<Node>): void {
    const below = this.#level - 1;
    const octant = octantOf(point, below);
    const cell = (cells[octant] ??= new Cell<Node>(below));
    cell.add(point);
  }

  #removeHere(point: Point<Node>): void {
    const at = this.#points.indexOf(point);
    const last = this.#points.pop();
    if (last === undefined) return;
    this.#places.length -= 3;
    if (last === point) return;
    this.#points[at] = last;
    [this.#places[at * 3], this.#places[at * 3 + 1], this.#places[at * 3 + 2]] = [
      last.x,
      last.y,
      last.z,
    ];
  }

  #divide(): void {
    const points = this.#points;
    const cells: (Cell<Node> | undefined)[] = [];
    for (let octant = 0; octant < 8; octant += 1) cells.push(undefined);
    this.#cells = cells;
    this.#points = [];
    this.#places = [];
    for (const point of points) this.#addBelow(cells, point);
  }

  #unite(): void {
    const points = this.#all();
    this.#cells = undefined;
    this.#points = points;
    this.#places = points.flatMap(({ x, y, z }) => [x, y, z]);
  }

  #all(): Point<Node>[] {
    const cells = this.#cells?.filter((cell) => cell !== undefined);
    return cells?.flatMap((cell) => cell.#all()) ?? this.#points;
  }
}

/** A coordinate in sides of the smallest cube, from -1 on. */
function steps(coordinate: number): number {
  return (coordinate + 1) / SMALLEST;
}

/** How far a coordinate is off a range of them; 0 within. */
function offOf(coordinate: number, low: number, length: number): number {
  return Math.max(0, low - coordinate - ROUNDING, coordinate - low - length - ROUNDING);
}

/** In which of the eight cubes of a level that make up the next one a point lies: one bit for each axis. */
function octantOf({ x, y, z }: UnitVector, level: number): number {
  return bitOf(x, level) | (bitOf(y, level) << 1) | (bitOf(z, level) << 2);
}

function bitOf(coordinate: number, level: number): number {
  return (Math.min((1 << LEVELS) - 1, Math.floor(steps(coordinate))) >> level) & 1;
}
