/** The requests that a region hands on to the directory that it is at, so that a page of the region can show the cluster while it talks to its own origin alone. */
import { MAP_API } from "./map-routes.ts";
import type { ApiTable } from "./route.ts";
import { PEER_PREFIX, viewed } from "./viewed.ts";

/** The path before that of the directory's request. */
export const DIRECTORY_VIEW_PREFIX = "/directory/view";

const AT_DIRECTORY = "At the directory of this region";
const AT_PEER = "At a directory that the directory of this region follows";

/** Every request that a region hands on. */
export const DIRECTORY_VIEW_API = {
  [`${DIRECTORY_VIEW_PREFIX}/nearest`]: {
    GET: viewed(MAP_API["/nearest"].GET, [], AT_DIRECTORY),
  },
  [`${DIRECTORY_VIEW_PREFIX}/nodes/watch`]: {
    GET: viewed(MAP_API["/nodes/watch"].GET, [], AT_DIRECTORY),
  },
  [`${DIRECTORY_VIEW_PREFIX}/status`]: {
    GET: viewed(MAP_API["/status"].GET, [], AT_DIRECTORY),
  },
  [`${DIRECTORY_VIEW_PREFIX}${PEER_PREFIX}/status`]: {
    GET: viewed(MAP_API["/status"].GET, [], AT_PEER),
  },
} as const satisfies ApiTable;
