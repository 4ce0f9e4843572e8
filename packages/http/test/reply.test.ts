import { once } from "node:events";
import type { Socket } from "node:net";

import { MeridianError } from "@meridian/protocol";
import { systemClock, type Clock } from "@meridian/runtime";
import { expect, it } from "vitest";

import { problemAnswer, type HttpServer } from "@meridian/http";

import { reply } from "../src/reply.ts";
import { connectTo, levelOf, startServer } from "./harness.ts";

const HEAD = "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n";

/** A server that takes no body, and the timers it has set. */
async function refusing(): Promise<{
  readonly server: HttpServer;
  readonly timers: (() => void)[];
}> {
  const timers: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => systemClock.nowMs(),
    elapsedMs: () => systemClock.elapsedMs(),
    after: (_, callback) => {
      timers.push(callback);
      return () => {};
    },
  };
  const server = await startServer();
  const answer = problemAnswer(new MeridianError("VALUE_TOO_LARGE", "Expected less, got more"));
  server.handle({
    request: (incoming, outgoing) => reply(clock, incoming, outgoing, answer),
    refuse: problemAnswer,
  });
  return { server, timers };
}

/** A client that goes on sending however much it has been told. */
function stubborn(server: HttpServer): Socket {
  const socket = connectTo(server);
  socket.allowHalfOpen = true;
  socket.on("error", () => {});
  return socket;
}

function connections(server: HttpServer): number | undefined {
  return levelOf(server, "httpConnections")?.now;
}

it("a refusal has come, with its end, before the body has", async () => {
  const { server } = await refusing();
  const socket = stubborn(server);
  socket.write(HEAD);
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  await once(socket, "end");
  expect(text).toContain("HTTP/1.1 413");
  expect(text).toContain("VALUE_TOO_LARGE");
  socket.destroy();
});

it("a refusal of `HEAD` is its head, though it comes with a body", async () => {
  const { server } = await refusing();
  const socket = stubborn(server);
  socket.write(`${HEAD.replace("PUT", "HEAD")}some`);
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  await once(socket, "end");
  expect(text).toMatch(/^HTTP\/1\.1 413 [^]*\r\n\r\n$/);
  socket.destroy();
});

it("a body that nobody wants is read for a bounded time", async () => {
  const { server, timers } = await refusing();
  const socket = stubborn(server);
  socket.resume();
  socket.write(`${HEAD}some`);
  await once(socket, "end");
  expect(timers).toHaveLength(1);
  expect(connections(server)).toBe(1);
  timers[0]?.();
  await expect.poll(() => connections(server)).toBe(0);
  socket.destroy();
});

it("a body that nobody wants is read for a bounded number of bytes", async () => {
  const { server } = await refusing();
  const socket = stubborn(server);
  socket.resume();
  socket.write(HEAD);
  const piece = Buffer.alloc(1024 * 1024);
  let pieces = 0;
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const send = (): void => {
    for (let ahead = 0; ahead < 8 && !socket.destroyed && pieces < 200; ahead += 1) {
      pieces += 1;
      socket.write(piece);
    }
    if (!socket.destroyed && pieces < 200) socket.once("drain", send);
  };
  send();
  await closed;
  expect(pieces).toBeGreaterThan(64);
  expect(pieces).toBeLessThan(200);
});

it("a little body that nobody wants is read to its end, and the connection goes on", async () => {
  const { server, timers } = await refusing();
  const socket = stubborn(server);
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  for (const count of [1, 2]) {
    socket.write("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nsome");
    await expect.poll(() => text.match(/HTTP\/1\.1 413/g)?.length).toBe(count);
    socket.write(Buffer.alloc(100_000 - 4));
  }
  expect(text).not.toContain("Connection: close");
  expect(timers).toHaveLength(0);
  socket.destroy();
});
