import type { Dial } from "./wire.ts";

/** The platform's WebSocket, as browsers, workers, Deno and Bun have one. */
interface PlatformSocket {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array): void;
  close(): void;
  addEventListener(name: "open", listener: () => void): void;
  addEventListener(name: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    name: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

interface Platform {
  readonly WebSocket?: new (url: string, protocol: string) => PlatformSocket;
}

/** The code of an end without a close message, by the platform. */
const NO_CLOSE = 1006;

/** Connects by the platform's WebSocket; undefined if there is none. */
export function plainDial(): Dial | undefined {
  const { WebSocket } = globalThis as Platform;
  if (WebSocket === undefined) return undefined;
  return (url, protocol, events) => {
    const socket = new WebSocket(url, protocol);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => events.opened());
    socket.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) events.message(new Uint8Array(data));
      else socket.close();
    });
    socket.addEventListener("close", ({ code, reason }) => {
      events.closed({ code: code === NO_CLOSE ? undefined : code, isRefused: false, reason });
    });
    return {
      send: (message) => socket.send(message),
      close: () => socket.close(),
      hold: () => {},
    };
  };
}
