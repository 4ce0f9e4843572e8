/** By what requests are known elsewhere: what comes back, and what the log says of those that are slow or fail. */
import { connect } from "node:net";

import { HttpListener } from "../src/listeners/http/http-listener.ts";
import { SlowRequests } from "@meridian/http";
import { lineLogger, Metrics, systemClock, type LogLevel } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";

import { testNode } from "./harness.ts";
import { SocketClient } from "./socket-client.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

/** A region whose requests are slow if they take longer than that. */
async function start(
  thresholdMs: number,
  level: LogLevel = "info",
): Promise<{
  readonly port: number;
  readonly lines: readonly Record<string, unknown>[];
  readonly slow: SlowRequests;
  readonly ask: (
    path: string,
    headers: Record<string, string>,
    method?: string,
  ) => Promise<Response>;
}> {
  const node = await testNode();
  const lines: Record<string, unknown>[] = [];
  const logger = lineLogger({
    clock: systemClock,
    level,
    format: "json",
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const slow = new SlowRequests(systemClock, logger, thresholdMs);
  const metrics = new Metrics();
  const common = { clock: systemClock, logger, metrics, connectionsMax: 100 };
  const listener = new HttpListener({ ...common, slow, allowOrigin: [] });
  await listener.listen("127.0.0.1", 0);
  listener.start(node.node);
  onTestFinished(async () => {
    await listener.stop();
    await node.close();
  });
  return {
    port: listener.port,
    lines,
    slow,
    ask: (path, headers, method = "GET") =>
      fetch(listener.url + path, { method, headers, ...(method === "PUT" && { body: "v" }) }),
  };
}

const WAYS = [
  ["PUT", "/cache/k", 200],
  ["GET", "/cache/k", 200],
  ["GET", "/cache/none", 404],
  ["GET", "/nothing", 404],
  ["GET", "/status", 200],
] as const;

it("an answer names the request as its client did, on every way, and nothing that could break a header", async () => {
  const { ask } = await start(Infinity);
  for (const [method, path, status] of WAYS) {
    const named = await ask(path, { "x-request-id": "a.b/c:d-1_2=" }, method);
    expect([path, named.status, named.headers.get("x-request-id")]).toEqual([
      path,
      status,
      "a.b/c:d-1_2=",
    ]);
    for (const id of ["a b", 'a"b', "é", "x".repeat(129), ""]) {
      const odd = await ask(path, { "x-request-id": id }, method);
      expect([id, odd.status, odd.headers.get("x-request-id")]).toEqual([id, status, null]);
    }
  }
});

it("a line tells of each slow request by route, id and trace, and names no key", async () => {
  const { ask, lines } = await start(-1);
  const headers = {
    "x-request-id": "r-1",
    traceparent: TRACEPARENT,
    authorization: "Bearer s3cret",
  };
  for (const [method, path] of WAYS) await ask(`${path}?x=s3cret`, headers, method);
  await ask("/cache/s3cret", headers);
  expect(lines.map(({ method, route }) => `${String(method)} ${String(route)}`)).toEqual([
    "PUT /cache/{key}",
    "GET /cache/{key}",
    "GET /cache/{key}",
    "GET none",
    "GET /status",
    "GET /cache/{key}",
  ]);
  for (const line of lines) {
    expect(line).toMatchObject({ level: "warn", requestId: "r-1", traceId: TRACE });
    expect(line["ms"]).toBeTypeOf("number");
  }
  expect(JSON.stringify(lines)).not.toContain("s3cret");
});

it("a line tells of each slow request of a WebSocket by type, outcome and id, and names no key", async () => {
  const { port, lines, slow } = await start(-1);
  const client = await SocketClient.open(port);
  onTestFinished(() => client.close());
  await client.ask({ type: "set", id: "s-1", key: "s3cret", value: "s3cret" });
  await client.ask({ type: "get", id: 7, key: "s3cret" });
  await client.ask({ type: "get", id: "odd\n\u001b[2J", key: "s3cret none" });
  slow.thresholdMs = Infinity;
  await client.ask({ type: "ping", id: "fast" });
  const [set, ...others] = lines;
  expect(set).toMatchObject({ level: "warn", message: "a slow request", type: "set", code: "ok" });
  expect(set?.["ms"]).toBeTypeOf("number");
  expect([set, ...others].map((line) => [line?.["code"], line?.["requestId"]])).toEqual([
    ["ok", "s-1"],
    ["ok", 7],
    ["KEY_NOT_FOUND", "odd\n\u001b[2J"],
  ]);
  expect(JSON.stringify(lines)).not.toContain("s3cret");
});

it("what is no request gets an id that the log has, too", async () => {
  const { port, lines } = await start(Infinity, "debug");
  const socket = connect(port, "127.0.0.1", () => socket.write("*1\r\n$4\r\nPING\r\n"));
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  const [, id] = /^x-request-id: ([\da-f-]{36})\r$/im.exec(answer) ?? [];
  expect(id).toBeDefined();
  expect(lines).toMatchObject([{ level: "debug", requestId: id, code: "INVALID_ARGUMENT" }]);
});

const MALFORMED = [
  "",
  "00",
  `ff-${TRACE}-b7ad6b7169203331-01`,
  `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
  `${TRACEPARENT}x`,
  `${TRACEPARENT}-${"x".repeat(300)}`,
];

it("a malformed trace is passed over", async () => {
  const { ask, lines } = await start(-1);
  for (const traceparent of MALFORMED) {
    expect([traceparent, (await ask("/healthz", { traceparent })).status]).toEqual([
      traceparent,
      200,
    ]);
  }
  expect(lines).toHaveLength(MALFORMED.length);
  for (const line of lines) expect(line).not.toHaveProperty("traceId");
});

it("when everything is slow, ten lines a second tell of it and the next one how many were left out", () => {
  let nowMs = 0;
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const logger = lineLogger({ clock: systemClock, level: "info", format: "text", write });
  const slow = new SlowRequests({ elapsedMs: () => nowMs }, logger, 0);
  const incoming = { method: "GET", headers: {} } as Parameters<SlowRequests["tell"]>[0];
  const tell = (): void => slow.tell(incoming, { route: "/cache/{key}", status: 200, tookMs: 7 });
  for (let index = 0; index < 25; index += 1) tell();
  expect(lines).toHaveLength(10);
  nowMs = 1_000;
  tell();
  expect(lines.at(-1)).toContain("untold=15");
  tell();
  expect(lines.at(-1)).not.toContain("untold");
});
