import { Cuts, type CutsOptions } from "@meridian/runtime";

const REASONS = [
  /** The client has read nothing for half a minute of what waits for it. */
  "unread",
  /** Nothing has come from it for long, not even an answer to pings. */
  "silent",
  /** Too many bytes were held for all clients, and its moved least. */
  "held",
  /** It has shown no token in time, or made room for a newcomer before it has. */
  "unauthenticated",
  /** Its token is good no more. */
  "token",
  /** There were too many. */
  "refused",
] as const;

/** Why a node parts with a WebSocket. */
export type SocketCut = (typeof REASONS)[number];

/** Counts the WebSockets that a node parts with. */
export function socketCuts(
  options: Pick<CutsOptions<SocketCut>, "clock" | "logger" | "metrics">,
): Cuts<SocketCut> {
  return new Cuts({
    ...options,
    name: "meridian_websocket_cuts_total",
    help: "WebSockets of clients that the node has parted with, by why.",
    said: "A WebSocket of a client was closed, or refused",
    reasons: REASONS,
  });
}
