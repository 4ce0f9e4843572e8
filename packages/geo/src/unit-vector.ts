import type { Coordinates } from "@meridian/protocol";

/** A point of the sphere of radius 1, seen from its centre. */
export interface UnitVector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** Where `coordinates` lie on the unit sphere. A pole is one point, whatever its longitude. */
export function toUnitVector(coordinates: Coordinates): UnitVector {
  const lat = (coordinates.lat * Math.PI) / 180;
  const lon = (coordinates.lon * Math.PI) / 180;
  // The cosine of 90° is not quite 0 in a double.
  const around = Math.abs(coordinates.lat) === 90 ? 0 : Math.cos(lat);
  return { x: around * Math.cos(lon), y: around * Math.sin(lon), z: Math.sin(lat) };
}
