/** Who a directory is, as its options say. */
import { consoleFolder } from "@meridian/console";
import type { DirectoryFlags } from "@meridian/options";
import { checkCoordinates, MeridianError, type Coordinates } from "@meridian/protocol";

import type { DirectoryService } from "./http/directory-service.ts";
import { programVersion } from "./version.ts";

type Identity = Pick<DirectoryService, "id" | "place" | "cluster" | "version" | "consoleFolder">;

/** What the API tells of it, and the page that shows that. */
export function identityOf({
  id,
  place,
  cluster,
  noConsole,
}: Pick<DirectoryFlags, "cluster" | "noConsole"> & Pick<Identity, "id" | "place">): Identity {
  const folder = noConsole ? undefined : consoleFolder();
  return { id, place, cluster, version: programVersion(), consoleFolder: folder };
}

/** Where a directory stands; undefined if nobody has said so. Throws `INVALID_CONFIG` for half a place, `INVALID_COORDINATES` for none on Earth. */
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
