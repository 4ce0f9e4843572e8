/** The trace of a write travels to the other regions, over real sockets, but only to parties that have announced the feature. */
import { once } from "node:events";

import { until } from "@meridian/harness";
import {
  capabilities,
  encodeMessage,
  readFrameHeader,
  tracesOf,
  type TraceContext,
} from "@meridian/protocol";
import { REGION_API, routesOf } from "@meridian/protocol/http-api";
import { lineLogger, silentLogger, systemClock } from "@meridian/runtime";
import { SOCKET_TONGUES } from "@meridian/testkit";
import { dialLink } from "@meridian/transport";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

import { startSmallPair } from "../support/small-pair.ts";

interface Line {
  readonly message: string;
  readonly traceId?: string;
  readonly parentId?: string;
  readonly entries?: number;
}

const PARENT = "b7ad6b7169203331";
const lines: Line[] = [];
const stops: (() => unknown)[] = [];
let paris: string;
let directory: string;

beforeAll(async () => {
  const write = (line: string): void => void lines.push(JSON.parse(line) as Line);
  const logger = lineLogger({ clock: systemClock, write, level: "debug", format: "json" });
  const pair = await startSmallPair(logger);
  ({ directory, paris } = pair);
  stops.push(() => pair.stop());
});
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** By route: the path and body of a request that writes; null for a route whose writes are not replicated, or that another test covers. */
const WRITES: Readonly<Record<string, readonly [path: string, body?: string] | null>> = {
  "PUT /cache/{key}": ["/cache/k", "v"],
  "POST /cache": ["/cache?key=k&value=v"],
  "POST /touch": ["/touch?key=k&ttl=1h"],
  "POST /batch/set": [
    "/batch/set",
    JSON.stringify({ entries: ["a", "b"].map((key) => ({ key, value: "v" })) }),
  ],
  "POST /batch/delete": ["/batch/delete", JSON.stringify({ keys: ["a", "b"] })],
  "POST /pull": ["/pull?key=k"],
  "DELETE /cache/{key}": ["/cache/k"],
  "PUT /revocations/{id}": ["/revocations/some-token"],
  // A replay needs an entry in quarantine. The same code reads its trace as those of the other routes.
  "POST /quarantine/{id}/replay": null,
  "POST /lease": null,
  "DELETE /lease": null,
};

function headersOf(traceparent: string): Record<string, string> {
  return { traceparent, tracestate: "congo=t61rcWkgMzE", "content-type": "application/json" };
}

async function send(route: string, traceparent: string): Promise<number> {
  const [path = "", body] = WRITES[route] ?? [];
  const [method = ""] = route.split(" ");
  const headers = headersOf(traceparent);
  const answer = await fetch(paris + path, {
    method,
    headers,
    ...(body !== undefined && { body }),
  });
  return answer.status;
}

it("the trace of a write by any route reaches the other regions", async () => {
  const routes = routesOf(REGION_API);
  const writing = routes.filter(
    ({ access, query }) => access.scope === "write" || query?.some(({ name }) => name === "ack"),
  );
  const names = writing.map(({ method, path }) => `${method} ${path}`);
  const read = new Set(["POST /batch/get", "POST /batch/has"]);
  expect(Object.keys(WRITES).toSorted()).toEqual(
    names.filter((each) => !read.has(each)).toSorted(),
  );
  for (const [index, route] of Object.keys(WRITES).entries()) {
    if (WRITES[route] === null) continue;
    const traceId = String(index + 1).padStart(32, "0");
    expect([route, await send(route, `00-${traceId}-${PARENT}-01`)]).toEqual([route, 200]);
    await until(`tokyo has seen the trace of ${route}`, () =>
      lines.some((line) => line.traceId === traceId),
    );
    expect(lines.find((line) => line.traceId === traceId)).toMatchObject({
      level: "debug",
      message: "took in a traced write",
      parentId: PARENT,
      entries: route.startsWith("POST /batch") ? 2 : 1,
    });
  }
});

/** By type: a request over a WebSocket that writes. */
const SOCKET_WRITES: readonly Readonly<Record<string, unknown>>[] = [
  { type: "set", key: "s", value: "v" },
  { type: "touch", key: "s", ttl: "1h" },
  { type: "setMany", entries: ["a", "b"].map((key) => ({ key, value: "v" })) },
  { type: "deleteMany", keys: ["a", "b"] },
  { type: "pull", key: "s" },
  { type: "delete", key: "s" },
];

