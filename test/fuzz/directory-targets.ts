/**
 * A directory that runs, and reads what comes over its sockets: requests, and links of nodes and of other directories. An answer 500, a silence, or an
 * end without a code is a fault.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startBothPrograms, startSmallDirectory } from "@meridian/harness";
import { errorOfCloseCode } from "@meridian/protocol";
import { heartbeatOf, helloOf } from "@meridian/testkit";
import { WebSocket } from "ws";

import { ask, PATIENCE_MS, request } from "./region-targets.ts";
import { FRAMES, INCARNATION, MESSAGES, text, type Target } from "./targets.ts";

/** Whole requests as bytes, each on a connection of its own. The directory hands some of them on to its one node. */
export async function directoryTarget(): Promise<Target> {
  const programs = await startBothPrograms();
  const port = Number(new URL(programs.directory).port);
  return {
    name: "directory-request",
    seeds: text(
      request("GET /nearest?lat=48.9&lon=2.3&limit=3&exclude=oslo,rome"),
      request("GET /nearest?lat=-90&lon=1e2", "", "Connection: keep-alive\r\n") +
        request("GET /nodes", "", "Origin: http://x\r\n"),
      request("GET /nodes/paris"),
      request("DELETE /nodes/oslo"),
      request("GET /digest?depth=2&from=a&to=b"),
      request("GET /entries?after=a&through=b&limit=1"),
      request("GET /nodes/paris/view/status"),
      request("GET /nodes/paris/view/keys?prefix=a&limit=10&after=b"),
      request("GET /nodes/paris/view/entry?key=a%20b"),
      request("GET /nodes/paris/view/digest?depth=1", "", "Accept: application/json\r\n"),
      request("POST /nodes/paris/view/cache?key=a&ttl=5m", "value", "Content-Type: text/plain\r\n"),
      request("GET /peers/a/view/status") + request("HEAD /status") + request("GET /trouble"),
    ),
    take: (input) => ask(port, input),
    stop: () => programs.stop(),
  };
}

/** Stands before a message: it is the first of its link, or comes after a `hello`, as text or as a frame. */
const [FIRST, AFTER_HELLO, FRAME_AFTER_HELLO] = [0, 1, 2];
/** A heartbeat or `hello` says the time, which is another one in each run. */
const NOW_MS = Date.now();

const placed = (place: number | undefined, message: Uint8Array | string): Buffer =>
  Buffer.concat([Buffer.of(place ?? 0), Buffer.from(message)]);

const HELLO = helloOf({ nodeId: "oslo", incarnation: INCARNATION, nowMs: NOW_MS });

/** The first messages of links, and what follows a `hello`. */
const LINK_SEEDS: readonly Buffer[] = [
  placed(FIRST, JSON.stringify(HELLO)),
  placed(AFTER_HELLO, JSON.stringify(heartbeatOf({ nowMs: NOW_MS }))),
  ...MESSAGES.map((message) => placed(FIRST, message)),
  ...MESSAGES.map((message) => placed(AFTER_HELLO, message)),
  ...FRAMES.map((frame) => placed(FRAME_AFTER_HELLO, frame)),
];

/** What a peer says on a link. After it, the directory answers a ping, or has closed the link with a code. */
export async function linkTarget(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-fuzz-"));
  const directory = await startSmallDirectory({ data: folder });
  const url = `${directory.url.replace("http", "ws")}/replicate`;
  const idle: number[] = [];
  let nodes = 0;
  return {
    name: "link",
    seeds: LINK_SEEDS,
    take: async (input) => {
      // Links that are open side by side are those of different nodes.
      const node = idle.pop() ?? (nodes += 1);
      try {
        return await linkOutcome(url, input, node);
      } finally {
        idle.push(node);
      }
    },
    stop: async () => {
      await directory.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function linkOutcome(url: string, input: Buffer, node: number): Promise<string> {
  const socket = new WebSocket(url);
  const types = new Set<string>();
  socket.on("error", () => {});
  socket.on("message", (told: Buffer, isBinary) => types.add(isBinary ? "frame" : typeOf(told)));
  const closed = once(socket, "close") as Promise<[number, Buffer]>;
  await Promise.race([once(socket, "open"), closed]);
  const place = (input[0] ?? FIRST) % 3;
  if (place !== FIRST)
    socket.send(
      JSON.stringify({ ...HELLO, nodeId: `node-${node}`, incarnation: INCARNATION + node }),
    );
  socket.send(input.subarray(1), { binary: place === FRAME_AFTER_HELLO });
  socket.ping();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error("no answer to a ping")), PATIENCE_MS);
  try {
    const end = await Promise.race([once(socket, "pong", { signal: late.signal }), closed]);
    if (typeof end[0] === "number") return outcomeOfEnd(end as [number, Buffer], place);
    socket.close();
    await closed;
    return `${place} open: ${[...types].toSorted().join(", ")}`;
  } finally {
    clearTimeout(timer);
    late.abort();
    socket.terminate();
  }
}

/** WebSockets end so by themselves: text that is not UTF-8. */
const NOT_UTF8 = 1007;

function outcomeOfEnd([code, reason]: readonly [number, Buffer], place: number): string {
  const error = errorOfCloseCode(code);
  if (code !== NOT_UTF8 && (error === undefined || error === "INTERNAL")) {
    throw new Error(`closed with ${code}: ${String(reason)}`);
  }
  const said = String(reason).split(/, got|: /)[0] ?? "";
  return `${place} ${code} ${said.replaceAll(/`[^`]*`|\d[\d.e+-]*/g, "#").slice(0, 40)}`;
}

function typeOf(told: Buffer): string {
  return /"type":"([\w-]+)"/.exec(told.toString("latin1"))?.[1] ?? "";
}
