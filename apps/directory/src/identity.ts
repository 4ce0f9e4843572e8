/** The id and place of a directory, from its options. */
import { consoleFolder } from "@meridian/console";
import type { DirectoryFlags } from "@meridian/options";
import { checkCoordinates, MeridianError, type Coordinates } from "@meridian/protocol";

import type { DirectoryWord } from "./beside.ts";
import type { DirectoryService } from "./http/directory-service.ts";
import { programVersion } from "./version.ts";

type Identity = Pick<
  DirectoryService,
  "id" | "url" | "place" | "cluster" | "version" | "consoleFolder"
>;

/** The members of `DirectoryService` that describe the directory itself. */
export function identityOf({
  id,
  url,
  place,
  cluster,
  noConsole,
}: Pick<DirectoryFlags, "cluster" | "noConsole"> &
  Pick<Identity, "id" | "url" | "place">): Identity {
  const folder = noConsole ? undefined : consoleFolder();
  return { id, url, place, cluster, version: programVersion(), consoleFolder: folder };
}

/** What a directory tells others of itself; undefined if its options do not say where it is reached. */
export function wordOf({
  id,
  url,
  lat,
  lon,
}: Pick<DirectoryFlags, "id" | "url" | "lat" | "lon">): DirectoryWord | undefined {
  return url === null ? undefined : { id, url, lat, lon };
}

/**
 * The place of a directory; undefined if its options give none. Throws `INVALID_CONFIG` if only latitude or longitude is given, `INVALID_COORDINATES`
 * if they are not on Earth.
 */
export function placeOf({
  lat,
  lon,
}: Pick<DirectoryFlags, "lat" | "lon">): Coordinates | undefined {
  if (lat !== null && lon !== null) return checkCoordinates({ lat, lon });
  if (lat === null && lon === null) return undefined;
  const [given, lacking] = lat === null ? ["lon", "lat"] : ["lat", "lon"];
  throw new MeridianError(
    "INVALID_CONFIG",
    `Expected \`--${lacking}\` beside \`--${given}\`, got nothing: a place has both`,
  );
}
