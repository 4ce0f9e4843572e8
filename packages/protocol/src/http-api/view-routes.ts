/**
 * The requests that a directory hands on to regions, and to the directories that it follows, so that a page of the directory can show
 * all of them while it talks to its own origin alone. A request that is not listed here is not handed on.
 */
import { MAP_API } from "./map-routes.ts";
import { REGION_API } from "./region-routes.ts";
import type { ApiTable } from "./route.ts";
import { PEER_PREFIX, viewed } from "./viewed.ts";

/** The path before that of the region's request. */
export const VIEW_PREFIX = "/nodes/{id}/view";

const AT_PEER = "At the directory that is followed by that name";

const { GET: getQuarantined, DELETE: dropQuarantined } = REGION_API["/quarantine/{id}"];

/** Every request that a directory hands on to a node, or to another directory. */
export const VIEW_API = {
  [`${PEER_PREFIX}/status`]: { GET: viewed(MAP_API["/status"].GET, [], AT_PEER) },
  [`${PEER_PREFIX}/digest`]: { GET: viewed(REGION_API["/digest"].GET, [], AT_PEER) },
  [`${PEER_PREFIX}/entries`]: { GET: viewed(REGION_API["/entries"].GET, [], AT_PEER) },
  [`${VIEW_PREFIX}/status`]: { GET: viewed(REGION_API["/status"].GET) },
  [`${VIEW_PREFIX}/history`]: { GET: viewed(REGION_API["/history"].GET) },
  [`${VIEW_PREFIX}/history/watch`]: { GET: viewed(REGION_API["/history/watch"].GET) },
  [`${VIEW_PREFIX}/digest`]: { GET: viewed(REGION_API["/digest"].GET) },
  [`${VIEW_PREFIX}/entries`]: { GET: viewed(REGION_API["/entries"].GET) },
  [`${VIEW_PREFIX}/keys`]: { GET: viewed(REGION_API["/keys"].GET) },
  [`${VIEW_PREFIX}/entry`]: { GET: viewed(REGION_API["/entry"].GET) },
  [`${VIEW_PREFIX}/cache`]: {
    GET: viewed(REGION_API["/cache"].GET),
    POST: viewed(REGION_API["/cache"].POST),
  },
  [`${VIEW_PREFIX}/cache/{key}`]: { DELETE: viewed(REGION_API["/cache/{key}"].DELETE) },
  [`${VIEW_PREFIX}/touch`]: { POST: viewed(REGION_API["/touch"].POST) },
  [`${VIEW_PREFIX}/watch`]: {
    GET: viewed(REGION_API["/watch"].GET, ["prefix", "values", "positions", "ticket"]),
  },
  [`${VIEW_PREFIX}/quarantine`]: { GET: viewed(REGION_API["/quarantine"].GET) },
  [`${VIEW_PREFIX}/quarantine/{entry}`]: {
    GET: viewed(getQuarantined),
    DELETE: viewed(dropQuarantined),
  },
  [`${VIEW_PREFIX}/quarantine/{entry}/replay`]: {
    POST: viewed(REGION_API["/quarantine/{id}/replay"].POST),
  },
} as const satisfies ApiTable;
