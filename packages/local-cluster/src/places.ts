/** Where a region or a directory stands, in decimal degrees. */
export interface Place {
  readonly id: string;
  readonly lat: number;
  readonly lon: number;
}

/** Cities on five continents with their true coordinates. */
export const PLACES: readonly Place[] = [
  { id: "montreal", lat: 45.5019, lon: -73.5674 },
  { id: "frankfurt", lat: 50.1109, lon: 8.6821 },
  { id: "singapore", lat: 1.3521, lon: 103.8198 },
  { id: "sao-paulo", lat: -23.5505, lon: -46.6333 },
  { id: "sydney", lat: -33.8688, lon: 151.2093 },
  { id: "tokyo", lat: 35.6762, lon: 139.6503 },
  { id: "mumbai", lat: 19.076, lon: 72.8777 },
  { id: "london", lat: 51.5072, lon: -0.1276 },
  { id: "san-francisco", lat: 37.7749, lon: -122.4194 },
  { id: "johannesburg", lat: -26.2041, lon: 28.0473 },
  { id: "stockholm", lat: 59.3293, lon: 18.0686 },
  { id: "dubai", lat: 25.2048, lon: 55.2708 },
];

/** The first five of `PLACES`. */
export const FIVE_PLACES: readonly Place[] = PLACES.slice(0, 5);

/** Where directories stand on maps, in order of preference: cities that have none of the first regions. */
export const DIRECTORY_PLACES: readonly Place[] = [
  { id: "lisbon", lat: 38.7223, lon: -9.1393 },
  { id: "hong-kong", lat: 22.3193, lon: 114.1694 },
  { id: "denver", lat: 39.7392, lon: -104.9903 },
  { id: "nairobi", lat: -1.2921, lon: 36.8219 },
  { id: "auckland", lat: -36.8509, lon: 174.7645 },
];
