/** Parameters and errors that several requests of a region share. */
import type { Parameter } from "./route.ts";

export const KEY = {
  name: "key",
  description: "1 to 1 024 bytes of UTF-8.",
  required: true,
} as const;
export const TTL = {
  name: "ttl",
  description: "How long the value lives: seconds, or `250ms`, `90s`, `15m`, `2h`, `7d`.",
};
export const ACK: readonly Parameter[] = [
  {
    name: "ack",
    description: "What to wait for: `local`, `directory`, `all`, or a number of ready regions.",
  },
  { name: "timeout", description: "How long to wait for it, at most 60 s." },
];
export const STALE = {
  name: "stale",
  description: "`true`: read although the region is catching up.",
};
export const SCOPE: Parameter = {
  name: "scope",
  description:
    "`cluster`: in the order of the whole cluster, not by what this region has. A write needs one of the conditions then.",
};
/** The errors of requests with `scope=cluster`. */
export const SCOPED = ["NOT_SCOPED", "CONDITIONS_UNAVAILABLE", "OUTCOME_UNKNOWN"] as const;
export const CONDITIONS: readonly Parameter[] = [
  { name: "If-Match", description: "Write only if the region's newest entry has this ETag." },
  { name: "If-None-Match", description: "`*`: write only if the key has no live value." },
];
export const SESSION: readonly Parameter[] = [
  {
    name: "Meridian-Position",
    description: "The position token of an earlier answer: this one is not older than that.",
  },
  { name: "Meridian-Wait-Ms", description: "How long to wait for that, at most 10 000." },
];
export const DEADLINE: Parameter = {
  name: "Meridian-Deadline",
  description:
    "Refuse the write once the region's time is this, in milliseconds since the Unix epoch: the client has given it up by then.",
};
/** The headers of a write. */
export const WRITE_HEADERS: readonly Parameter[] = [...SESSION, DEADLINE];
export const LIMIT = {
  name: "limit",
  description: "How many at most, 1 000 or fewer; 100 by default.",
};
export const READING = [
  "NODE_SYNCING",
  "NODE_DRAINING",
  "NODE_REFUSED",
  "POSITION_NOT_REACHED",
  "INVALID_POSITION",
] as const;
export const WRITING = [
  "DEADLINE_PASSED",
  "NODE_REFUSED",
  "NODE_NOT_ADMITTED",
  "STORE_FULL",
  "STORE_FAILED",
  "OVERLOADED",
] as const;

export const SETTING = [
  "INVALID_KEY",
  "INVALID_TTL",
  "INVALID_BODY",
  "VALUE_TOO_LARGE",
  ...READING,
  ...WRITING,
] as const;
