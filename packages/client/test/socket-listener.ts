/** Lets a server of the world take WebSockets: their requests become those of HTTP, and the answers of HTTP theirs. */
import type { Server } from "node:http";
import type { Duplex } from "node:stream";

import { MeridianError, toProblem } from "@meridian/protocol";
import {
  errorMessage,
  foundResult,
  jsonResult,
  manyPart,
  manyResult,
  readBinaryRequest,
  resultMessage,
  unchangedResult,
} from "@meridian/protocol/binary-socket-api";
import {
  BINARY_SOCKET_PROTOCOL,
  SOCKET_PATH,
  type SocketRequest,
} from "@meridian/protocol/socket-api";
import { WebSocketServer, type WebSocket } from "ws";

import type { Call, Reply } from "./world.ts";

/** What a server does with requests. */
export interface SocketListenerOptions {
  readonly answer: (call: Call) => Reply | undefined;
  /** Answers are given once this resolves. */
  readonly holding: () => Promise<void> | undefined;
  /** How many requests are under way has changed. */
  readonly count: (change: number) => void;
}

/** The WebSockets of one server. */
export class SocketListener {
  readonly #options: SocketListenerOptions;
  readonly #server = new WebSocketServer({ noServer: true });
  /** The tokens that were shown, over all connections. */
  readonly tokens: string[] = [];
  /** How many connections there have been. */
  opened = 0;
  /** How upgrades are answered instead, by an HTTP status or not at all, and how many were. */
  refusing: number | "hung" | undefined;
  refused = 0;
  /** Members that it does not know, as an older node. */
  unknown: readonly string[] = [];
  /** The time that the answers to pings tell; undefined for an older node, which tells none. */
  nowMs: number | undefined;
  /** Whether pings get no answer. */
  isMute = false;

  constructor(options: SocketListenerOptions) {
    this.#options = options;
  }

  listen(server: Server): void {
    server.on("upgrade", (request, socket: Duplex, head) => {
      if (request.url !== SOCKET_PATH) return socket.destroy();
      if (this.refusing !== undefined) {
        this.refused += 1;
        if (this.refusing === "hung") return socket.on("end", () => socket.end()).resume();
        return socket.end(`HTTP/1.1 ${this.refusing} No\r\nContent-Length: 0\r\n\r\n`);
      }
      return this.#server.handleUpgrade(request, socket, head, (taken) => {
        this.opened += 1;
        if (taken.protocol !== BINARY_SOCKET_PROTOCOL) return taken.close(4426);
        taken.on("message", (data: Buffer) => void this.#take(taken, data));
        return undefined;
      });
    });
  }

  /** Closes all connections with a code; without one, they are cut. */
  close(code?: number): void {
    for (const socket of this.#server.clients) {
      if (code === undefined) socket.terminate();
      else socket.close(code, "as the test wants");
    }
  }

  async #take(socket: WebSocket, data: Buffer): Promise<void> {
    const read = readBinaryRequest(data);
    if ("error" in read) throw read.error;
    const { request } = read;
    const id = Number(request.id);
    if (request.type === "ping" && this.isMute) return;
    if (this.unknown.some((name) => name in request)) {
      const error = new MeridianError("UNKNOWN_OPTION", "Expected only known bits");
      return socket.send(errorMessage(id, undefined, JSON.stringify(toProblem(error))));
    }
    if (request.type === "auth") this.tokens.push(request.token);
    if (request.type === "auth" || request.type === "ping") {
      const told = request.type === "ping" ? { nowMs: this.nowMs } : {};
      socket.send(resultMessage(id, undefined, jsonResult(JSON.stringify(told))));
      return;
    }
    const { answer, holding, count } = this.#options;
    count(1);
    const reply = answer(callOf(request));
    if (reply === undefined) return;
    await holding();
    count(-1);
    socket.send(messageOf(id, request, reply));
  }
}

/** The HTTP request that says the same. */
export function callOf(request: SocketRequest): Call {
  const { position, waitMs, deadlineMs, traceparent, tracestate, ...others } = request as Readonly<
    Record<string, unknown>
  >;
  const { ifMatch, ifNoneMatch, contentType, ...rest } = others;
  const named = {
    traceparent,
    tracestate,
    "meridian-position": position,
    "meridian-wait-ms": waitMs,
    "meridian-deadline": deadlineMs,
    "if-match": ifMatch,
    "if-none-match": ifNoneMatch,
    "content-type": contentType,
  };
  const headers = Object.fromEntries(
    Object.entries(named).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value as string)]],
    ),
  );
  const { type, id: _, key, value, entries, ...options } = rest;
  const query = new URLSearchParams();
  for (const [name, option] of Object.entries(options)) {
    if (option !== undefined) query.set(name, String(option as string));
  }
  const call = { query, headers, body: Buffer.from((value as Uint8Array | undefined) ?? []) };
  const path = `/cache/${encodeURIComponent(String(key as string))}`;
  switch (type) {
    case "get":
      return { ...call, method: "GET", path };
    case "set":
      return { ...call, method: "PUT", path };
    case "delete":
      return { ...call, method: "DELETE", path };
    case "getMany":
      return {
        ...call,
        method: "POST",
        path: "/batch/get",
        body: jsonOf({ keys: options["keys"] }),
      };
    case "setMany": {
      const all = entries as readonly { readonly value: Uint8Array }[];
      const told = all.map((entry) => ({
        ...entry,
        value: Buffer.from(entry.value).toString("base64"),
        encoding: "base64",
      }));
      return { ...call, method: "POST", path: "/batch/set", body: jsonOf({ entries: told }) };
    }
    case "hasMany":
      return {
        ...call,
        method: "POST",
        path: "/batch/has",
        body: jsonOf({ keys: options["keys"] }),
      };
    case "entries":
      return { ...call, method: "GET", path: "/keys" };
    default:
      throw new Error(`Expected a request that the world knows, got ${String(type as string)}`);
  }
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The message that says what an answer over HTTP does. */
export function messageOf(id: number, request: SocketRequest, reply: Reply): Uint8Array {
  const { status, headers = {}, body = "" } = reply;
  const position = headers["meridian-position"];
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (status >= 400) {
    const isProblem = headers["content-type"] === "application/problem+json";
    const problem = isProblem ? (JSON.parse(bytes.toString()) as object) : { status };
    const retryAfter = headers["retry-after"];
    const rest = retryAfter && { retryable: true, retryAfterSeconds: Number(retryAfter) };
    const told = { ...problem, ...rest };
    return errorMessage(id, position, JSON.stringify(told));
  }
  const expiresAtMs = Number(headers["meridian-expires-at"] ?? 0) || null;
  const { etag = "", "content-type": contentType = "" } = headers;
  if (status === 304) return resultMessage(id, position, unchangedResult(etag, expiresAtMs));
  if (request.type === "get") {
    const entry = { etag, contentType, expiresAtMs, value: bytes };
    return resultMessage(id, position, foundResult(entry));
  }
  if (request.type !== "getMany") return resultMessage(id, position, jsonResult(bytes.toString()));
  const { entries } = JSON.parse(bytes.toString()) as { entries: readonly Told[] };
  const parts = entries.map((entry) =>
    manyPart(
      entry.found ? { ...entry, value: Buffer.from(entry.value, entry.encoding) } : undefined,
    ),
  );
  return resultMessage(id, position, manyResult(parts));
}

interface Told {
  readonly found: boolean;
  readonly value: string;
  readonly encoding: BufferEncoding;
  readonly etag: string;
  readonly contentType: string;
  readonly expiresAtMs: number | null;
}
