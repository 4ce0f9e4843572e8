/** Which writes are begun below node:http, which are not, and what becomes of a connection while one is under way. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import {
  problemAnswer,
  textAnswer,
  type HttpServer,
  type HttpServerOptions,
  type OnPlainAnswer,
  type PlainWrite,
} from "@meridian/http";
import { describe, expect, it, vi } from "vitest";

import { splitPlain } from "../src/plain-read.ts";
import { authority, certificateOf } from "./certificates.ts";
import { connectTo, levelOf, startServer } from "./harness.ts";

const PATIENT = { timeout: 20_000, interval: 5 };
const HOST = "Host: localhost\r\n";

const put = (body = "abc", ...lines: readonly string[]): string =>
  `PUT /a HTTP/1.1\r\n${HOST}${lines.map((line) => `${line}\r\n`).join("")}Content-Length: ${body.length}\r\n\r\n${body}`;

function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}

/** A write that has begun below node:http. */
interface Begun {
  readonly write: PlainWrite;
  readonly answer: (text?: string, status?: number) => void;
  /** Answers with what plain connections write as it is. */
  readonly answerPlain: OnPlainAnswer;
  /** How often its writer was told that its client is gone. */
  ends: number;
}

/** A server, and the writes that its writer has begun. */
interface Served {
  readonly server: HttpServer;
  readonly begun: Begun[];
}

async function start(options: Partial<HttpServerOptions> = {}): Promise<Served> {
  const server = await startServer(options);
  const begun: Begun[] = [];
  server.handle({
    request: (incoming, outgoing) => {
      incoming.resume();
      incoming.on("end", () => outgoing.end(`node ${incoming.method} ${incoming.url}`));
    },
    refuse: problemAnswer,
    read: () => ({ head: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", body: "plain GET" }),
    write: (write, onAnswer) => {
      if (write.path.startsWith("/unknown")) return undefined;
      if (write.path.startsWith("/bad")) throw new Error("refused");
      const one: Begun = {
        write,
        answer: (text = "plain PUT", status = 200) =>
          onAnswer(textAnswer(status, "text/plain", text)),
        answerPlain: onAnswer,
        ends: 0,
      };
      begun.push(one);
      return () => (one.ends += 1);
    },
  });
  return { server, begun };
}

/** One connection, and what has come back on it. */
class Conversation {
  readonly socket: Socket;
  text = "";
  readonly closed: Promise<unknown>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.text += chunk.toString("utf8")));
    socket.on("error", () => {});
    this.closed = once(socket, "close");
  }

  send(bytes: string): void {
    this.socket.write(Buffer.from(bytes, "latin1"));
  }

  /** Resolves once something has come that is told so. */
  async hears(text: string): Promise<void> {
    await vi.waitUntil(() => this.text.includes(text), PATIENT);
  }
}

/** Resolves once so many writes have begun, to the last of them. */
async function begunOf({ begun }: Served, count: number): Promise<Begun> {
  await vi.waitUntil(() => begun.length >= count, PATIENT);
  const last = begun.at(-1);
  if (last === undefined) throw new Error("Expected a write");
  return last;
}

