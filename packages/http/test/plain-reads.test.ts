/** Which bytes are answered below node:http, which are not, and that a connection is served alike by both. */
import { once } from "node:events";
import { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Duplex } from "node:stream";

import { problemAnswer, type HttpHandlers, type HttpServer, type PlainRead } from "@meridian/http";
import { describe, expect, it, vi } from "vitest";

import { authority, certificateOf } from "./certificates.ts";
import { connectTo, levelOf, startServer } from "./harness.ts";

const PATIENT = { timeout: 10_000, interval: 10 };

/** Tells by whom a request was answered. */
const BOTH: HttpHandlers = {
  request: (incoming, outgoing) => {
    incoming.resume();
    incoming.on("end", () => outgoing.end(`node ${incoming.method} ${incoming.url}`));
  },
  refuse: problemAnswer,
  read: ({ path }) =>
    /^\/[\w/]+$/.test(path) && !path.startsWith("/unknown")
      ? answerOf(`plain GET ${path}`)
      : undefined,
};

function answerOf(text: string): { head: string; body: Uint8Array } {
  const body = Buffer.from(text);
  return { head: `HTTP/1.1 200 OK\r\nContent-Length: ${body.byteLength}\r\n`, body };
}

const HOST = "Host: localhost\r\n";
const PLAIN = `GET /a HTTP/1.1\r\n${HOST}\r\n`;

/** One connection, and what has come back on it. */
class Conversation {
  readonly socket: Duplex;
  #text = "";
  readonly closed: Promise<unknown>;

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.#text += chunk.toString("latin1")));
    socket.on("error", () => {});
    this.closed = once(socket, "close");
  }

  get text(): string {
    return this.#text;
  }

  /** Sends bytes as one chunk, and waits for so many answers in all. */
  async ask(bytes: string, answers: number): Promise<void> {
    this.socket.write(Buffer.from(bytes, "latin1"));
    const hasAll = (): boolean =>
      this.#text.split("HTTP/1.1 ").length > answers && /\r\n\r\n./.test(this.#text);
    await vi.waitUntil(hasAll, PATIENT);
  }
}

async function start(options: Parameters<typeof startServer>[0] = {}): Promise<HttpServer> {
  const server = await startServer(options);
  server.handle(BOTH);
  return server;
}

const withHeader = (line: string): string => `GET /a HTTP/1.1\r\n${HOST}${line}\r\n\r\n`;

describe("what common clients send", () => {
  const curl = "User-Agent: curl/8.5.0\r\nAccept: */*";
  const go = "User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip";
  const python =
    "User-Agent: python-requests/2.31.0\r\nAccept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive";
  const undici =
    "connection: keep-alive\r\naccept: */*\r\naccept-language: *\r\nsec-fetch-mode: cors\r\nuser-agent: node\r\naccept-encoding: gzip, deflate";
  const told = "Authorization: Bearer a.b.c\r\nMeridian-Position: 1.2\r\nMeridian-Wait-Ms: 5";
  it.each([PLAIN, ...[curl, go, python, undici, told].map(withHeader)])(
    "is answered below node:http, again and again: %j",
    async (bytes) => {
      const conversation = new Conversation(connectTo(await start()));
      for (let read = 1; read < 4; read += 1) await conversation.ask(bytes, read);
      expect(conversation.text.match(/\w+ GET \/a/g)).toEqual(Array(3).fill("plain GET /a"));
      conversation.socket.destroy();
    },
  );

  it("says of its headers what the reader asks for", async () => {
    const server = await startServer();
    const reads: PlainRead[] = [];
    server.handle({ ...BOTH, read: (read) => (reads.push(read), answerOf("said")) });
    const conversation = new Conversation(connectTo(server));
    await conversation.ask(withHeader(told), 1);
    expect(reads).toMatchObject([
      {
        path: "/a",
        from: "127.0.0.1",
        head: {
          host: "localhost",
          authorization: "Bearer a.b.c",
          position: "1.2",
          waitMs: "5",
          traceparent: undefined,
          bodyBytes: undefined,
        },
      },
    ]);
    expect(Object.fromEntries(reads[0]?.head.headers ?? [])).toEqual({
      host: "localhost",
      authorization: "Bearer a.b.c",
      "meridian-position": "1.2",
      "meridian-wait-ms": "5",
    });
    conversation.socket.destroy();
  });
});