it.each(["json", "binary"] as const)(
  "the trace of a write over a WebSocket reaches the other regions (%s)",
  async (subprotocol) => {
    const tongue = SOCKET_TONGUES[subprotocol]();
    const socket = new WebSocket(`${paris.replace("http", "ws")}/ws`, [tongue.protocol]);
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    for (const [index, request] of SOCKET_WRITES.entries()) {
      const traceId = `${subprotocol === "json" ? "c" : "d"}${index}`.padStart(32, "0");
      const traceparent = `00-${traceId}-${PARENT}-01`;
      const answer = once(socket, "message") as Promise<[Buffer]>;
      socket.send(tongue.write({ id: index, ...request, traceparent, tracestate: "congo=1" }));
      expect(tongue.read((await answer)[0])).toMatchObject({ type: "result", id: index });
      await until(`tokyo has seen the trace of ${String(request["type"])}`, () =>
        lines.some((line) => line.traceId === traceId && line.parentId === PARENT),
      );
    }
  },
);

it("a party that has not announced `traces` gets a traced write without its trace", async () => {
  const [old, today] = [listen("old", 901, []), listen("new", 902, ["traces"])];
  await Promise.all([old.opened, today.opened]);
  const traceId = "f".repeat(32);
  expect(await send("PUT /cache/{key}", `00-${traceId}-${PARENT}-01`)).toBe(200);
  // Both get the earlier writes first, in the same number of frames.
  await until("both have the frame", () => {
    const isThere = JSON.stringify(today.frames.at(-1)?.traces)?.includes(traceId) === true;
    return isThere && old.frames.length === today.frames.length;
  });
  await until("tokyo has it, too", () => lines.some((line) => line.traceId === traceId));
  expect(old.frames.every(({ traces }) => traces.length === 0)).toBe(true);
  expect(today.frames.at(-1)?.traces).toEqual([
    { traceId, parentId: PARENT, sampled: true, state: "congo=t61rcWkgMzE" },
  ]);
  const extension = 4 + 25 + "congo=t61rcWkgMzE".length;
  expect(today.frames.at(-1)?.bytes).toBe((old.frames.at(-1)?.bytes ?? 0) + extension);
});

it("a write with a malformed `traceparent` succeeds, and has no trace", async () => {
  const before = lines.length;
  for (const odd of ["", "00", `ff-${"a".repeat(32)}-${PARENT}-01`, "x".repeat(1_000)]) {
    expect(await send("PUT /cache/{key}", odd)).toBe(200);
  }
  const traceId = "e".repeat(32);
  expect(await send("PUT /cache/{key}", `00-${traceId}-${PARENT}-01`)).toBe(200);
  await until("what came later has come", () => lines.some((line) => line.traceId === traceId));
  expect(lines.slice(before).filter((line) => line.traceId !== undefined)).toHaveLength(1);
});

/** Connects a node that announces `features` and sends nothing after its `hello`. Returns the frames that it receives, and when it was welcomed. */
function listen(nodeId: string, incarnation: number, features: string[]) {
  const frames: { readonly traces: readonly TraceContext[]; readonly bytes: number }[] = [];
  let welcome: () => void = () => {};
  const opened = new Promise<void>((resolve) => (welcome = resolve));
  const link = dialLink(
    `${directory}/replicate`,
    {
      onOpen: () => link.send(encodeMessage(helloOf(nodeId, incarnation, features))),
      onPart: () => {},
      onDrain: () => {},
      onMessage: (message) => {
        if (typeof message === "string") {
          if (message.includes('"welcome"')) welcome();
        } else if (readFrameHeader(message).count > 0) {
          frames.push({ traces: tracesOf(message), bytes: message.byteLength });
        }
      },
      onClose: () => {},
    },
    { logger: silentLogger },
  );
  stops.unshift(() => link.close(1000, ""));
  return { frames, opened };
}

function helloOf(nodeId: string, incarnation: number, features: string[]) {
  return {
    type: "hello" as const,
    ...capabilities(),
    features,
    cluster: "test",
    nodeId,
    region: nodeId,
    incarnation,
    ip: null,
    port: 7401,
    url: null,
    lat: 1,
    lon: 2,
    status: "joining" as const,
    cursors: [],
    home: null,
    outboxThrough: 0,
    outboxAcknowledged: 0,
    admittedTime: 0,
    horizon: 0,
    nowMs: Date.now(),
  };
}
