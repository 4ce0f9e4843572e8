import { Cuts, type CutsOptions } from "@meridian/runtime";

/** Why a server parts with a connection. */
const REASONS = [
  /** Nothing moved on it, and another one came. */
  "idle",
  /** It held most of what clients do not read, and moved least. */
  "unread",
  /** It sent requests ahead while too many waited. */
  "sent-ahead",
  /** Its request waited for it, and was the oldest of too many. */
  "request",
  /** It was one too many. */
  "refused",
] as const;

/** Why a server parts with a connection. */
export type HttpCut = (typeof REASONS)[number];

/** Counts the connections that a server parts with. */
export function httpCuts(
  options: Pick<CutsOptions<HttpCut>, "clock" | "logger" | "metrics">,
): Cuts<HttpCut> {
  return new Cuts({
    ...options,
    name: "meridian_http_cuts_total",
    help: "Connections that the server has parted with, by why.",
    said: "A connection was cut, or refused, to have room for others",
    reasons: REASONS,
  });
}
