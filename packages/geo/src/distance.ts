/**
 * How far two places are from each other: to the metre what `getDistance` of geolib says, as a test compares. What depends on one place alone is computed once for
 * it, and numbers are taken as they are; geolib reads each of them as text first, which takes most of its time.
 */
import type { Coordinates } from "@meridian/protocol";

const EARTH_RADIUS_METERS = 6_378_137;
const RADIANS = Math.PI / 180;

/** A place as distances are computed from it. */
export interface Angles {
  readonly sinLat: number;
  readonly cosLat: number;
  /** In degrees. */
  readonly lon: number;
}

/** The angles of a place. */
export function anglesOf({ lat, lon }: Coordinates): Angles {
  return { sinLat: Math.sin(lat * RADIANS), cosLat: Math.cos(lat * RADIANS), lon };
}

/** Along the great circle, in whole metres. */
export function metersBetween(from: Angles, to: Angles): number {
  const cosLon = Math.cos((from.lon - to.lon) * RADIANS);
  const cosine = to.sinLat * from.sinLat + to.cosLat * from.cosLat * cosLon;
  // Rounding may lead out of the range of a cosine.
  return Math.round(Math.acos(Math.max(-1, Math.min(1, cosine))) * EARTH_RADIUS_METERS);
}
