/** The way between two places on the map: along the great circle, which the edge of the map may cut in two. */
import { geoInterpolate } from "d3-geo";

import { pixelOf, type LatLon, type MapProjection, type Pixel } from "./projection.ts";

/** The points of a way in equal steps, with the places where the edge of the map cuts it. */
export interface Way {
  readonly points: readonly Pixel[];
  /** Whether the way leaves the map before the point of that number, and comes in again at it. */
  readonly isCut: (index: number) => boolean;
}

const STEPS = 64;

/** The way from one place to another. */
export function wayBetween(map: MapProjection, from: LatLon, to: LatLon): Way {
  const at = geoInterpolate([from.lon, from.lat], [to.lon, to.lat]);
  const points = Array.from({ length: STEPS + 1 }, (_, step) => {
    const [lon, lat] = at(step / STEPS);
    return pixelOf(map, { lat, lon });
  });
  // A step is at most half the globe in `STEPS`: one that is as long as a third of the map has jumped to its other edge.
  const cuts = new Set(
    points.flatMap(([x], index) => {
      const before = points[index - 1];
      return before !== undefined && Math.abs(x - before[0]) > map.width / 3 ? [index] : [];
    }),
  );
  return { points, isCut: (index) => cuts.has(index) };
}
