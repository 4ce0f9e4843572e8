import { Cuts, type CutsOptions } from "@meridian/runtime";

/** Why a server parts with a connection. */
const REASONS = [
  /** Nothing moved on the connection, and a new one came. */
  "idle",
  /** The client read its answers more slowly than all others while too many bytes waited. */
  "unread",
  /** It sent requests ahead while too many waited. */
  "sent-ahead",
  /** Its request waited for it, and was the oldest of too many. */
  "request",
  /** There were too many connections, and all others moved more. */
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
