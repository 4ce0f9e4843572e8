/** What the programs of a cluster are told. */
import type { Place } from "./places.ts";

/** Where a program listens, and keeps its data. */
export function placeArguments(host: string, port: number, data: string): readonly string[] {
  return [`--host=${host}`, `--port=${port}`, `--data=${data}`];
}

/** What a directory is told of the others. */
export function directoryArguments(peers: readonly string[]): readonly string[] {
  return peers.length === 0 ? [] : [`--peer=${peers.join(",")}`];
}

/** What a region is told of itself, and of the directories, the preferred one first. */
export function regionArguments(
  { id, lat, lon }: Place,
  directories: readonly string[],
): readonly string[] {
  return [`--id=${id}`, `--lat=${lat}`, `--lon=${lon}`, `--directory=${directories.join(",")}`];
}
