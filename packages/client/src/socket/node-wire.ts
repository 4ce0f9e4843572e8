/**
 * A WebSocket of Node.js on `node:http`. The platform's own, which Node.js has from version 22 on, keeps a process alive as long as it is open, even
 * while nobody waits for anything. Modules are loaded without imports, which browsers could not resolve.
 */
import { FrameReader } from "./frame-reader.ts";
import { frameBytes, writeFrame } from "./frame-writer.ts";
import type { Dial, Wire, WireEnd, WireEvents } from "./wire.ts";

/** The part of `node:net`'s sockets that is used. */
interface NodeSocket {
  on(name: "data", listener: (chunk: Uint8Array) => void): this;
  on(name: "error", listener: (cause: Error) => void): this;
  on(name: "close", listener: () => void): this;
  write(bytes: Uint8Array): boolean;
  destroySoon(): void;
  destroy(): void;
  setNoDelay(isSet: boolean): void;
  setTimeout(ms: number, callback?: () => void): void;
  ref(): void;
  unref(): void;
}

interface NodeResponse {
  readonly statusCode?: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

interface NodeRequest {
  on(name: "socket", listener: (socket: NodeSocket) => void): this;
  on(name: "error", listener: (cause: Error) => void): this;
  on(name: "response", listener: (response: NodeResponse) => void): this;
  on(
    name: "upgrade",
    listener: (response: NodeResponse, socket: NodeSocket, head: Uint8Array) => void,
  ): this;
  end(): void;
  destroy(): void;
}

interface NodeHttp {
  readonly request: (url: string, options: object) => NodeRequest;
}

interface NodeCrypto {
  readonly createHash: (name: string) => {
    update(text: string): { digest(encoding: string): string };
  };
}

interface Platform {
  readonly process?: {
    readonly release?: { readonly name?: string };
    readonly versions?: Readonly<Record<string, string | undefined>>;
    readonly getBuiltinModule?: (name: string) => unknown;
    readonly nextTick?: (callback: () => void) => void;
  };
}

/** What servers add to a key before they hash it, by RFC 6455. */
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** How long the last bytes may take to leave when the connection is closed, in milliseconds. */
const CLOSING_MS = 2_000;

const OPCODE = { binary: 2, close: 8, pong: 10 } as const;

/** Connects by `node:http`; undefined on other platforms. */
export function nodeDial(): Dial | undefined {
  const { process } = globalThis as Platform;
  const { getBuiltinModule, nextTick, release, versions } = process ?? {};
  const isNode =
    release?.name === "node" && versions?.["bun"] === undefined && !("Deno" in globalThis);
  if (!isNode || getBuiltinModule === undefined || nextTick === undefined) return undefined;
  const load = (name: string): unknown => getBuiltinModule.call(process, name);
  return (url, protocol, events) => {
    const { request } = load(url.startsWith("wss:") ? "node:https" : "node:http") as NodeHttp;
    const { createHash } = load("node:crypto") as NodeCrypto;
    const accept = (key: string): string =>
      createHash("sha1")
        .update(key + GUID)
        .digest("base64");
    return new NodeWire({ request, accept, nextTick }, { url, protocol }, events);
  };
}

interface NodeParts {
  readonly request: NodeHttp["request"];
  readonly accept: (key: string) => string;
  readonly nextTick: (callback: () => void) => void;
}

interface Target {
  readonly url: string;
  readonly protocol: string;
}

/** Whether a server that has answered an upgrade so has no WebSocket here, rather than none now. */
function isFinal(status: number = 0): boolean {
  return status < 500 && status !== 429;
}

class NodeWire implements Wire {
  readonly #parts: NodeParts;
  readonly #events: WireEvents;
  readonly #request: NodeRequest;
  #connecting: NodeSocket | undefined;
  #socket: NodeSocket | undefined;
  #isHeld = false;
  #queue: { readonly opcode: number; readonly bytes: Uint8Array }[] = [];
  #isEnding = false;
  #isOver = false;
  /** How the server says that it ends. */
  #said: { readonly code: number; readonly reason: string } | undefined;

