/** The recognizer of plain requests, against the parser of node:http: whatever the one takes, the other reads alike. */
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";

import { plainHeadOf, splitPlain } from "@meridian/http";

import type { Target } from "./targets.ts";

/** What is looked at of plain requests: nobody takes a path with other characters. */
const READABLE = /^[\x21-\x7e]+$/;

/** The fields of a plain head, by the names of their headers. */
const FIELDS = {
  host: "host",
  authorization: "authorization",
  position: "meridian-position",
  waitMs: "meridian-wait-ms",
  traceparent: "traceparent",
} as const;

/** A plain request as it was recognized. */
type Recognized = NonNullable<ReturnType<typeof splitPlain>> & {
  readonly head: NonNullable<ReturnType<typeof plainHeadOf>>;
};

const read = (target: string, ...lines: readonly string[]): Uint8Array =>
  Buffer.from([`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n"), "latin1");

const write = (target: string, body: string, ...lines: readonly string[]): Uint8Array => {
  const head = [`PUT ${target} HTTP/1.1`, ...lines, `Content-Length: ${body.length}`, "", body];
  return Buffer.from(head.join("\r\n"), "latin1");
};

export function plainTarget(): Promise<Target> {
  const parser = new NodeParser();
  const take = (input: Buffer): string | Promise<string> => {
    const split = splitPlain(input);
    if (split === undefined) return "left to node:http by its form";
    const head = plainHeadOf(split.lines);
    if (head === undefined) return "left to node:http by its headers";
    if (head.bodyBytes !== split.body?.byteLength) return "left to node:http by its length";
    if (!READABLE.test(split.path)) return "no reader knows the path";
    return compare(input, { ...split, head }, parser);
  };
  return Promise.resolve({
    name: "plain-read",
    seeds: [
      read("/cache/a%20b", "Host: localhost"),
      read("/cache/a", "Host: 127.0.0.1:7401", "User-Agent: curl/8.5.0", "Accept: */*"),
      read(
        "/cache/user:1",
        "host: localhost",
        "connection: keep-alive",
        "authorization: Bearer a.b.c",
        "meridian-position: p1.1a.2b.3c.4d.5e",
        "meridian-wait-ms: 5",
        "meridian-deadline: 1767225600000",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "accept-language: *",
      ),
      read("/cache/a", "Host: a", "Content-Length: 0", "Transfer-Encoding: chunked"),
      Buffer.concat([read("/cache/a", "Host: a"), read("/cache/b", "Host: a")]),
      write("/cache/a", "value", "Host: a"),
      write("/cache/a?ttl=1h", "\0\xff\r\n\r\n", "Host: a", "content-type: text/plain"),
      write("/cache/a", "abc", "Host: a", "Transfer-Encoding: chunked"),
      Buffer.concat([write("/cache/a", "a", "Host: a"), read("/cache/b", "Host: a")]),
    ],
    take,
  });
}

async function compare(
  input: Buffer,
  { path, head, body }: Recognized,
  parser: NodeParser,
): Promise<string> {
  const requests = await parser.read(input);
  const [request] = requests;
  if (request === undefined || requests.length !== 1) {
    throw new Error(`Expected one request by node:http, got ${requests.length}`);
  }
  const { method, url, headers, httpVersion, rawHeaders } = request;
  const named = body === undefined ? "GET" : "PUT";
  const isAlike =
    method === named &&
    url === path &&
    httpVersion === "1.1" &&
    request.body.equals(body ?? NOTHING);
  if (!isAlike) throw new Error(`Expected ${named} ${path} by node:http, got ${method} ${url}`);
  for (const [name, value] of head.headers) {
    if (headers[name] !== value) throw new Error(`Expected \`${name}\` to be ${value}`);
  }
  for (const [field, name] of Object.entries(FIELDS)) {
    const [plain, nodes] = [head[field as keyof typeof FIELDS], headers[name]];
    if (plain !== nodes) {
      throw new Error(`Expected \`${name}\` to be ${String(nodes)}, got ${String(plain)}`);
    }
  }
  return `plain ${named}, of ${rawHeaders.length / 2} headers`;
}

const NOTHING = Buffer.alloc(0);

type ReadRequest = IncomingMessage & { body: Buffer };

/** Has node:http read bytes that come on a connection, as one piece. */
class NodeParser {
  readonly #server = createServer();
  #requests: ReadRequest[] = [];

  constructor() {
    this.#server.on("request", (incoming) => {
      const request = Object.assign(incoming, { body: NOTHING });
      this.#requests.push(request);
      request.on("data", (chunk: Buffer) => (request.body = Buffer.concat([request.body, chunk])));
    });
    this.#server.on("clientError", () => {});
  }

  /** The requests that are in the bytes, whole. */
  async read(input: Buffer): Promise<readonly ReadRequest[]> {
    while (this.#busy !== undefined) await this.#busy;
    this.#busy = this.#read(input);
    try {
      return await this.#busy;
    } finally {
      this.#busy = undefined;
    }
  }

  #busy: Promise<readonly ReadRequest[]> | undefined;

  async #read(input: Buffer): Promise<readonly ReadRequest[]> {
    this.#requests = [];
    const connection = new Duplex({ read: () => {}, write: (_, __, done) => done() });
    connection.on("error", () => {});
    this.#server.emit("connection", connection);
    connection.push(input);
    connection.push(null);
    await new Promise((resolve) => void connection.once("end", resolve));
    // What is at the end of the bytes is told a little later.
    await new Promise((resolve) => setImmediate(resolve));
    connection.destroy();
    return this.#requests.filter(({ complete }) => complete);
  }
}
