import type { LatLon } from "./projection.ts";

const EARTH_METERS = 6_371_008.8;
const RADIANS = Math.PI / 180;

/** The great-circle distance of two places, in metres, on a sphere. */
export function metersBetween(a: LatLon, b: LatLon): number {
  const half = (degrees: number): number => Math.sin((degrees * RADIANS) / 2) ** 2;
  const cosines = Math.cos(a.lat * RADIANS) * Math.cos(b.lat * RADIANS);
  const square = half(b.lat - a.lat) + cosines * half(b.lon - a.lon);
  return 2 * EARTH_METERS * Math.asin(Math.min(1, Math.sqrt(square)));
}

/** A distance for people: `562 km`, `48 km`, `900 m`. */
export function distanceText(meters: number): string {
  if (meters < 1_000) return `${Math.round(meters)} m`;
  return `${Math.round(meters / 1_000).toLocaleString("en")} km`;
}

/** A place for people: `45.76° N, 4.84° E`. */
export function placeText({ lat, lon }: LatLon): string {
  const part = (degrees: number, plus: string, minus: string): string =>
    `${Math.abs(degrees).toFixed(2)}° ${degrees < 0 ? minus : plus}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}