  constructor(parts: NodeParts, { url, protocol }: Target, events: WireEvents) {
    this.#parts = parts;
    this.#events = events;
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
    const headers = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
      "Sec-WebSocket-Protocol": protocol,
    };
    const plainUrl = url.replace(/^ws/, "http");
    this.#request = parts.request(plainUrl, { headers, agent: false });
    this.#request
      .on("socket", (socket) => {
        this.#connecting = socket;
        this.hold(this.#isHeld);
      })
      .on("error", (cause) => this.#over({ isRefused: false, reason: cause.message }))
      .on("response", ({ statusCode }) => {
        this.#request.destroy();
        this.#over({ isRefused: isFinal(statusCode), reason: `answered HTTP ${statusCode}` });
      })
      .on("upgrade", ({ headers: told }, socket, head) => {
        const isOurs =
          told["sec-websocket-accept"] === parts.accept(key) &&
          told["sec-websocket-protocol"] === protocol;
        if (isOurs && !this.#isOver) return this.#open(socket, head);
        socket.destroy();
        return this.#over({ isRefused: true, reason: "answered another upgrade" });
      })
      .end();
  }

  send(message: Uint8Array): void {
    this.#write(OPCODE.binary, message);
  }

  close(): void {
    if (this.#isEnding) return;
    if (this.#socket === undefined) this.#request.destroy();
    else {
      this.#write(OPCODE.close, Uint8Array.of(0x03, 0xe8));
      this.#flush();
      this.#isEnding = true;
      const socket = this.#socket;
      socket.destroySoon();
      // A network that has lost the connection takes nothing any more.
      socket.setTimeout(CLOSING_MS, () => socket.destroy());
    }
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    const socket = this.#socket ?? this.#connecting;
    if (isHeld) socket?.ref();
    else socket?.unref();
  }

  #open(socket: NodeSocket, head: Uint8Array): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    this.hold(this.#isHeld);
    const reader = new FrameReader({
      message: this.#events.message,
      ping: (payload) => this.#write(OPCODE.pong, payload),
      close: (code, reason) => {
        this.#said = { code, reason };
        this.close();
      },
    });
    const take = (chunk: Uint8Array): void => {
      if (this.#isEnding) return;
      try {
        reader.take(chunk);
        if (reader.isPartial) this.#events.progress();
      } catch (cause) {
        this.#fail(cause as Error);
      }
    };
    socket
      .on("error", (cause) => this.#fail(cause))
      .on("close", () => this.#over({ isRefused: false, reason: "the connection has ended" }))
      .on("data", take);
    this.#events.opened();
    if (head.length > 0) take(head);
  }

  #fail({ message }: Error): void {
    this.#isEnding = true;
    this.#socket?.destroy();
    this.#over({ isRefused: false, reason: message });
  }

  #over(end: Omit<WireEnd, "code">): void {
    if (this.#isOver) return;
    this.#isOver = this.#isEnding = true;
    const { code, reason = end.reason } = this.#said ?? {};
    this.#events.closed({ ...end, code, reason });
  }

  #write(opcode: number, bytes: Uint8Array): void {
    if (this.#isEnding) return;
    if (this.#queue.push({ opcode, bytes }) === 1) this.#parts.nextTick(() => this.#flush());
  }

  /** Writes all that waits at once. */
  #flush(): void {
    const queue = this.#queue;
    if (queue.length === 0 || this.#isEnding) return;
    this.#queue = [];
    let length = 0;
    for (const { bytes } of queue) length += frameBytes(bytes);
    const whole = new Uint8Array(length);
    let at = 0;
    for (const { opcode, bytes } of queue) at = writeFrame(whole, at, opcode, bytes);
    this.#socket?.write(whole);
  }
}
