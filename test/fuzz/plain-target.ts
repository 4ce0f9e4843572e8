/** The recognizer of plain reads, against the parser of node:http: whatever the one takes, the other reads alike. */
import { createServer, type IncomingMessage } from "node:http";
import { Duplex } from "node:stream";

import { plainHeadOf, splitPlain } from "@meridian/http";

import type { Target } from "./targets.ts";

/** What readers of plain reads look at: they know no path with other characters. */
const READABLE = /^[\x21-\x7e]+$/;

/** The fields of a plain head, by the names of their headers. */
const FIELDS = {
  host: "host",
  authorization: "authorization",
  position: "meridian-position",
  waitMs: "meridian-wait-ms",
  traceparent: "traceparent",
} as const;

const read = (target: string, ...lines: readonly string[]): Uint8Array =>
  Buffer.from([`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n"), "latin1");

export function plainTarget(): Promise<Target> {
  const parser = new NodeParser();
  const take = (input: Buffer): string | Promise<string> => {
    const split = splitPlain(input);
    if (split === undefined) return "left to node:http by its form";
    const head = plainHeadOf(split.lines);
    if (head === undefined) return "left to node:http by its headers";
    if (!READABLE.test(split.path)) return "no reader knows the path";
    return compare(input, split.path, head, parser);
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
    ],
    take,
  });
}

async function compare(
  input: Buffer,
  path: string,
  head: NonNullable<ReturnType<typeof plainHeadOf>>,
  parser: NodeParser,
): Promise<string> {
  const requests = await parser.read(input);
  const [request] = requests;
  if (request === undefined || requests.length !== 1) {
    throw new Error(`Expected one request by node:http, got ${requests.length}`);
  }
  const { method, url, headers, httpVersion, rawHeaders } = request;
  const isAlike =
    method === "GET" && url === path && httpVersion === "1.1" && request.bytesOfBody === 0;
  if (!isAlike) throw new Error(`Expected GET ${path} by node:http, got ${method} ${url}`);
  for (const [field, name] of Object.entries(FIELDS)) {
    const [plain, nodes] = [head[field as keyof typeof FIELDS], headers[name]];
    if (plain !== nodes) {
      throw new Error(`Expected \`${name}\` to be ${String(nodes)}, got ${String(plain)}`);
    }
  }
  return `plain, of ${rawHeaders.length / 2} headers`;
}

type ReadRequest = IncomingMessage & { bytesOfBody: number };

/** Has node:http read bytes that come on a connection, as one piece. */
class NodeParser {
  readonly #server = createServer();
  #requests: ReadRequest[] = [];

  constructor() {
    this.#server.on("request", (incoming) => {
      const request = Object.assign(incoming, { bytesOfBody: 0 });
      this.#requests.push(request);
      request.on("data", (chunk: Buffer) => (request.bytesOfBody += chunk.byteLength));
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
