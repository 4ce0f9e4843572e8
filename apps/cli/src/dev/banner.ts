/** The text that `meridian dev` prints once the cluster is ready. */
import { formatTable } from "../table.ts";
import type { Place } from "@meridian/local-cluster";

/** A running region. */
export interface RunningPlace extends Place {
  readonly url: string;
}

/** A running directory. */
export interface RunningDirectory {
  readonly id: string;
  readonly url: string;
}

/** The URLs, and commands to try. The `curl` lines can be copied into a shell. */
export function formatBanner(
  directories: readonly RunningDirectory[],
  regions: readonly RunningPlace[],
  readyMs: number,
  playgroundUrl?: string,
  log?: string,
): string {
  const rows = regions.map(({ id, lat, lon, url }) => [id, lat, lon, url]);
  const table = formatTable(
    ["NODE", "LAT", "LON", "URL"],
    [...directories.map(({ id, url }) => [id, "", "", url]), ...rows],
  );
  const directoryUrl = directories[0]?.url ?? "";
  const some = directories.length === 1 ? "a directory" : `${directories.length} directories`;
  const [first] = regions;
  const last = regions.at(-1);
  return [
    "",
    `Ready in ${(readyMs / 1000).toFixed(2)} s: ${some} and ${regions.length} region${regions.length === 1 ? "" : "s"}.`,
    "",
    table,
    ...(log === undefined
      ? []
      : [`The first directory writes the log at ${log}; all serve regions.`]),
    playgroundUrl === undefined
      ? `The world in a browser: ${directoryUrl}`
      : `The world in a browser, with a page to cut regions off and heal them: ${playgroundUrl}`,
    "",
    "Which node is nearest to Paris? Set a key in one region, read it in another:",
    "",
    `  curl "${directoryUrl}/nearest?lat=48.86&lon=2.35"`,
    `  curl -X PUT "${first?.url ?? ""}/cache/greeting?ttl=15m" -H "content-type: text/plain" -d "hello"`,
    `  curl -i "${last?.url ?? ""}/cache/greeting"`,
    "",
    "Ctrl-C stops everything.",
    "",
    "",
  ].join("\n");
}
