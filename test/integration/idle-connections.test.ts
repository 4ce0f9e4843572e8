/**
 * A connection that stays open after an answer keeps neither the body that it sent nor what it was answered. Each route that a region lists is
 * asked with its largest body or for its largest answer.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request as send, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { putValue, startSmallRegion, until } from "@meridian/harness";
import { SOCKET_PATH, SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import type { RunningRegion } from "@meridian/region";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";

import { LARGE_KEYS, LARGE_VALUE, requestsOf, type RouteRequest } from "../attacks/requests.ts";

/** What goes over all connections together, in bytes, and what they may keep of it. */
const MOVED_BYTES = 16 * 1024 * 1024;
const KEPT_BYTES = 4 * 1024 * 1024;
/** Routes that move less than what they may keep over so many connections are not looked at. */
const CONNECTIONS_MAX = 64;
/** Routes whose answers do not end. */
const STREAMS = /\/watch$/;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
setFlagsFromString("--no-expose-gc");

/** What is in use in this process, in bytes. */
function usedBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Asks on so many connections at once, and reads the answers to their ends. Returns how many bytes each has moved, at most. */
async function askAll(
  url: string,
  { bytes }: RouteRequest,
  connections: number,
  agent: Agent = new Agent({ keepAlive: false }),
): Promise<number> {
  const end = bytes.indexOf("\r\n\r\n");
  const [method, path] = bytes.toString("latin1", 0, end).split(" ");
  const body = bytes.subarray(end + 4);
  const headers = { "content-type": "application/json", "content-length": body.length };
  const moved = await Promise.all(
    Array.from({ length: connections }, async () => {
      const asked = send(url + path, { method, agent, headers });
      asked.end(body);
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      let length = body.length;
      answer.on("data", (chunk: Buffer) => (length += chunk.length));
      // On a connection that is to be closed, the close comes behind the end.
      await once(answer, "close");
      return length;
    }),
  );
  return Math.max(...moved);
}

/** Fails if connections keep what went over them. Returns the routes that move enough for that. */
async function findLarge(url: string): Promise<readonly string[]> {
  const large: string[] = [];
  for (const request of await requestsOf(url)) {
    const { route } = request;
    if (STREAMS.test(route)) continue;
    const connections = Math.ceil(MOVED_BYTES / (await askAll(url, request, 1)));
    if (connections > CONNECTIONS_MAX) continue;
    large.push(route);
    // Afterwards the program has in memory what it keeps itself, such as values.
    await askAll(url, request, connections);
    const before = usedBytes();
    const agent = new Agent({ keepAlive: true, maxFreeSockets: connections });
    try {
      await askAll(url, request, connections, agent);
      const open = Object.values(agent.freeSockets).flat();
      expect(open.length, `connections left by ${route}`).toBe(connections);
      await until(`connections keep nothing of ${route}`, () => usedBytes() - before < KEPT_BYTES);
    } finally {
      agent.destroy();
    }
  }
  return large;
}

/** What a client can ask most with, and for most, over a WebSocket. */
const SOCKET_REQUESTS = [
  { type: "set", key: "socket", value: "v".repeat(LARGE_VALUE.length) },
  { type: "get", key: LARGE_KEYS[0] },
];

/** Opens WebSockets, asks on each, and waits for the answers. */
async function openSockets(url: string, asked: object): Promise<readonly WebSocket[]> {
  const count = MOVED_BYTES / LARGE_VALUE.length;
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = new WebSocket(`${url.replace("http", "ws")}${SOCKET_PATH}`, SOCKET_PROTOCOL);
      await once(socket, "open");
      socket.send(JSON.stringify({ id: 1, ...asked }));
      const [answer] = (await once(socket, "message")) as [Buffer];
      expect(answer.toString("latin1", 0, 16)).toBe('{"type":"result"');
      return socket;
    }),
  );
}

let folder = "";
let region: RunningRegion;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-idle-"));
  region = await startSmallRegion({
    id: "paris",
    data: folder,
    // No directory is there.
    directory: ["http://127.0.0.1:9"],
    standalone: true,
    valueBytesMax: 2 * 1024 * 1024,
  });
  await until("it serves", async () => (await fetch(`${region.url}/readyz`)).ok);
  for (const key of LARGE_KEYS) await putValue(region.url, key, LARGE_VALUE);
});

afterAll(async () => {
  await region.stop();
  rmSync(folder, { recursive: true });
});

it("an idle connection of a region keeps nothing of its last request and answer", async () => {
  expect(await findLarge(region.url)).toEqual(
    expect.arrayContaining(["PUT /cache/{key}", "POST /batch/get", "POST /batch/set"]),
  );
});

it.each(SOCKET_REQUESTS)(
  "an idle WebSocket of a region keeps nothing of a $type",
  async (asked) => {
    for (const socket of await openSockets(region.url, asked)) {
      socket.close();
      await once(socket, "close");
    }
    const before = usedBytes();
    const open = await openSockets(region.url, asked);
    expect(open).toHaveLength(MOVED_BYTES / LARGE_VALUE.length);
    await until("WebSockets keep nothing", () => usedBytes() - before < KEPT_BYTES);
    for (const socket of open) socket.terminate();
  },
);