/** What is no plain read, by why. */
const OTHERS: readonly (readonly [string, string])[] = [
  ["another method", `HEAD /a HTTP/1.1\r\n${HOST}\r\n`],
  ["a path that the reader does not know", `GET /unknown HTTP/1.1\r\n${HOST}\r\n`],
  ["another version", `GET /a HTTP/1.0\r\n${HOST}\r\n`],
  ["two requests", PLAIN + PLAIN],
  ["a name in another case", `get /a HTTP/1.1\r\n${HOST}\r\n`],
  ["an absolute target", `GET http://localhost/a HTTP/1.1\r\n${HOST}\r\n`],
  ["a second blank", `GET  /a HTTP/1.1\r\n${HOST}\r\n`],
  ["no host", "GET /a HTTP/1.1\r\n\r\n"],
  ["an empty host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n"],
  ["two hosts", withHeader("Host: localhost")],
  ["a host that is not allowed", "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n"],
  ["a host that is none", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"],
  ["a header twice", withHeader("Accept: a\r\naccept: b")],
  ["an unknown header", withHeader("X-Custom: 1")],
  ["an origin", withHeader("Origin: https://example.org")],
  ["a condition", withHeader("If-None-Match: *")],
  ["a request id", withHeader("X-Request-Id: 1")],
  ["a range", withHeader("Range: bytes=0-1")],
  ["the end of the connection", withHeader("Connection: close")],
  ["an option of the connection", withHeader("Connection: keep-alive, upgrade")],
  ["an offer", withHeader("Connection: Upgrade\r\nUpgrade: h2c")],
  ["an expectation", withHeader("Expect: 100-continue")],
  ["an announced body", withHeader("Content-Length: 0")],
  ["a body", `${withHeader("Content-Length: 3")}abc`],
  ["a body behind a plain head", `${PLAIN}abc`],
  ["a chunked body", `${withHeader("Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["lengths that disagree", withHeader("Content-Length: 1\r\nTransfer-Encoding: chunked")],
  ["a folded line", withHeader("Accept: a\r\n b")],
  ["a blank before a colon", withHeader("Accept : a")],
  ["a blank before a name", withHeader(" Accept: a")],
  ["two blanks before a value", withHeader("Accept:  a")],
  ["a blank behind a value", withHeader("Accept: a ")],
  ["a tab", withHeader("Accept:\ta")],
  ["an empty value", withHeader("Accept:")],
  ["a byte beyond ASCII", withHeader("Accept: \xe9")],
  ["a NUL", withHeader("Accept: \0")],
  ["a bare line feed", `GET /a HTTP/1.1\n${HOST}\r\n\r\n`],
  ["a bare line feed between headers", withHeader("Accept: a\nX-Custom: 1")],
  ["a bare carriage return", withHeader("Accept: a\rX-Custom: 1")],
  ["an empty line in front", `\r\n${PLAIN}`],
  ["a line without a colon", withHeader("Accept")],
  ["a head that is large", withHeader(`Accept: ${"a".repeat(9_000)}`)],
];

describe("what is anything else", () => {
  it.each(OTHERS)("%s is for node:http", async (_, bytes) => {
    const conversation = new Conversation(connectTo(await start()));
    await conversation.ask(PLAIN, 1);
    conversation.socket.write(Buffer.from(bytes, "latin1"));
    // What the parser waits for, or stumbles over, ends with the connection.
    conversation.socket.end();
    await conversation.closed;
    expect(conversation.text.match(/plain GET/g)).toEqual(["plain GET"]);
  });

  it("is put back whole, and so is all that follows", async () => {
    const conversation = new Conversation(connectTo(await start()));
    await conversation.ask(PLAIN, 1);
    await conversation.ask(`PUT /b HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`, 2);
    await conversation.ask(PLAIN, 3);
    expect(conversation.text.match(/\w+ (GET|PUT) \/\w/g)).toEqual([
      "plain GET /a",
      "node PUT /b",
      "node GET /a",
    ]);
    conversation.socket.destroy();
  });

  it("may come in parts, cut anywhere", async () => {
    const server = await start();
    for (let cut = 1; cut < PLAIN.length; cut += 5) {
      const conversation = new Conversation(connectTo(server));
      await conversation.ask(PLAIN, 1);
      conversation.socket.write(PLAIN.slice(0, cut));
      // Nothing tells when a server has read what it cannot answer: it may have come as one.
      await new Promise((resolve) => setImmediate(resolve));
      await conversation.ask(PLAIN.slice(cut), 2);
      expect(conversation.text.match(/\w+ GET \/a/g)).toHaveLength(2);
      conversation.socket.destroy();
    }
  });

  it("is what a reader throws at", async () => {
    const server = await startServer();
    server.handle({
      ...BOTH,
      read: () => {
        throw new Error("a bug");
      },
    });
    const conversation = new Conversation(connectTo(server));
    await conversation.ask(PLAIN, 1);
    expect(conversation.text).toContain("node GET /a");
    conversation.socket.destroy();
  });
});

describe("a connection below node:http", () => {
  const timeouts = {
    headersTimeout: 300,
    requestTimeout: 400,
    keepAliveTimeout: 100,
    connectionsCheckingInterval: 20,
  };

  it("ends where nothing comes, where half a request does, and where it is idle", async () => {
    const server = await start({ timeouts });
    const [silent, half, idle] = ["", PLAIN.slice(0, 20), PLAIN].map((bytes) => {
      const conversation = new Conversation(connectTo(server));
      conversation.socket.write(bytes);
      return conversation;
    });
    await Promise.all([silent?.closed, half?.closed, idle?.closed]);
    expect(silent?.text).toBe("");
    expect(half?.text).toMatch(/^HTTP\/1.1 408 /);
    expect(idle?.text.split("HTTP/1.1 ")).toHaveLength(2);
  });

  it("counts as one, ends with the server, and with its client's half", async () => {
    const server = await start();
    const [one, other] = [new Conversation(connectTo(server)), new Conversation(connectTo(server))];
    await one.ask(PLAIN, 1);
    await other.ask(PLAIN, 1);
    expect(levelOf(server, "httpConnections")?.now).toBe(2);
    one.socket.end();
    await one.closed;
    await expect.poll(() => levelOf(server, "httpConnections")?.now, PATIENT).toBe(1);
    await Promise.all([server.close(60_000), other.closed]);
  });

  it("is reset by its client without harm", async () => {
    const server = await start();
    const socket = connectTo(server);
    const conversation = new Conversation(socket);
    await conversation.ask(PLAIN, 1);
    socket.resetAndDestroy();
    await expect.poll(() => levelOf(server, "httpConnections")?.now, PATIENT).toBe(0);
  });

  it("waits for its turn like all others, and keeps its order", async () => {
    let nowMs = 0;
    const server = await startServer({
      clock: { nowMs: () => 0, elapsedMs: () => (nowMs += 6), after: () => () => {} },
    });
    server.handle(BOTH);
    const conversations = Array.from({ length: 20 }, () => new Conversation(connectTo(server)));
    await Promise.all(
      conversations.map(async (conversation) => {
        for (let read = 1; read < 5; read += 1) await conversation.ask(PLAIN, read);
      }),
    );
    for (const { text, socket } of conversations) {
      expect(text.match(/\w+ GET \/a/g)).toEqual(Array(4).fill("plain GET /a"));
      socket.destroy();
    }
  });

  it("speaks TLS, too", async () => {
    const root = await authority("root");
    const server = await start({ certificate: await certificateOf(root) });
    const { port } = server;
    const conversation = new Conversation(connectTls({ port, host: "127.0.0.1", ca: root.cert }));
    for (let read = 1; read < 4; read += 1) await conversation.ask(PLAIN, read);
    await conversation.ask(`PUT /b HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`, 4);
    await conversation.ask(PLAIN, 5);
    expect(conversation.text.match(/\w+ (GET|PUT) \/\w/g)?.join()).toBe(
      "plain GET /a,plain GET /a,plain GET /a,node PUT /b,node GET /a",
    );
    conversation.socket.destroy();
  });
});

/** In which order the reads of three connections are read and answered whose requests come in one turn. */
async function orderOfTurn(server: HttpServer, connect: () => Duplex): Promise<string> {
  const told: string[] = [];
  server.handle({ ...BOTH, read: ({ path }) => (told.push(`reads ${path}`), answerOf(path)) });
  const conversations = ["/a", "/b", "/c"].map((path) => ({
    bytes: PLAIN.replace("/a", path),
    conversation: new Conversation(connect()),
  }));
  // From then on, all of them are read in one turn, unless a busy machine brings them later.
  for (const { bytes, conversation } of conversations) await conversation.ask(bytes, 1);
  told.length = 0;
  // oxlint-disable-next-line typescript/unbound-method -- called with the socket that it was called for
  const { write } = Socket.prototype;
  const spy = vi.spyOn(Socket.prototype, "write").mockImplementation(function (
    this: Socket,
    ...given
  ) {
    const answer = /^HTTP.*\r\n\r\n(\/\w)$/s.exec(String(given[0]));
    if (answer !== null) told.push(`writes ${answer[1]}`);
    return write.apply(this, given as Parameters<Socket["write"]>);
  });
  await Promise.all(
    conversations.map(({ bytes, conversation }) => conversation.ask(bytes, 2)),
  ).finally(() => spy.mockRestore());
  for (const { conversation } of conversations) conversation.socket.destroy();
  return told.join();
}

describe("the answers of one turn", () => {
  it("leave together at its end, but for the first", async () => {
    const server = await startServer();
    const order = (): Promise<string> => orderOfTurn(server, () => connectTo(server));
    await expect
      .poll(order, PATIENT)
      .toMatch(/^reads (..),writes \1,reads (..),reads (..),writes \2,writes \3$/);
  });

  it("leave one by one where they are enciphered", async () => {
    const root = await authority("root");
    const server = await startServer({ certificate: await certificateOf(root) });
    const { port } = server;
    const open = (): Duplex => connectTls({ port, host: "127.0.0.1", ca: root.cert });
    expect(await orderOfTurn(server, open)).toMatch(
      /^reads (..),writes \1,reads (..),writes \2,reads (..),writes \3$/,
    );
  });

  it("leave before anything else is done for their connection", async () => {
    const server = await start();
    const [first, half, other] = Array.from(
      { length: 3 },
      () => new Conversation(connectTo(server)),
    );
    for (const each of [first, half, other]) await each?.ask(PLAIN, 1);
    first?.socket.write(PLAIN);
    // The end of the client's half comes with its request, and a request for node:http right behind one that waits.
    half?.socket.end(PLAIN);
    other?.socket.write(PLAIN);
    other?.socket.write(withHeader("X-Custom: 1"));
    await half?.closed;
    expect(half?.text.match(/plain GET/g)).toHaveLength(2);
    await vi.waitUntil(() => other?.text.includes("node GET"), PATIENT);
    expect(other?.text.match(/(plain|node) GET/g)).toHaveLength(3);
    for (const each of [first, other]) each?.socket.destroy();
  });
});
