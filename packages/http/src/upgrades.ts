/**
 * What becomes of requests that ask for another protocol. An upgrade to a WebSocket goes to the listener of its path. Every other offer may be
 * ignored (RFC 9110, section 7.8): the request is served as if it had made none, such as those of clients that offer HTTP/2 with each first request
 * (`Upgrade: h2c`).
 *
 * node:http has let go of such a connection by the time that it tells of the offer. So the head of the request, without
 * the offer, is put back in front of what else has arrived, and the connection is given to the server anew.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** Takes the connection of a request that asked for a WebSocket. */
export type UpgradeListener = (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Whether a request asks for a WebSocket. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

/** The bytes of the head of a request, but for its offer of another protocol. */
export function headWithoutOffer({
  method,
  url,
  httpVersion,
  rawHeaders,
}: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    const kept = /^connection$/i.test(name) ? withoutOptions(value) : value;
    if (!OFFER.test(name) && !(kept === "" && value !== "")) lines.push(`${name}: ${kept}`);
  }
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

const OFFER = /^(upgrade|http2-settings)$/i;

function withoutOptions(connection: string): string {
  const options = connection.split(",").map((option) => option.trim());
  return options.filter((option) => !OFFER.test(option)).join(", ");
}
