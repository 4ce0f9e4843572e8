import { once } from "node:events";

import { readBinaryMessage } from "@meridian/protocol/binary-socket-api";
import {
  SOCKET_API,
  SOCKET_PATH,
  socketError,
  socketPosition,
  socketResult,
  type SocketRequestType,
} from "@meridian/protocol/socket-api";
import { SOCKET_TONGUES, type SocketTongue } from "@meridian/testkit";
import * as v from "valibot";
import { afterAll, expect, onTestFinished } from "vitest";
import { WebSocket, type ClientOptions } from "ws";

import { testNode, type TestNode, type TestNodeOptions } from "./harness.ts";

/** A message of a node. */
export type Told = Readonly<Record<string, unknown>>;

/** How a connection ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** Messages that are no answers. */
const PUSHED: ReadonlySet<unknown> = new Set(["changes", "reload", "position"]);

/** A message, with the times that a `position` has in the binary subprotocol. */
function wholeOf(told: Told, data: Uint8Array): Told {
  if (told["type"] !== "position" || "elapsedMs" in told) return told;
  const message = readBinaryMessage(data);
  if (message.kind !== "position") return told;
  const { elapsedMs, nowMs } = message;
  return { ...told, elapsedMs, nowMs };
}

/** A client that holds every answer to its schema. */
export class SocketClient {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  /** Every message that has come and that nobody has taken. */
  readonly heard: Told[] = [];
  #news: (() => void)[] = [];
  readonly #types = new Map<unknown, SocketRequestType>();
  readonly #tongue: SocketTongue;
  #nextId = 1;

  private constructor(socket: WebSocket, tongue: SocketTongue) {
    this.socket = socket;
    this.#tongue = tongue;
    socket.on("message", (data: Buffer) => {
      this.heard.push(this.#checked(wholeOf(tongue.read(data), data)));
      for (const tell of this.#news.splice(0)) tell();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        for (const tell of this.#news.splice(0)) tell();
      });
    });
  }

  /** Connects to a port of this machine. */
  static async open(
    port: number,
    options: ClientOptions = {},
    tongue: SocketTongue = SOCKET_TONGUES.json(),
  ): Promise<SocketClient> {
    const url = `ws://127.0.0.1:${port}${SOCKET_PATH}`;
    const client = new SocketClient(new WebSocket(url, [tongue.protocol], options), tongue);
    await once(client.socket, "open");
    return client;
  }

  /** Asks, and resolves to the whole answer. */
  async ask(request: Told): Promise<Told> {
    const id = this.send(request);
    return this.take((told) => told["id"] === id && !PUSHED.has(told["type"]));
  }

  /** Asks, and resolves to the result. Rejects with the code of an error. */
  async result(request: Told): Promise<Told> {
    const { result, error } = await this.ask(request);
    if (result !== undefined) return result as Told;
    throw new Error(JSON.stringify(error));
  }

  /** Asks, and resolves to the code of the error, or `ok`. */
  async code(request: Told): Promise<unknown> {
    const { error } = await this.ask(request);
    return error === undefined ? "ok" : (error as Told)["code"];
  }

  /** Sends a request, and returns its id. */
  send(request: Told): unknown {
    const { id = this.#nextId } = request;
    this.#nextId += 1;
    this.#types.set(id, request["type"] as SocketRequestType);
    this.socket.send(this.#tongue.write({ id, ...request }));
    return id;
  }

  /** Takes the first message that is so. */
  async take(isWanted: (told: Told) => boolean = () => true): Promise<Told> {
    for (;;) {
      const index = this.heard.findIndex(isWanted);
      const [told] = index < 0 ? [] : this.heard.splice(index, 1);
      if (told !== undefined) return told;
      if (this.socket.readyState >= WebSocket.CLOSING) throw new Error("The connection is closed");
      await new Promise<void>((resolve) => this.#news.push(resolve));
    }
  }

  close(): void {
    this.socket.terminate();
  }

  #checked(told: Told): Told {
    if (told["type"] === "error") {
      v.parse(v.strictObject(socketError.entries), told);
    } else if (told["type"] === "position") {
      v.parse(v.strictObject(socketPosition.entries), told);
    } else if (told["type"] === "result") {
      v.parse(v.strictObject(socketResult.entries), told);
      const type = this.#types.get(told["id"]);
      if (type !== undefined) v.parse(SOCKET_API[type].result as v.GenericSchema, told["result"]);
    }
    return told;
  }
}

/** Opens a connection that ends with the test. */
export async function openForTest(
  port: number,
  tongue: keyof typeof SOCKET_TONGUES = "json",
): Promise<SocketClient> {
  const opened = await SocketClient.open(port, {}, SOCKET_TONGUES[tongue]());
  onTestFinished(() => opened.close());
  return opened;
}

/** What the level `name` of a region is now; -1 if it has none of that name. */
export function levelOf({ node }: TestNode, name: string): number {
  return node.metrics.levels().find((each) => each.name === name)?.now ?? -1;
}

/** Gives the turns of the event loop to others until it is so. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000 && !isSo(); turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(isSo()).toBe(true);
}

/** A node that serves WebSockets, its port, and a client with a connection to it: for the tests of one file, after which all of it is closed. */
export async function serveSockets(
  options: TestNodeOptions,
): Promise<{ region: TestNode; port: number; client: SocketClient }> {
  const region = await testNode(options);
  const port = await region.serve();
  const client = await SocketClient.open(port);
  afterAll(async () => {
    client.close();
    await region.close();
  });
  return { region, port, client };
}
