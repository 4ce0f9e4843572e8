/** Reads of all connections share their memory: what of it lasts, and who gets a copy. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

import { problemAnswer, textAnswer, type OnPlainAnswer, type PlainWrite } from "@meridian/http";
import { describe, expect, it, onTestFinished, vi } from "vitest";

import { isShared, lastingBytes, SharedReadSocket, sharingReads } from "../src/shared-reads.ts";
import { connectTo, startServer } from "./harness.ts";

const PATIENT = { timeout: 20_000, interval: 5 };

/** A server that takes connections in order, each of which is read into shared memory. */
async function startSharing(): Promise<{
  readonly port: number;
  readonly taken: SharedReadSocket[];
}> {
  const taken: SharedReadSocket[] = [];
  const server = createServer({ allowHalfOpen: true }, (accepted) => {
    const socket = sharingReads(accepted);
    if (!(socket instanceof SharedReadSocket)) throw new Error("Expected shared reads");
    socket.on("error", () => {});
    taken.push(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    for (const socket of taken) socket.destroy();
    // It waits for each connection that it has counted.
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, taken };
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

describe("a connection with shared reads", () => {
  it("passes on what is read in memory that the next read of another one is written into", async () => {
    const { port, taken } = await startSharing();
    const [first, second] = [await connected(port), await connected(port)];
    await vi.waitUntil(() => taken.length === 2, PATIENT);
    const [read, kept]: [Buffer[], Buffer[]] = [[], []];
    for (const socket of taken) {
      socket.onRead = (bytes) => {
        read.push(bytes);
        kept.push(lastingBytes(bytes));
        return true;
      };
    }
    first.write("first");
    await vi.waitUntil(() => read.length === 1, PATIENT);
    second.write("other");
    await vi.waitUntil(() => read.length === 2, PATIENT);
    expect(read.map(isShared)).toEqual([true, true]);
    expect(String(read[0])).toBe("other");
    expect(kept.map(String)).toEqual(["first", "other"]);
    expect(kept.some(isShared)).toBe(false);
  });

  it("is an ordinary one to listeners: with chunks of their own, pauses, what is put back, and an end", async () => {
    const { port, taken } = await startSharing();
    const client = await connected(port);
    await vi.waitUntil(() => taken.length === 1, PATIENT);
    const [socket] = taken;
    if (socket === undefined) throw new Error("Expected a connection");
    const chunks: Buffer[] = [];
    socket.onRead = (bytes) => {
      socket.onRead = undefined;
      socket.pause();
      socket.unshift(lastingBytes(bytes));
      return true;
    };
    client.write("one ");
    await vi.waitUntil(() => socket.readableLength === 4, PATIENT);
    client.end("two");
    await vi.waitUntil(() => client.writableFinished, PATIENT);
    expect(socket.readableLength).toBe(4);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.resume();
    await once(socket, "end");
    expect(Buffer.concat(chunks).toString()).toBe("one two");
    expect(chunks.some(isShared)).toBe(false);
    expect(socket.bytesRead).toBe(7);
    socket.end("answer");
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(String(answer)).toBe("answer");
  });

  it("keeps the order of chunks that wait and of those that come", async () => {
    const { port, taken } = await startSharing();
    const client = await connected(port);
    await vi.waitUntil(() => taken.length === 1, PATIENT);
    const [socket] = taken;
    if (socket === undefined) throw new Error("Expected a connection");
    const heard: string[] = [];
    client.write("a");
    await vi.waitUntil(() => socket.readableLength === 1, PATIENT);
    socket.onRead = (bytes) => heard.push(`in place: ${String(bytes)}`) > 0;
    client.write("b");
    await vi.waitUntil(() => socket.readableLength === 2, PATIENT);
    socket.on("data", (chunk: Buffer) => heard.push(String(chunk)));
    await vi.waitUntil(() => socket.readableLength === 0, PATIENT);
    client.write("c");
    await vi.waitUntil(() => heard.at(-1) === "in place: c", PATIENT);
    expect(heard.slice(0, -1).join("")).toBe("ab");
  });
});

interface Begun {
  readonly write: PlainWrite;
  readonly onAnswer: OnPlainAnswer;
}

/** A server whose writes are begun and not answered. */
async function startWriting(): Promise<{
  readonly connection: () => Socket;
  readonly begun: Begun[];
}> {
  const begun: Begun[] = [];
  const server = await startServer();
  server.handle({
    request: (incoming, outgoing) => {
      incoming.resume();
      incoming.on("end", () => outgoing.end(`node ${incoming.method} ${incoming.url}`));
    },
    refuse: problemAnswer,
    read: () => undefined,
    write: (write, onAnswer) => {
      begun.push({ write, onAnswer });
      return () => {};
    },
  });
  return { connection: () => connectTo(server), begun };
}

function put(path: string, body: string): string {
  return `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

describe("a server with shared reads", () => {
  it("keeps a body that fills nearly all of a read", async () => {
    const { connection, begun } = await startWriting();
    // The system may pass it on in two pieces: then it is for node:http.
    for (let attempt = 0; attempt < 50 && begun.length === 0; attempt += 1) {
      const client = connection();
      let heard = "";
      client.on("data", (chunk: Buffer) => (heard += String(chunk)));
      client.write(put("/large", "x".repeat(65_300)));
      await vi.waitUntil(() => begun.length > 0 || heard !== "", PATIENT);
    }
    const { body } = begun[0]?.write ?? {};
    connection().write(put("/other", "y".repeat(200)));
    await vi.waitUntil(() => begun.length === 2, PATIENT);
    expect(Buffer.from(body ?? []).toString()).toBe("x".repeat(65_300));
  });

  it("keeps what comes behind a write that is under way", async () => {
    const { connection, begun } = await startWriting();
    const client = connection();
    let heard = "";
    client.on("data", (chunk: Buffer) => (heard += String(chunk)));
    client.write(put("/first", "1"));
    await vi.waitUntil(() => begun.length === 1, PATIENT);
    const { write, onAnswer } = begun[0] ?? {};
    client.write(put("/second", "2"));
    await vi.waitUntil(() => (write?.socket as Socket | undefined)?.isPaused() === true, PATIENT);
    connection().write(put("/third-and-longer", "3".repeat(200)));
    await vi.waitUntil(() => begun.length === 2, PATIENT);
    onAnswer?.(textAnswer(200, "text/plain", "answered"));
    await vi.waitUntil(() => heard.includes("node PUT "), PATIENT);
    expect(heard).toMatch(/node PUT \/second$/);
    client.destroy();
  });
});
