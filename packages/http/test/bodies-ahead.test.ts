import type { IncomingMessage, ServerResponse } from "node:http";

import {
  problemAnswer,
  send,
  textAnswer,
  type HttpServer,
  type HttpServerOptions,
} from "@meridian/http";
import { expect, it, onTestFinished } from "vitest";

import { connectTo, exchangeBytes, levelOf, startServer, withoutSharedReads } from "./harness.ts";

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

function put(path: string, bytes: number): string {
  const head = `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`;
  return head + "x".repeat(bytes);
}

/** A server that reads the body of `/held` once it is told to, and all others at once, and answers with their lengths. */
async function holdingServer(
  options: Partial<HttpServerOptions> = {},
): Promise<{ server: HttpServer; release: () => void }> {
  const server = await startServer(options);
  const held: (() => void)[] = [];
  const request = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const read = (): void => {
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => (bytes += chunk.byteLength));
      incoming.on("end", () =>
        send(outgoing, textAnswer(200, "text/plain", `${incoming.url} ${bytes};`)),
      );
    };
    if (incoming.url === "/held") held.push(read);
    else read();
  };
  server.handle({ request, refuse: problemAnswer });
  return { server, release: () => held.forEach((read) => read()) };
}

it.each([
  ["shared memory", async () => {}],
  ["memory of node:net", withoutSharedReads],
])(
  "the bodies of requests that were sent ahead, read into %s, wait with their client, and all of them are taken in the end",
  async (_, prepare) => {
    await prepare();
    const { server, release } = await holdingServer();
    const socket = connectTo(server);
    onTestFinished(() => void socket.destroy());
    let heard = "";
    socket.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    // The end of the first and much of the second come in one packet, while nobody has read the first.
    socket.write(put("/held", 20 * KIBIBYTE) + put("/ahead", MEBIBYTE).repeat(16));
    const other = put("/other", 10).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    for (let turn = 0; turn < 30; turn += 1) {
      expect(await exchangeBytes(server, other)).toContain("/other 10;");
    }
    // A packet that has been read, and what a body may hold before its reading stops.
    expect(levelOf(server, "httpAnswerBytes")?.now).toBeLessThan(256 * KIBIBYTE);
    release();
    await expect.poll(() => heard.match(/\/ahead 1048576;/g)?.length, { timeout: 20_000 }).toBe(16);
  },
);

it.each([
  ["the beginning of a body", put("/ahead", 60 * KIBIBYTE).slice(0, -1)],
  [
    "what follows an offer of another protocol",
    `GET /ahead HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: none\r\n\r\n${"x".repeat(60 * KIBIBYTE)}`,
  ],
])("clients that send %s ahead make room for each other", async (_, ahead) => {
  const { server } = await holdingServer({ answerBytesMax: MEBIBYTE });
  const clients = 40;
  let cut = 0;
  for (let client = 0; client < clients; client += 1) {
    const socket = connectTo(server);
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => (cut += 1));
    socket.write(put("/held", 1) + ahead);
  }
  await expect.poll(() => cut, { timeout: 20_000 }).toBeGreaterThan(clients / 2);
  expect(levelOf(server, "httpAnswerBytes")?.now).toBeLessThanOrEqual(MEBIBYTE);
});
