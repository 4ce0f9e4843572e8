/** A request of another program as the one that is asked hands it on. */
import type { ErrorCode } from "../errors.ts";
import type { ApiRoute } from "./route.ts";

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
export function viewed<Route extends ApiRoute>(
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
