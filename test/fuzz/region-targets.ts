/**
 * A region that runs, and reads what comes over its sockets: whole requests, headers, JSON bodies. It may refuse all of that. An answer
 * 500, a silence, or an end without a reason is a fault.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startSmallRegion, until } from "@meridian/harness";
import { silentLogger } from "@meridian/runtime";

import { text, type Target } from "./targets.ts";

/** How long a target may take with one input, in milliseconds. */
export const PATIENCE_MS = 60_000;

/** What a target does with the region. */
type Parts = Pick<Target, "name" | "seeds"> & {
  readonly take: (region: { readonly port: number; readonly url: string }) => Target["take"];
};

/** A target of a region of its own, with few limits. */
export async function regionTarget({ name, seeds, take }: Parts): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-fuzz-"));
  const options = { id: "fuzz", data: folder, directory: "http://127.0.0.1:1", standalone: true };
  const region = await startSmallRegion({ ...options, logger: silentLogger, port: 0 });
  await until("it serves", () => region.status === "standalone");
  return {
    name,
    seeds,
    take: take(region),
    stop: async () => {
      await region.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

const KEYS = '{"keys":["a","b"]}';
const SET = '{"entries":[{"key":"a","value":"YQ==","encoding":"base64","ttl":"5m"}],"ack":"local"}';
const JSON_TYPE = "Content-Type: application/json\r\n";

/** A request as text. */
export const request = (line: string, body = "", more = ""): string =>
  `${line} HTTP/1.1\r\nHost: localhost\r\n${more}${body && `Content-Length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`;

/** Whole requests as bytes, each on a connection of its own. */
export function httpTarget(): Promise<Target> {
  return regionTarget({
    name: "http-request",
    seeds: text(
      request("GET /cache/a?stale=true", "", "Meridian-Position: p1.1.1.1\r\nIf-None-Match: *\r\n"),
      request(
        "PUT /cache/a%20b?ttl=5m",
        "value",
        'Content-Type: text/plain\r\nIf-Match: "1-1"\r\n',
      ),
      request("POST /batch/get", KEYS, JSON_TYPE),
      request("POST /batch/set", SET, JSON_TYPE),
      request("POST /cache?key=a&value=b"),
      request("GET /keys?prefix=a&limit=10&after=b", "", "Origin: http://x\r\nUpgrade: h2c\r\n"),
      'POST /batch/get HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"key\r\n0\r\n\r\n',
      request("GET /entries?after=a&through=b&limit=1") + request("GET /status"),
    ),
    take:
      ({ port }) =>
      (input) =>
        ask(port, input),
  });
}

/** Sends bytes over a connection of their own. Resolves with the outcome that the first answer stands for. */
export function ask(port: number, input: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let answer = "";
    socket.setTimeout(PATIENCE_MS, () => {
      socket.destroy();
      reject(new Error(`no answer, and no end, within ${PATIENCE_MS} ms`));
    });
    socket.on("data", (chunk: Buffer) => {
      if (answer.length < 4_096) answer += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      try {
        resolve(answerOf(answer));
      } catch (cause) {
        reject(cause as Error);
      }
    });
    socket.end(input);
  });
}

/** The outcome that an answer stands for. Throws for one of a fault. */
function answerOf(answer: string): string {
  const [, status = "closed"] = /^HTTP\/1\.1 (\d+)/.exec(answer) ?? [];
  const [, code = ""] = /"code":"(\w+)"/.exec(answer) ?? [];
  if (status === "500" || code === "INTERNAL") throw new Error(answer);
  return `${status} ${code}`;
}

/** The routes that take JSON, by the word that stands before the body in an input. */
const BODY_ROUTES: ReadonlySet<string> = new Set(["get", "set", "has", "delete"]);

/** JSON bodies of batches: the first line says of which route, the rest is the body. */
export function bodyTarget(): Promise<Target> {
  return regionTarget({
    name: "json-body",
    seeds: text(
      `get\n${KEYS}`,
      `has\n${KEYS}`,
      `delete\n{"keys":["a","ключ"],"ack":"local","timeout":"1s"}`,
      `set\n${SET}`,
      'set\n{"entries":[{"key":"a","value":{"b":[1,null,"\\u00e9"]},"encoding":"json","contentType":"a/b","ttl":5}]}',
    ),
    take: ({ port }) => {
      const idle: KeptConnection[] = [];
      return async (input) => {
        const end = input.indexOf("\n");
        const word = input.subarray(0, Math.max(0, end)).toString("latin1");
        const body = input.subarray(end + 1);
        const route = BODY_ROUTES.has(word) ? word : "get";
        const head = `POST /batch/${route} HTTP/1.1\r\nHost: localhost\r\n${JSON_TYPE}Content-Length: ${body.byteLength}\r\n\r\n`;
        const connection = idle.pop() ?? (await KeptConnection.open(port));
        const outcome = answerOf(await connection.ask(Buffer.concat([Buffer.from(head), body])));
        if (connection.isOpen) idle.push(connection);
        return `${route} ${outcome}`;
      };
    },
  });
}

/** One connection for many requests, one after the other, whose answers say how long they are. */
class KeptConnection {
  readonly #socket: Socket;
  #received = "";
  #resolve: ((answer: string) => void) | undefined;
  #late: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => this.#resolve?.(this.#received));
    socket.setTimeout(PATIENCE_MS, () => this.#late?.());
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      const end = this.#received.indexOf("\r\n\r\n");
      const [, length] = /\r\ncontent-length: *(\d+)/i.exec(this.#received.slice(0, end)) ?? [];
      if (length === undefined || this.#received.length < end + 4 + Number(length)) return;
      if (/\r\nconnection: close/i.test(this.#received.slice(0, end))) socket.destroy();
      this.#resolve?.(this.#received);
    });
  }

  static async open(port: number): Promise<KeptConnection> {
    const socket = connect({ port, host: "127.0.0.1" });
    await once(socket, "connect");
    return new KeptConnection(socket);
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  /** The answer as it came; what has come of it if the connection ends. */
  async ask(bytes: Buffer): Promise<string> {
    this.#received = "";
    const answer = new Promise<string>((resolve, reject) => {
      this.#resolve = resolve;
      this.#late = () => reject(new Error(`no answer within ${PATIENCE_MS} ms`));
    });
    this.#socket.write(bytes);
    return answer;
  }
}

/** Headers: an input is the lines of a read or a write of a key. */
export function headersTarget(): Promise<Target> {
  return regionTarget({
    name: "headers",
    seeds: text(
      'GET\nIf-None-Match: "1-1", W/"2-2"\nMeridian-Position: p1.1a.2b.3c.4d.5e\nMeridian-Wait-Ms: 5',
      "GET\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\ntracestate: a=b\nX-Request-Id: a.b-1",
      "GET\nAuthorization: Bearer a.b.c\nOrigin: http://localhost:3000\nAccept: application/json;q=0.5, */*",
      'PUT\nContent-Type: text/plain; charset="utf-8"\nIf-Match: "1-1"\nContent-Encoding: identity',
      "PUT\nMeridian-Deadline: 1767225600000\nContent-Type: text/plain",
      "PUT\nContent-Range: bytes 0-1/2\nIf-None-Match: *\nExpect: 100-continue",
      "GET\nConnection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "GET\nForwarded: for=1.2.3.4\nX-Forwarded-For: 1.2.3.4\nTransfer-Encoding: chunked\nTE: trailers",
    ),
    take:
      ({ port }) =>
      (input) => {
        const [method, ...lines] = input.toString("latin1").split("\n");
        const first = method === "PUT" ? "PUT /cache/a" : "GET /cache/a";
        const body = method === "PUT" ? "value" : "";
        return ask(port, Buffer.from(request(first, body, `${lines.join("\r\n")}\r\n`), "latin1"));
      },
  });
}
