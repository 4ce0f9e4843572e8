import { SOCKET_PATH, SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import { WebSocket } from "ws";

/** A message of a WebSocket. */
export type Told = Readonly<Record<string, unknown>>;

/** Opens the WebSocket of a region. What goes wrong with it shows as its end. */
export function openSocket(url: string): WebSocket {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}${SOCKET_PATH}`, SOCKET_PROTOCOL);
  socket.on("error", () => {});
  return socket;
}
