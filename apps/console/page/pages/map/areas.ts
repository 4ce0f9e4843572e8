// oxlint-disable-next-line typescript/triple-slash-reference -- the package has no types of its own
/// <reference path="./d3-geo-voronoi.d.ts" />
/** The areas of the globe: to which node each place is nearest, of those that directories offer to clients. */
import type { GeoPermissibleObjects } from "d3-geo";
import { geoVoronoi } from "d3-geo-voronoi";

import type { LatLon } from "./projection.ts";

/** The borders between the areas of several places; undefined if there are none. Places that coincide have one area together. */
export function bordersOf(places: readonly LatLon[]): GeoPermissibleObjects | undefined {
  const points = new Map(
    // Both ends of the antimeridian are one meridian, and all meridians meet at a pole.
    places.map(({ lat, lon }) => {
      const whole = Math.abs(lat) === 90 ? 0 : lon === 180 ? -180 : lon;
      return [`${lat},${whole}`, [whole, lat] as const];
    }),
  );
  if (points.size < 2) return undefined;
  return geoVoronoi([...points.values()]).cellMesh() ?? undefined;
}
