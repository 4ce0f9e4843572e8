/**
 * The requests that a directory hands on to regions, and to the directories that it follows, so that a page of the directory can show
 * all of them while it talks to its own origin alone. A request that is not listed here is not handed on.
 */
import type { ErrorCode } from "../errors.ts";
import { directoryStatus } from "./directory-api.ts";
import { REGION_API } from "./region-routes.ts";
import type { ApiRoute, ApiTable } from "./route.ts";

/** The path before that of the region's request. */
export const VIEW_PREFIX = "/nodes/{id}/view";

/** The path before that of the request of a directory that is followed; `peer` is its `name` in `peers` of `/status`. */
export const PEER_PREFIX = "/peers/{peer}/view";

const FAILURES: readonly ErrorCode[] = [
  "NODE_NOT_FOUND",
  "NODE_UNREACHABLE",
  "NODE_ANSWER_INVALID",
];

/** A request of another program as a directory hands it on: it demands and answers the same. */
type Viewed<Route extends ApiRoute> = ApiRoute & Pick<Route, "access" | "answer">;

/** Hands a request on without its headers, and without the options named in `without`. */
function viewed<Route extends ApiRoute>(
  route: Route,
  without: readonly string[] = [],
  where = "At the node of that id",
): Viewed<Route> {
  const { access, answer } = route;
  const { headers: _, summary, query = [], errors, ...others }: ApiRoute = route;
  return {
    ...others,
    access,
    answer,
    summary: `${where}, under the token of who asks: ${summary}`,
    query: query.filter(({ name }) => !without.includes(name)),
    errors: [...FAILURES, ...errors],
  };
}

const AT_PEER = "At the directory that is followed by that name";

const peerStatus: ApiRoute & { readonly answer: typeof directoryStatus } = {
  access: { scope: "any" },
  summary: "The directory in numbers.",
  answer: directoryStatus,
  errors: [],
};

const { GET: getQuarantined, DELETE: dropQuarantined } = REGION_API["/quarantine/{id}"];

/** Every request that a directory hands on to a node, or to another directory. */
export const VIEW_API = {
  [`${PEER_PREFIX}/status`]: { GET: viewed(peerStatus, [], AT_PEER) },
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
