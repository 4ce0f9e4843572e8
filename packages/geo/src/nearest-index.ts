/**
 * Which nodes are nearest to a place.
 *
 * Nodes are points on the unit sphere. The straight line between two of them grows with the great circle, so
 * its square orders them without any trigonometry per node, exactly at the poles and across the antimeridian.
 * Space is cut into cubes, so that a search looks at a few nodes only; see `Cell`.
 */
import { checkCoordinates, type Coordinates } from "@meridian/protocol";

import { Cell, type Point } from "./cell.ts";
import { anglesOf, metersBetween } from "./distance.ts";
import { Selection } from "./selection.ts";
import { toUnitVector } from "./unit-vector.ts";

/** What an index keeps. */
export interface Placed {
  readonly id: string;
}

/** A node that was found, and how far it is. */
export interface Neighbour<Node> {
  readonly node: Node;
  /** Along the great circle, on a sphere of 6 378 137 m radius, in whole metres. */
  readonly distanceMeters: number;
}

/** Nodes by id and place, and the nearest of them to anywhere. */
export class NearestIndex<Node extends Placed> {
  readonly #points = new Map<string, Point<Node>>();
  readonly #space = new Cell<Node>();

  /** How many nodes there are. */
  get size(): number {
    return this.#points.size;
  }

  /** Places a node, or moves it. It takes the place of another one of that id. Throws `INVALID_COORDINATES`. */
  set(node: Node, coordinates: Coordinates): void {
    checkCoordinates(coordinates);
    this.delete(node.id);
    const point = { node, angles: anglesOf(coordinates), ...toUnitVector(coordinates) };
    this.#points.set(node.id, point);
    this.#space.add(point);
  }

  /** Removes a node. Returns whether it was there. */
  delete(id: string): boolean {
    const point = this.#points.get(id);
    if (point === undefined) return false;
    this.#points.delete(id);
    this.#space.remove(point);
    return true;
  }

  /**
   * The nodes nearest to `coordinates`, nearest first, at most `limit` of those that `accept` takes. Nodes at
   * the very same place come in the order of their ids. Throws `INVALID_COORDINATES`.
   */
  nearest(
    coordinates: Coordinates,
    limit: number,
    accept: (node: Node) => boolean = everyone,
  ): Neighbour<Node>[] {
    checkCoordinates(coordinates);
    if (!(limit >= 1)) return [];
    // Nearly always the nearest of all are taken, so only those are asked about at first.
    let points = this.#nearestOf(coordinates, limit, everyone);
    if (!points.every(({ node }) => accept(node))) {
      points = this.#nearestOf(coordinates, limit, accept);
    }
    const from = anglesOf(coordinates);
    return points.map(({ node, angles }) => ({
      node,
      distanceMeters: metersBetween(from, angles),
    }));
  }

  #nearestOf(
    coordinates: Coordinates,
    limit: number,
    accept: (node: Node) => boolean,
  ): readonly Point<Node>[] {
    const found = new Selection<Point<Node>>(Math.floor(limit), isBefore);
    this.#space.search({ from: toUnitVector(coordinates), found, accept });
    return found.kept;
  }
}

function isBefore(a: Point<Placed>, b: Point<Placed>): boolean {
  return a.node.id < b.node.id;
}

function everyone(): boolean {
  return true;
}
