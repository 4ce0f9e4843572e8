/**
 * WebSockets of clients at a region that runs, in both subprotocols. An error without a code of its own, a close code that the document does not have, or
 * a ping that stays without an answer is a fault.
 */
import { once } from "node:events";

import { BINARY_SOCKET_PROTOCOL } from "@meridian/protocol/binary-socket-api";
import { SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import { WebSocket } from "ws";

import { PATIENCE_MS, regionTarget } from "./region-targets.ts";
import { BINARY_REQUESTS, SOCKET_REQUESTS, text, type Target } from "./targets.ts";

/** Connections are closed by a region in these ways only: too large, not UTF-8, or as WEBSOCKET.md has it. */
const CLOSES: ReadonlySet<number> = new Set([1007, 1009, 4408, 4413, 4416]);
/** So many messages go over one connection. */
const LIFE = 500;

/** How one of the subprotocols says and reads what the target needs. */
interface Dialect {
  readonly protocol: string;
  readonly isBinary: boolean;
  ping(number: number): string | Uint8Array;
  isPong(told: Buffer, number: number): boolean;
  kindOf(told: Buffer): string;
}

/** The code of the error that a message tells, if it tells one. */
function codeIn(told: string): string {
  const [, code = ""] = /"code":"(\w+)"/.exec(told) ?? [];
  return code;
}

const JSON_DIALECT: Dialect = {
  protocol: SOCKET_PROTOCOL,
  isBinary: false,
  ping: (number) => `{"id":"pong-${number}","type":"ping"}`,
  isPong: (told, number) => told.includes(`"id":"pong-${number}"`),
  kindOf: (told) => {
    const [, type = ""] = /"type":"(\w+)"/.exec(String(told)) ?? [];
    return `${type} ${codeIn(String(told))}`;
  },
};

/** Far from the ids of the requests in the seeds. */
const PONGS_FROM = 0xf0_00_00_00;
/** The code of a ping as a request, and of `error` as a message. */
const PING = 2;
const ERROR = 2;

const BINARY_DIALECT: Dialect = {
  protocol: BINARY_SOCKET_PROTOCOL,
  isBinary: true,
  ping: (number) => {
    const bytes = Buffer.alloc(7);
    bytes.writeUInt8(PING);
    bytes.writeUInt32BE(PONGS_FROM + number, 1);
    return bytes;
  },
  isPong: (told, number) => told.readUInt32BE(1) === PONGS_FROM + number,
  kindOf: (told) => {
    const kind = told.readUInt8();
    return `${kind} ${kind === ERROR ? codeIn(told.toString("latin1")) : ""}`;
  },
};

function dialectTarget(
  name: string,
  dialect: Dialect,
  seeds: readonly Uint8Array[],
): Promise<Target> {
  return regionTarget({
    name,
    seeds,
    take: ({ url }) => {
      const idle: SocketConversation[] = [];
      return async (input) => {
        const conversation = idle.pop() ?? (await SocketConversation.open(url, dialect));
        const outcome = await conversation.ask(input);
        if (conversation.isOpen) idle.push(conversation);
        return outcome;
      };
    },
  });
}

/** JSON messages. After each, the region still answers a ping. */
export const webSocketTarget = (): Promise<Target> =>
  dialectTarget("web-socket", JSON_DIALECT, text(...SOCKET_REQUESTS));

/** Binary messages. After each, the region still answers a ping. */
export const binaryWebSocketTarget = (): Promise<Target> =>
  dialectTarget("binary-web-socket", BINARY_DIALECT, BINARY_REQUESTS);

/** One WebSocket, asked one thing after the other. */
class SocketConversation {
  readonly #socket: WebSocket;
  readonly #dialect: Dialect;
  #asked = 0;
  #told: Buffer[] = [];
  #settle: ((closed?: number) => void) | undefined;

  private constructor(socket: WebSocket, dialect: Dialect) {
    this.#socket = socket;
    this.#dialect = dialect;
    socket.on("error", () => {});
    socket.on("message", (told: Buffer) => {
      if (dialect.isPong(told, this.#asked)) this.#settle?.();
      else this.#told.push(told);
    });
    socket.on("close", (code) => this.#settle?.(code));
  }

  static async open(url: string, dialect: Dialect): Promise<SocketConversation> {
    const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, [dialect.protocol]);
    await once(socket, "open");
    return new SocketConversation(socket, dialect);
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  async ask(input: Buffer): Promise<string> {
    this.#told = [];
    this.#asked += 1;
    const closed = await new Promise<number | undefined>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer to a ping")), PATIENCE_MS);
      this.#settle = (code) => {
        clearTimeout(timer);
        resolve(code);
      };
      this.#socket.send(input, { binary: this.#dialect.isBinary });
      this.#socket.send(this.#dialect.ping(this.#asked));
    });
    if (closed !== undefined && !CLOSES.has(closed)) throw new Error(`closed with ${closed}`);
    if (this.#asked === LIFE) this.#socket.close();
    const bad = this.#told.find((told) => told.includes('"code":"INTERNAL"'));
    if (bad !== undefined) throw new Error(String(bad));
    if (closed !== undefined) return `closed with ${closed}`;
    return this.#told
      .map((told) => this.#dialect.kindOf(told))
      .toSorted()
      .join(", ");
  }
}
