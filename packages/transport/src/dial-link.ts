import type { IncomingMessage } from "node:http";
import type { createConnection } from "node:net";

import type { LinkEvents } from "@meridian/ports";
import { WebSocket } from "ws";

import { connectInPlace } from "./reads-in-place.ts";

import {
  SOCKET_OPTIONS,
  SocketLink,
  type DialCredentials,
  type LinkOptions,
  type WebSocketLink,
} from "./web-socket-link.ts";

/** How many bytes are read of the answer of a server that refuses the link. */
const REFUSAL_UNITS_MAX = 4_096;

/**
 * Opens a link to `url` (`http:`, `https:`, `ws:` or `wss:`; the path included). Returns at once; `onOpen`
 * follows when it is connected, or `onClose` with 1006 and the cause when it could not be. Before `onOpen`,
 * `send` does nothing. How long connecting may take is for the owner to bound, by `close`. Throws
 * `SyntaxError` for a URL of another kind.
 */
export function dialLink(
  url: string | URL,
  events: LinkEvents,
  options: LinkOptions & { readonly credentials?: DialCredentials },
): WebSocketLink {
  // Over TLS there is nothing to take in place before it is deciphered.
  const isSecure = /^(?:wss|https):/i.test(String(url));
  const connection = isSecure
    ? {}
    : { createConnection: connectInPlace as typeof createConnection };
  const socket = new WebSocket(url, { ...options.credentials, ...SOCKET_OPTIONS, ...connection });
  const link = new SocketLink(socket, options, true);
  link.attach(() => events);
  socket.on("upgrade", (response) => {
    link.wire = response.socket;
  });
  socket.on("open", () => link.open());
  socket.on("unexpected-response", (_, response) => {
    void refusalOf(response).then((why) => {
      link.explain(why);
      socket.terminate();
    });
  });
  return link;
}

/** The error in the answer of a server that refuses the link. Never rejects. */
async function refusalOf(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    for await (const chunk of response.setEncoding("utf8") as AsyncIterable<string>) {
      text += chunk;
      if (text.length > REFUSAL_UNITS_MAX) break;
    }
    const { code, detail } = JSON.parse(text) as { readonly code?: unknown; detail?: unknown };
    if (typeof code === "string" && typeof detail === "string") return `${code}: ${detail}`;
  } catch {
    // The server is not one of our programs, or its answer was cut off.
  }
  return `the server takes no link here (HTTP ${response.statusCode})`;
}
