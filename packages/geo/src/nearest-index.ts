/**
 * Which nodes are nearest to a place.
 *
 * Nodes are points on the unit sphere. The straight line between two of them grows with the great circle, so
 * its square orders them without any trigonometry per node, exactly at the poles and across the antimeridian.
 *
 * Up to some thousands of nodes all of them are scanned. Above, space is cut into cubes: a cube whose centre
 * is further off than the worst node found so far, by more than half its diagonal, holds nothing nearer
 * (the triangle inequality) and is skipped. Both are one algorithm: few nodes are one cube without bounds.
 */
import { checkCoordinates, type Coordinates } from "@meridian/protocol";
import { getDistance } from "geolib";

import { Selection } from "./selection.ts";
import { toUnitVector, type UnitVector } from "./unit-vector.ts";

/** A node that was found, and how far it is. */
export interface Neighbour {
  readonly id: string;
  /** Along the great circle, on a sphere of 6 378 137 m radius, in whole metres. */
  readonly distanceMeters: number;
}

interface Point extends UnitVector {
  readonly id: string;
  readonly coordinates: Coordinates;
  readonly cube: Cube;
  /** Where the point is in its cube. */
  place: number;
}

interface Cube {
  readonly key: number;
  readonly centre: UnitVector;
  readonly points: Point[];
}

/** Above this many nodes, cubes pay. */
const SCAN_MAX = 4_096;
/** Cubes along one axis, of the two units that the sphere spans: some 1 200 of them touch the sphere. */
const DIVISIONS = 16;
const SIDE: number = 2 / DIVISIONS;
const HALF_DIAGONAL: number = (SIDE / 2) * Math.sqrt(3);
/** The square of how far off the centre of a cube is at most that `from` lies in. */
const AT_HAND: number = HALF_DIAGONAL ** 2;
/** Covers what rounding does to distances up to the sphere's diameter. */
const ROUNDING = 1e-12;
const ORIGIN: UnitVector = { x: 0, y: 0, z: 0 };

/** Nodes by id and place, and the nearest of them to anywhere. */
export class NearestIndex {
  readonly #points = new Map<string, Point>();
  readonly #cubes = new Map<number, Cube>();
  #isDivided = false;

  /** How many nodes there are. */
  get size(): number {
    return this.#points.size;
  }

  /** Places a node, or moves it. Throws `INVALID_COORDINATES`. */
  set(id: string, coordinates: Coordinates): void {
    const { lat, lon } = checkCoordinates(coordinates);
    this.delete(id);
    if (!this.#isDivided && this.#points.size >= SCAN_MAX) this.#divide(true);
    this.#insert(id, { lat, lon });
  }

  /** Removes a node. Returns whether it was there. */
  delete(id: string): boolean {
    const point = this.#points.get(id);
    if (point === undefined) return false;
    this.#points.delete(id);
    const { cube, place } = point;
    const last = cube.points.pop();
    if (last !== undefined && last !== point) {
      cube.points[place] = last;
      last.place = place;
    }
    if (cube.points.length === 0) this.#cubes.delete(cube.key);
    // Well below the bound, so that a node that comes and goes does not rebuild all.
    if (this.#isDivided && this.#points.size < SCAN_MAX / 2) this.#divide(false);
    return true;
  }

  /**
   * The nodes nearest to `coordinates`, nearest first, at most `limit` of those that `accept` takes. Nodes at
   * the very same place come in the order of their ids. Throws `INVALID_COORDINATES`.
   */
  nearest(
    coordinates: Coordinates,
    limit: number,
    accept: (id: string) => boolean = everyone,
  ): Neighbour[] {
    const { lat, lon } = checkCoordinates(coordinates);
    if (!(limit >= 1)) return [];
    const found = new Selection<Point>(Math.floor(limit), isBefore);
    this.#search(toUnitVector(coordinates), found, accept);
    return found.sorted().map((point) => ({
      id: point.id,
      distanceMeters: getDistance({ lat, lon }, point.coordinates),
    }));
  }

  #search(from: UnitVector, found: Selection<Point>, accept: (id: string) => boolean): void {
    // The cubes at the place itself first: they make the bound that rules out nearly all others.
    for (const cube of this.#cubes.values()) {
      if (squareBetween(cube.centre, from) <= AT_HAND) scan(cube, from, found, accept);
    }
    let reach = reachOf(found.bound);
    for (const cube of this.#cubes.values()) {
      const square = squareBetween(cube.centre, from);
      if (square <= AT_HAND || square > reach) continue;
      scan(cube, from, found, accept);
      reach = reachOf(found.bound);
    }
  }

  #insert(id: string, coordinates: Coordinates): void {
    const vector = toUnitVector(coordinates);
    const cube = this.#cubeOf(vector);
    const point = { id, coordinates, ...vector, cube, place: cube.points.length };
    cube.points.push(point);
    this.#points.set(id, point);
  }

  #cubeOf(vector: UnitVector): Cube {
    const [i, j, k] = this.#isDivided
      ? [divisionOf(vector.x), divisionOf(vector.y), divisionOf(vector.z)]
      : [0, 0, 0];
    const key = (i * DIVISIONS + j) * DIVISIONS + k;
    let cube = this.#cubes.get(key);
    if (cube === undefined) {
      const centre = this.#isDivided ? { x: middle(i), y: middle(j), z: middle(k) } : ORIGIN;
      cube = { key, centre, points: [] };
      this.#cubes.set(key, cube);
    }
    return cube;
  }

  #divide(isDivided: boolean): void {
    this.#isDivided = isDivided;
    this.#cubes.clear();
    const points = [...this.#points.values()];
    for (const { id, coordinates } of points) this.#insert(id, coordinates);
  }
}

function scan(
  cube: Cube,
  from: UnitVector,
  found: Selection<Point>,
  accept: (id: string) => boolean,
): void {
  let { bound } = found;
  for (const point of cube.points) {
    const square = squareBetween(point, from);
    if (square > bound || !accept(point.id)) continue;
    found.offer(square, point);
    bound = found.bound;
  }
}

/** How far off, as a square, the centre of a cube may be that has a point within `bound`. */
function reachOf(bound: number): number {
  const reach = Math.sqrt(bound) + HALF_DIAGONAL + ROUNDING;
  return reach * reach;
}

function squareBetween(a: UnitVector, b: UnitVector): number {
  const x = a.x - b.x;
  const y = a.y - b.y;
  const z = a.z - b.z;
  return x * x + y * y + z * z;
}

function divisionOf(coordinate: number): number {
  return Math.min(DIVISIONS - 1, Math.max(0, Math.floor((coordinate + 1) / SIDE)));
}

function middle(division: number): number {
  return -1 + (division + 0.5) * SIDE;
}

function isBefore(a: Point, b: Point): boolean {
  return a.id < b.id;
}

function everyone(): boolean {
  return true;
}
