/** From places to pixels and back: the Equal Earth projection, in which areas compare as they do on the globe. */
import { geoEqualEarth, type GeoProjection } from "d3-geo";

/** A point of the picture, in pixels from its upper left corner. */
export type Pixel = readonly [x: number, y: number];

/** A place in decimal degrees. */
export interface LatLon {
  readonly lat: number;
  readonly lon: number;
}

/** The map at one width. */
export interface MapProjection {
  readonly width: number;
  readonly height: number;
  readonly project: GeoProjection;
}

/** The meridian in the middle of the map, in degrees east: its edges then pass between Asia and America, and cut no land but an isle or two. */
const MIDDLE_LON = 11;

/** Room around the globe for the marks of nodes at its edge, in pixels. */
const MARGIN = 10;

/** The map of the whole world that is `width` pixels wide. */
export function mapProjection(width: number): MapProjection {
  const project = geoEqualEarth().rotate([-MIDDLE_LON, 0]);
  const inner = Math.max(1, width - 2 * MARGIN);
  project.fitWidth(inner, { type: "Sphere" });
  const [left, top] = project.translate();
  const bottom = project([MIDDLE_LON, -90])?.[1] ?? inner / 2;
  project.translate([left + MARGIN, top + MARGIN]);
  return { width, height: Math.ceil(bottom + 2 * MARGIN), project };
}

/** Where a place is on the map. Both ends of the antimeridian are the same place. */
export function pixelOf({ project }: MapProjection, { lat, lon }: LatLon): Pixel {
  const found = project([lon, lat]);
  return found === null ? [0, 0] : [found[0], found[1]];
}

/** The place at a pixel; undefined outside the globe. */
export function placeAt({ project }: MapProjection, [x, y]: Pixel): LatLon | undefined {
  const found = project.invert?.([x, y]);
  if (found === null || found === undefined) return undefined;
  const [lon, lat] = found;
  if (!Number.isFinite(lon) || !Number.isFinite(lat) || Math.abs(lat) > 90) return undefined;
  // Outside its outline the projection goes on, round the globe once more.
  const back = project([lon, lat]);
  if (back === null || Math.hypot(back[0] - x, back[1] - y) > 0.5) return undefined;
  return { lat, lon };
}
