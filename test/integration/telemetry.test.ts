/** Spans, if the host has registered OpenTelemetry: a call, its request, and the taking in of its write at another region make one trace. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { connect } from "@meridian/client";
import { ROOT, until } from "@meridian/harness";
import { activePlace, beginSpan, hasTelemetry } from "@meridian/runtime";
import { bundleSource } from "@meridian/source-bundle";
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, expect, it } from "vitest";

import { startSmallPair } from "../support/small-pair.ts";

const exporter = new InMemorySpanExporter();
const stops: (() => unknown)[] = [];
let paris: string;

function register(): void {
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
}

function unregister(): void {
  trace.disable();
  context.disable();
}

beforeAll(async () => {
  const pair = await startSmallPair();
  paris = pair.paris;
  stops.push(() => pair.stop());
});
afterAll(async () => {
  unregister();
  for (const stop of stops) await stop();
});

function spansNamed(name: string): ReadableSpan[] {
  return exporter.getFinishedSpans().filter((span) => span.name === name);
}

it("without a registered provider there is no span and no active place", () => {
  expect(hasTelemetry()).toBe(false);
  expect(beginSpan({ name: "x", kind: "client", attributes: {} })).toBe(undefined);
  expect(activePlace()).toBe(undefined);
});

it("a call, its request and the taking in of its write at another region are one trace, and no span names a key", async () => {
  register();
  const client = await connect({ nodes: [paris] });
  await client.set("secret-key", "secret-value");
  await until("tokyo has told", () => spansNamed("meridian.replicate.apply").length > 0);
  const [call] = spansNamed("set");
  const [request] = spansNamed("PUT /cache/{key}");
  const [apply] = spansNamed("meridian.replicate.apply");
  expect([call?.kind, request?.kind, apply?.kind]).toEqual([
    SpanKind.CLIENT,
    SpanKind.SERVER,
    SpanKind.CONSUMER,
  ]);
  expect(call?.parentSpanContext).toBe(undefined);
  expect(request?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
  expect(apply?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
  const traceIds = [call, request, apply].map((span) => span?.spanContext().traceId);
  expect(new Set(traceIds).size).toBe(1);
  expect(call?.attributes).toEqual({
    "db.system.name": "meridian",
    "db.operation.name": "set",
    "server.address": "127.0.0.1",
    "server.port": Number(new URL(paris).port),
  });
  expect(request?.attributes).toEqual({
    "http.request.method": "PUT",
    "url.scheme": "http",
    "http.route": "/cache/{key}",
    "http.response.status_code": 200,
  });
  expect(apply?.attributes).toEqual({ "meridian.frame.entries": 1 });
  await client.get("secret-key");
  await client.delete("secret-key");
  await expect(client.set("secret-key", "x".repeat(10_000))).rejects.toThrow(/Expected a value/);
  client.close();
  expect(spansNamed("get")[0]?.attributes["db.response.status_code"]).toBe(undefined);
  await until(
    "tokyo has told of the delete",
    () => spansNamed("meridian.replicate.apply").length > 1,
  );
  const [failed] = spansNamed("set").slice(1);
  expect(failed?.status.code).toBe(SpanStatusCode.ERROR);
  expect(failed?.attributes["error.type"]).toBe("VALUE_TOO_LARGE");
  const told = exporter.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes }));
  expect(JSON.stringify(told)).not.toContain("secret");
});

it("over a WebSocket, a call and its request are one trace with the taking in of its write", async () => {
  exporter.reset();
  const client = await connect({ nodes: [paris], transport: "websocket" });
  await client.set("secret-key", "secret-value");
  await until("tokyo has told", () => spansNamed("meridian.replicate.apply").length > 0);
  await expect(client.set("secret-key", "x".repeat(10_000))).rejects.toThrow(/Expected a value/);
  client.close();
  const [call] = spansNamed("set");
  const [request, refused] = spansNamed("/ws set");
  const [apply] = spansNamed("meridian.replicate.apply");
  expect(request?.kind).toBe(SpanKind.SERVER);
  expect(request?.parentSpanContext?.spanId).toBe(call?.spanContext().spanId);
  expect(apply?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
  const type = { "network.protocol.name": "websocket", "meridian.request.type": "set" };
  expect(request?.attributes).toEqual(type);
  expect(refused?.attributes).toEqual({ ...type, "meridian.error.code": "VALUE_TOO_LARGE" });
  expect(refused?.status.code).toBe(SpanStatusCode.UNSET);
  const told = exporter.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes }));
  expect(told.filter(({ name }) => name.includes("/cache"))).toEqual([]);
  expect(JSON.stringify(told)).not.toContain("secret");
});

it("the span of a request is a child of its `traceparent`, and requests for health make no span", async () => {
  const [traceId, parentId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
  exporter.reset();
  const headers = { traceparent: `00-${traceId}-${parentId}-01`, tracestate: "congo=t61rcWkgMzE" };
  for (const path of ["/cache/none", "/status", "/healthz", "/nothing"]) {
    await fetch(paris + path, { headers });
  }
  const spans = exporter.getFinishedSpans();
  expect(spans.map(({ name }) => name)).toEqual(["GET /cache/{key}", "GET none"]);
  for (const span of spans) {
    expect(span.spanContext().traceId).toBe(traceId);
    expect(span.parentSpanContext?.spanId).toBe(parentId);
    expect(span.spanContext().traceState?.serialize()).toBe("congo=t61rcWkgMzE");
  }
});

it("the span of a call is a child of the application's active span", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  exporter.reset();
  const client = await connect({ nodes: [paris] });
  await trace.getTracer("test").startActiveSpan("business", async (span) => {
    expect(activePlace()?.parentId).toBe(span.spanContext().spanId);
    await client.get("k");
    span.end();
  });
  client.close();
  const [call] = spansNamed("get");
  const [business] = spansNamed("business");
  expect(call?.parentSpanContext?.spanId).toBe(business?.spanContext().spanId);
});

it("a program makes spans with the module that OPERATIONS.md shows", async () => {
  const document = readFileSync(join(ROOT, "packages/OPERATIONS.md"), "utf8");
  const [, example = ""] = /```js otel\.mjs\n([^]*?)```/.exec(document) ?? [];
  expect(example).toContain("setGlobalTracerProvider");
  const cache = join(ROOT, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const data = mkdtempSync(join(cache, "meridian-otel-"));
  stops.push(() => rmSync(data, { recursive: true }));
  const module = join(data, "otel.mjs");
  writeFileSync(module, example);
  const program = await bundleSource(join(ROOT, "apps/directory/src/main.ts"));
  const child = fork(program, ["--data", join(data, "log"), "--port", "0"], {
    cwd: ROOT,
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(module).href}` },
    silent: true,
  });
  stops.unshift(() => child.kill("SIGKILL"));
  let out = "";
  child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const [message] = (await once(child, "message")) as [{ readonly url: string }];
  await fetch(`${message.url}/nodes`);
  await until("a span is told", () => out.includes("name: 'GET /nodes'"));
  expect(out).toContain("'http.route': '/nodes'");
}, 60_000);
