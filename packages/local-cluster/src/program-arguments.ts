/** The arguments of the programs of a cluster. */
import type { Place } from "./places.ts";

/** The arguments that say where a program listens, and where it keeps its data. */
export function placeArguments(host: string, port: number, data: string): readonly string[] {
  return [`--host=${host}`, `--port=${port}`, `--data=${data}`];
}

/** The arguments of a directory that follows `peers`, at a place if it has one. */
export function directoryArguments(
  peers: readonly string[],
  place?: Omit<Place, "id">,
): readonly string[] {
  return [
    ...(peers.length === 0 ? [] : [`--peer=${peers.join(",")}`]),
    ...(place === undefined ? [] : [`--lat=${place.lat}`, `--lon=${place.lon}`]),
  ];
}

/** The arguments of a region at a place, with its directories in order of preference. */
export function regionArguments(
  { id, lat, lon }: Place,
  directories: readonly string[],
): readonly string[] {
  return [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--directory=${directories.join(",")}`];
}
