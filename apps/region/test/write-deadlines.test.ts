/** Writes that say until when they may be made: later, no node makes them, whatever they have waited for. */
import { request } from "node:http";

import { formatPosition, parsePosition } from "@meridian/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { exchangeBytes, headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";
import { levelOf, openForTest, until, type Told } from "./socket-client.ts";

let region: TestNode;
/** Ports of a server that takes the short paths, and of one that answers everything through the app. */
let ports: readonly number[];
beforeAll(async () => {
  region = await testNode({ valueBytesMax: 200_000 });
  ports = [await region.serve(), await region.serve(true)];
});
afterAll(() => region.close());
beforeEach(async () => {
  await put("before");
});

const nowMs = (): number => region.clock.nowMs();
const put = (value: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  region.request("/cache/k", { method: "PUT", body: value, headers }) as Promise<Response>;
const before = (ms: number): Record<string, string> => ({ "meridian-deadline": String(ms) });
const read = async (key = "k"): Promise<string> => (await region.request(`/cache/${key}`)).text();
const etagOf = async (key = "k"): Promise<string | null> =>
  (await region.request(`/cache/${key}`)).headers.get("etag");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A position that the region has after its next write. */
function nextPosition(answer: Response): string {
  const { outboxPosition, ...rest } = parsePosition(headerOf(answer, "meridian-position") ?? "");
  return formatPosition({ ...rest, outboxPosition: outboxPosition + 2 });
}

describe("a write over HTTP", () => {
  it("is made before its deadline, and refused at it", async () => {
    const made = await put("made", before(nowMs() + 1));
    expect([made.status, headerOf(made, "meridian-time")]).toEqual([200, String(nowMs())]);
    const refused = await put("late", before(nowMs()));
    expect(headerOf(refused, "meridian-time")).toBe(String(nowMs()));
    expect(await jsonOf(refused)).toMatchObject({
      status: 409,
      code: "DEADLINE_PASSED",
      retryable: true,
      deadlineMs: nowMs(),
      nowMs: nowMs(),
    });
    expect(await read()).toBe("made");
  });

  it.each([
    ["more than an hour ahead", (): string => String(nowMs() + 3_600_001), /at most 3600000 ms/],
    ["no number", (): string => "soon", /milliseconds since 1970/],
    ["negative", (): string => "-1", /milliseconds since 1970/],
    ["a span", (): string => "5s", /milliseconds since 1970/],
    ["longer than any instant", (): string => "1".repeat(16), /milliseconds since 1970/],
  ])("with a deadline that is %s is a mistake", async (_, deadline, said) => {
    const answer = await put("late", { "meridian-deadline": deadline() });
    const { code, detail } = await jsonOf(answer);
    expect([answer.status, code]).toEqual([400, "INVALID_ARGUMENT"]);
    expect(detail).toMatch(said);
    expect(await read()).toBe("before");
  });
});

describe("a write that waits", () => {
  it("for a slow body is refused where the body ends after the deadline", async () => {
    for (const port of ports) {
      const options = { port, path: "/cache/k", method: "PUT", headers: before(nowMs() + 1_000) };
      const outgoing = request({ ...options, host: "127.0.0.1" });
      const status = new Promise((resolve, reject) => {
        outgoing.on("error", reject).on("response", (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
      });
      const others = region.requests;
      outgoing.write("la");
      await until(() => region.requests > others);
      region.clock.advance(1_000);
      outgoing.end("te");
      expect(await status).toBe(409);
    }
    expect(await read()).toBe("before");
  });

  it("for its session's position is refused where that comes after the deadline", async () => {
    const position = nextPosition(await put("before"));
    const headers = { ...before(nowMs() + 1_000), "meridian-position": position };
    const waiting = put("late", { ...headers, "meridian-wait-ms": "10000" });
    region.clock.advance(1_000);
    await region.request("/cache/a", { method: "PUT", body: "a" });
    await region.request("/cache/b", { method: "PUT", body: "b" });
    expect((await waiting).status).toBe(409);
    expect(await read()).toBe("before");
  });

  it("for the disk is refused where its turn comes after the deadline", async () => {
    const stall = region.stall();
    const first = region.request("/cache/a", { method: "PUT", body: "a" });
    // The commit of the first is under way, so the second waits behind it.
    await until(() => levelOf(region, "writeBytes") > 0);
    await turn();
    await turn();
    const second = put("late", before(nowMs() + 1_000));
    await turn();
    region.clock.advance(1_000);
    stall.end();
    expect([(await first).status, (await second).status]).toEqual([200, 409]);
    expect(await read()).toBe("before");
  });
});

const JSON_TYPE = { "content-type": "application/json" };

describe("a request", () => {
  const ENTRIES = [
    { key: "new", value: "late" },
    { key: "k", value: "late" },
  ];
  const WRITES: readonly (readonly [method: string, path: string, body: unknown])[] = [
    ["POST", "/cache?key=k&value=late", undefined],
    ["DELETE", "/cache/k", undefined],
    ["POST", "/batch/set", { entries: ENTRIES }],
    ["POST", "/batch/delete", { keys: ["new", "k"] }],
    ["POST", "/touch?key=k&ttl=60", undefined],
    ["POST", "/pull?key=k", undefined],
    ["POST", "/lease?key=k", undefined],
    ["DELETE", "/lease?key=k&lease=x", undefined],
    ["PUT", "/revocations/token", undefined],
    ["DELETE", "/quarantine/1", undefined],
    ["POST", "/quarantine/1/replay", undefined],
  ];

  it.each(WRITES)("%s %s is refused after its deadline", async (method, path, body) => {
    const etag = await etagOf();
    const init = { method, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const headers = { ...JSON_TYPE, ...before(nowMs()) };
    const answer = await region.request(path, { ...init, headers });
    expect([answer.status, (await jsonOf(answer))["code"]]).toEqual([409, "DEADLINE_PASSED"]);
    expect(headerOf(answer, "meridian-time")).toBe(String(nowMs()));
    expect([await etagOf(), await etagOf("new")]).toEqual([etag, null]);
    const lease = await region.request("/lease?key=k&ttl=1s", { method: "POST" });
    expect(await jsonOf(lease)).toMatchObject({ lease: expect.any(String) as string });
    region.clock.advance(1_000);
  });

  it("that only reads is answered after its deadline, too", async () => {
    const bodies = { "/batch/get": { keys: ["k"] }, "/batch/has": { keys: ["k"] } };
    const headers = { ...JSON_TYPE, ...before(1) };
    for (const [path, body] of Object.entries(bodies)) {
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      expect((await region.request(path, init)).status).toBe(200);
    }
    const answer = await region.request("/cache/k", { headers });
    expect([answer.status, answer.headers.get("meridian-time")]).toEqual([200, null]);
  });
});

describe("a read with a deadline", () => {
  it("is answered below node:http, at node:http and by the app alike", async () => {
    const bytes =
      "GET /cache/k HTTP/1.1\r\nHost: localhost\r\nMeridian-Deadline: 1\r\nConnection: close\r\n\r\n";
    const kept = bytes.replace("Connection: close\r\n", "");
    const end = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const dateless = (text: string): string => text.replaceAll(/\r\nDate: [^\r]*/g, "");
    const answers = await Promise.all(
      ports.flatMap((port) => [exchangeBytes(port, bytes), exchangeBytes(port, kept, end)]),
    );
    const [short = "", shortKept = "", app = "", appKept = ""] = answers.map(dateless);
    expect([short, shortKept]).toEqual([app, appKept]);
    expect(short).toContain("HTTP/1.1 200 OK");
  });
});

describe("a lease", () => {
  it("goes past a client that has given it up while it waited", async () => {
    const lease = (query: string, headers = {}): Promise<Response> =>
      region.request(`/lease?key=l&ttl=2s${query}`, {
        method: "POST",
        headers,
      }) as Promise<Response>;
    await lease("");
    const gone = lease("&wait=10s", before(nowMs() + 1_000));
    const there = lease("&wait=10s", before(nowMs() + 10_000));
    await turn();
    region.clock.advance(2_000);
    expect(await jsonOf(await gone)).toMatchObject({ lease: null });
    expect(await jsonOf(await there)).toMatchObject({ lease: expect.any(String) as string });
  });
});

describe.each(["json", "binary"] as const)("over a WebSocket (%s)", (tongue) => {
  const VALUE = { value: "late" };
  const REQUESTS: readonly Told[] = [
    { type: "set", key: "k", ...VALUE },
    { type: "delete", key: "k" },
    { type: "touch", key: "k", ttl: "60s" },
    { type: "setMany", entries: [{ key: "k", ...VALUE }] },
    { type: "deleteMany", keys: ["k"] },
    { type: "pull", key: "k" },
    { type: "lease", key: "k" },
    { type: "release", key: "k", lease: "x" },
  ];

  it("each write is refused after its deadline, and the region's time is told", async () => {
    const client = await openForTest(ports[0] ?? 0, tongue);
    const etag = await etagOf();
    for (const request of REQUESTS) {
      const { error } = await client.ask({ ...request, deadlineMs: nowMs() });
      expect([request["type"], error]).toMatchObject([
        request["type"],
        { code: "DEADLINE_PASSED", status: 409, nowMs: nowMs() },
      ]);
    }
    expect(await etagOf()).toBe(etag);
    expect(await client.result({ type: "ping" })).toEqual({ nowMs: nowMs() });
  });

  it("a write is made before its deadline, and one of a far future is a mistake", async () => {
    const client = await openForTest(ports[0] ?? 0, tongue);
    const set = { type: "set", key: "k", value: "made" };
    expect(await client.code({ ...set, deadlineMs: nowMs() + 3_600_001 })).toBe("INVALID_ARGUMENT");
    expect(await client.code({ ...set, deadlineMs: nowMs() + 1 })).toBe("ok");
    expect(await read()).toBe("made");
  });

  it("a write that waits for its session's position is refused where that comes after the deadline", async () => {
    const client = await openForTest(ports[0] ?? 0, tongue);
    const position = nextPosition(await put("before"));
    const bounds = { position, waitMs: 10_000, deadlineMs: nowMs() + 1_000 };
    const id = client.send({ type: "set", key: "k", value: "late", ...bounds });
    await client.ask({ type: "ping" });
    region.clock.advance(1_000);
    await client.result({ type: "set", key: "a", value: "a" });
    await client.result({ type: "set", key: "b", value: "b" });
    const told = await client.take((each) => each["id"] === id);
    expect(told["error"]).toMatchObject({ code: "DEADLINE_PASSED" });
    expect(await read()).toBe("before");
  });
});