describe("the parts of a plain write", () => {
  it("do not keep its head in memory where its path is kept", () => {
    const collect = garbageCollector();
    const paths: string[] = [];
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < 2_000; index += 1) {
      const token = `Authorization: Bearer ${"t".repeat(4_000)}`;
      const text = put("abc", token).replace("/a ", `/a-key-that-is-not-short-${index} `);
      paths.push(splitPlain(Buffer.from(text))?.path ?? "");
    }
    collect();
    expect(paths.at(-1)).toBe("/a-key-that-is-not-short-1999");
    // The heads are eight million bytes.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  });
});

describe("a plain write", () => {
  it("is begun with its body, and answered as node:http would", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    for (let count = 1; count < 4; count += 1) {
      conversation.send(put(`\0\xff${count}`, "Content-Type: text/plain", "tracestate: a=b"));
      const { write, answer } = await begunOf(served, count);
      expect([...write.body]).toEqual([0, 255, 48 + count]);
      // Its head is not kept with it, but bodies that have come before are.
      expect(write.body.buffer).toBe(served.begun[0]?.write.body.buffer);
      expect(write.body.buffer.byteLength).toBe(16 * 1024);
      expect(write.path).toBe("/a");
      expect(write.from).toBe("127.0.0.1");
      expect(write.head.headers.get("content-type")).toBe("text/plain");
      expect(write.head.headers.get("tracestate")).toBe("a=b");
      answer(`é${count}`, 201);
      await conversation.hears(`é${count}`);
    }
    const [, ...answers] = conversation.text.split("HTTP/1.1 ");
    for (const answer of answers) {
      expect(answer).toMatch(
        /^201 Created\r\nContent-Type: text\/plain\r\nContent-Length: 3\r\nDate: [^\r]+ GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=65\r\n\r\né\d$/,
      );
    }
    conversation.socket.destroy();
  });

  it("is answered right behind those that were made with it, once its writer has returned", async () => {
    const served = await start();
    const conversations = [1, 2, 3].map(() => new Conversation(connectTo(served.server)));
    for (const [index, conversation] of conversations.entries()) {
      conversation.send(put());
      await begunOf(served, index + 1);
    }
    const written = (): number[] =>
      served.begun.map(({ write }) => (write.socket as Socket).bytesWritten);
    for (const { answer } of served.begun) answer();
    // A writer that is called back from within a store must not be kept there by sockets, nor see what they throw.
    expect(written()).toEqual([0, 0, 0]);
    await Promise.resolve();
    expect(written().every((bytes) => bytes > 0)).toBe(true);
    for (const conversation of conversations) {
      await conversation.hears("plain PUT");
      conversation.socket.destroy();
    }
  });

  it("may be answered with what is ready to be written", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    const { write, answerPlain } = await begunOf(served, 1);
    expect(write.head.headers.get("host")).toBe("localhost");
    answerPlain({ head: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", body: "ok" });
    await conversation.hears("timeout=65\r\n\r\nok");
    expect(conversation.text).toMatch(/^HTTP\/1.1 200 OK\r\nContent-Length: 2\r\nDate: /);
    conversation.socket.destroy();
  });

  it("is one over TLS, too", async () => {
    const root = await authority("root");
    const served = await start({ certificate: await certificateOf(root) });
    const { port } = served.server;
    const conversation = new Conversation(connectTls({ port, host: "127.0.0.1", ca: root.cert }));
    conversation.send(put());
    (await begunOf(served, 1)).answer();
    await conversation.hears("plain PUT");
    expect(served.begun[0]?.write.from).toBe("127.0.0.1");
    conversation.socket.destroy();
  });
});

/** What is no plain write, by why. */
const OTHERS: readonly (readonly [string, string])[] = [
  ["without a length", `PUT /a HTTP/1.1\r\n${HOST}\r\n`],
  ["with a part of its body", put("abcd").slice(0, -1)],
  ["with more than its body", `${put()}d`],
  ["with another behind it", put() + put()],
  ["with a length that begins with 0", `PUT /a HTTP/1.1\r\n${HOST}Content-Length: 03\r\n\r\nabc`],
  ["with a sign before its length", `PUT /a HTTP/1.1\r\n${HOST}Content-Length: +3\r\n\r\nabc`],
  ["with two lengths", put("abc", "Content-Length: 3")],
  ["in chunks", `PUT /a HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ["that waits to be invited", put("abc", "Expect: 100-continue")],
  ["with a condition", put("abc", "If-None-Match: *")],
  ["of a page", put("abc", "Origin: https://a.example")],
  ["with an id", put("abc", "X-Request-Id: 1")],
  ["with a coding", put("abc", "Content-Encoding: gzip")],
  ["of a part", put("abc", "Content-Range: bytes 0-2/3")],
  ["that ends the connection", put("abc", "Connection: close")],
  ["to a host that is not allowed", put().replace("localhost", "evil.example")],
  ["without a host", put().replace(HOST, "")],
  ["of another version", put().replace("1.1", "1.0")],
  ["of another method", put().replace("PUT", "POST")],
  ["in another case", put().replace("PUT", "put")],
  ["with a body of a read", put().replace("PUT", "GET")],
  ["with a bare line feed", put().replace("\r\n\r\n", "\n\n")],
  ["with a large head", put("abc", `Accept: ${"a".repeat(9_000)}`)],
  ["that its writer does not know", put().replace("/a", "/unknown")],
  ["that its writer throws at", put().replace("/a", "/bad")],
];

describe("a write", () => {
  it.each(OTHERS)("%s is for node:http", async (_, bytes) => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    (await begunOf(served, 1)).answer();
    await conversation.hears("plain PUT");
    conversation.send(bytes);
    conversation.socket.end();
    await conversation.closed;
    expect(served.begun).toHaveLength(1);
  });
});

describe("while a write is under way", () => {
  it("what comes behind it waits, and is answered after it by node:http", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    const { answer } = await begunOf(served, 1);
    conversation.send(`GET /b HTTP/1.1\r\n${HOST}\r\n`);
    const [other] = [new Conversation(connectTo(served.server))];
    other.send(put());
    // By then, what was sent before has come.
    (await begunOf(served, 2)).answer();
    await other.hears("plain PUT");
    expect(conversation.text).toBe("");
    answer();
    await conversation.hears("node GET /b");
    expect(conversation.text.match(/(plain|node) (PUT|GET)/g)).toEqual(["plain PUT", "node GET"]);
    for (const { socket } of [conversation, other]) socket.destroy();
  });

  it("its client may go, which is told once, and its answer is nobody's", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    const begun = await begunOf(served, 1);
    conversation.socket.resetAndDestroy();
    await vi.waitUntil(() => begun.ends === 1, PATIENT);
    begun.answer();
    await expect.poll(() => levelOf(served.server, "httpConnections")?.now, PATIENT).toBe(0);
    expect(begun.ends).toBe(1);
  });

  it("its connection is no idle one, however long it takes", async () => {
    let nowMs = 0;
    const clock = { nowMs: () => 0, elapsedMs: () => nowMs, after: () => () => {} };
    const served = await start({ clock, connectionsMax: 1 });
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    const { answer } = await begunOf(served, 1);
    for (let look = 0; look < 3; look += 1) {
      nowMs += 60_000;
      const late = new Conversation(connectTo(served.server));
      await late.hears("OVERLOADED");
      late.socket.destroy();
    }
    answer();
    await conversation.hears("plain PUT");
    expect(conversation.text).not.toContain("OVERLOADED");
    conversation.socket.destroy();
  });

  it("its server closes behind its answer, or cuts it when the time is over", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    conversation.send(put());
    const { answer } = await begunOf(served, 1);
    const closed = served.server.close(60_000);
    answer();
    await Promise.all([closed, conversation.closed]);
    expect(conversation.text).toContain("plain PUT");

    const other = await start();
    const cut = new Conversation(connectTo(other.server));
    cut.send(put());
    const begun = await begunOf(other, 1);
    await Promise.all([other.server.close(1), cut.closed]);
    expect(cut.text).toBe("");
    await vi.waitUntil(() => begun.ends === 1, PATIENT);
  });
});

describe("a connection on which a write is under way", () => {
  it("outlasts the time for which it may be idle, before its first answer and later", async () => {
    const served = await start();
    const conversation = new Conversation(connectTo(served.server));
    for (const [index, text] of ["first", "second"].entries()) {
      conversation.send(put());
      const { write, answer } = await begunOf(served, index + 1);
      (write.socket as Socket).emit("timeout");
      answer(text);
      await conversation.hears(text);
    }
    const { write } = await begunOf(served, 2);
    (write.socket as Socket).emit("timeout");
    await conversation.closed;
    expect(conversation.text.split("HTTP/1.1 ")).toHaveLength(3);
  });
});
