import type { LinkEvents } from "@meridian/ports";
import { WebSocket } from "ws";

import {
  SOCKET_OPTIONS,
  SocketLink,
  type LinkOptions,
  type WebSocketLink,
} from "./web-socket-link.ts";

/**
 * Opens a link to `url` (`http:`, `https:`, `ws:` or `wss:`; the path included). Returns at once; `onOpen`
 * follows when it is connected, or `onClose` with 1006 and the cause when it could not be. Before `onOpen`,
 * `send` does nothing. How long connecting may take is for the owner to bound, by `close`. Throws
 * `SyntaxError` for a URL of another kind.
 */
export function dialLink(
  url: string | URL,
  events: LinkEvents,
  options: LinkOptions,
): WebSocketLink {
  const socket = new WebSocket(url, { ...SOCKET_OPTIONS });
  const link = new SocketLink(socket, options);
  link.attach(() => events);
  socket.on("upgrade", (response) => {
    link.wire = response.socket;
  });
  socket.on("open", () => link.open());
  return link;
}
