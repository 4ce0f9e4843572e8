/** What a browser is answered that asks whether a page may send a request. */
import type { HeaderList } from "./answer.ts";
import { REFUSAL_HEADERS } from "./origins.ts";

/** What pages send beside what they may always send. */
const REQUEST_HEADERS =
  "Authorization, Content-Type, If-Match, If-None-Match, Meridian-Deadline, Meridian-Position, Meridian-Wait-Ms, Traceparent, Tracestate, X-Request-Id";

/**
 * The headers of the answer on a path that takes `methods`. They are the same for every page. A page that may not ask learns this from the refusal of
 * its actual request: a browser shows that refusal to the page's script, and hides that of a preflight.
 */
export function preflightHeaders(methods: readonly string[]): HeaderList {
  // oxfmt-ignore
  return [
    "Allow", methods.join(", "),
    ...REFUSAL_HEADERS,
    "Access-Control-Allow-Methods", methods.join(", "),
    "Access-Control-Allow-Headers", REQUEST_HEADERS,
    "Access-Control-Max-Age", "86400",
  ];
}
