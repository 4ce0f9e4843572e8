import { once } from "node:events";
import { connect, type Socket } from "node:net";

import { formatPosition } from "@meridian/protocol";
import { describe, expect, it, onTestFinished } from "vitest";

import {
  exchangeBytes,
  headerOf,
  jsonOf,
  parseAnswer,
  testNode,
  type TestNode,
} from "./harness.ts";

interface GaugeReport {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

async function gaugeOf(region: TestNode, name: string): Promise<GaugeReport> {
  const { gauges } = await jsonOf(await region.request("/status"));
  const found = (gauges as GaugeReport[]).findLast((gauge) => gauge.name === name);
  if (found === undefined) throw new Error(`Expected the gauge ${name}`);
  return found;
}

async function start(options: Parameters<typeof testNode>[0] = {}): Promise<TestNode> {
  const region = await testNode(options);
  onTestFinished(() => region.close());
  return region;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}

const MEBIBYTE = 1024 * 1024;
/** A machine with other things to do is no failure. */
const PATIENT = { timeout: 20_000 };
const health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const closing = "Host: localhost\r\nConnection: close\r\n";

describe("connections", () => {
  it("beyond the bound are refused with a problem, and there is room again when others end", async () => {
    const region = await start({ limits: { connectionsMax: 3 } });
    const port = await region.serve();
    const held = [await open(port), await open(port), await open(port)];
    for (const socket of held) {
      socket.write(health);
      await once(socket, "data");
    }
    const refused = parseAnswer(await exchangeBytes(port, health));
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(refused.body).toContain('"code":"OVERLOADED"');
    held[0]?.destroy();
    await expect
      .poll(
        async () =>
          parseAnswer(await exchangeBytes(port, health.replace("Host: localhost\r\n", closing)))
            .status,
        PATIENT,
      )
      .toBe(200);
    held[1]?.write(health);
    expect(String(await once(held[1] as Socket, "data"))).toContain("200 OK");
  });

  it("on which half a request comes are closed with a problem, those on which nothing comes without a word", async () => {
    const timeouts = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 };
    const region = await start({ limits: { timeouts } });
    const port = await region.serve();
    const body = "PUT /cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    expect(await exchangeBytes(port)).toBe("");
    for (const bytes of ["GET /cache/a HTT", "GET /cache/a HTTP/1.1\r\nHo", body]) {
      const answer = parseAnswer(await exchangeBytes(port, bytes));
      expect(answer.status).toBe(408);
      expect(answer.body).toContain('"code":"REQUEST_TIMEOUT"');
    }
  });
});

describe("clients that do not read", () => {
  it("make room for those that do, and delay no word of how the node is", async () => {
    const answerBytesMax = 24 * MEBIBYTE;
    const region = await start({ limits: { answerBytesMax }, valueBytesMax: 16 * MEBIBYTE });
    await region.request("/cache/big", { method: "PUT", body: new Uint8Array(16 * MEBIBYTE) });
    const port = await region.serve();
    for (let deaf = 0; deaf < 4; deaf += 1) {
      const socket = await open(port);
      socket.pause();
      socket.write("GET /cache/big HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    const ask = async (path: string): Promise<number> =>
      parseAnswer(await exchangeBytes(port, `GET ${path} HTTP/1.1\r\n${closing}\r\n`)).status;
    for (let turn = 0; turn < 10; turn += 1) expect(await ask("/healthz")).toBe(200);
    await region.settle(expect.poll(() => ask("/cache/big"), PATIENT).toBe(200));
    // A connection is let go of after its answer: not before whoever was answered hears of it.
    await expect
      .poll(async () => (await gaugeOf(region, "httpRequests")).now, PATIENT)
      .toBeLessThan(4);
  });
});

describe("while the disk stalls", () => {
  it("large writes are refused once it would need seconds for what waits, and small ones are taken", async () => {
    const region = await start();
    const put = async (bytes: number): Promise<number> => {
      const body = new Uint8Array(bytes);
      return (await region.request(`/cache/${bytes}`, { method: "PUT", body })).status;
    };
    const waits = async (bytes: number): Promise<void> => {
      await expect
        .poll(async () => (await gaugeOf(region, "writeBytes")).now, PATIENT)
        .toBeGreaterThan(bytes);
    };
    const slow = region.stall();
    const first = Array.from({ length: 12 }, () => put(MEBIBYTE));
    await waits(12 * MEBIBYTE);
    region.clock.advance(9_000);
    slow.end();
    expect(await Promise.all(first)).toEqual(first.map(() => 200));
    // Twelve mebibytes took nine seconds, so that eight take six.
    const stall = region.stall();
    const taken = Array.from({ length: 8 }, () => put(MEBIBYTE));
    await waits(8 * MEBIBYTE);
    expect(await put(MEBIBYTE)).toBe(503);
    const small = put(1_000);
    stall.end();
    expect(await Promise.all([...taken, small])).toEqual([...taken, small].map(() => 200));
    expect(await put(MEBIBYTE)).toBe(200);
  });

  it("writes wait up to a bound, beyond it they are refused, and reads go on", async () => {
    const region = await start({ backlogBytesMax: 100_000 });
    await region.request("/cache/read", { method: "PUT", body: "able" });
    const stall = region.stall();
    const put = (index: number): Promise<Response> =>
      region.request(`/cache/${index}`, {
        method: "PUT",
        body: "x".repeat(10_000),
      }) as Promise<Response>;
    const flood = Array.from({ length: 100 }, (_, index) => put(index));
    await expect
      .poll(async () => (await gaugeOf(region, "writeBytes")).now, PATIENT)
      .toBeGreaterThan(90_000);
    const { now, max } = await gaugeOf(region, "writeBytes");
    expect(max).toBe(100_000);
    // What is under way to the disk is there twice: as values, and as the block that holds them.
    expect(now).toBeLessThan(2 * (max + 20_000));
    const refused = await put(1_000);
    expect(refused.status).toBe(503);
    expect(headerOf(refused, "retry-after")).toBe("1");
    expect(await jsonOf(refused)).toMatchObject({ code: "OVERLOADED", retryable: true });
    expect(await (await region.request("/cache/read")).text()).toBe("able");
    stall.end();
    const statuses = (await Promise.all(flood)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    await expect.poll(async () => (await put(1_001)).status, PATIENT).toBe(200);
    await expect
      .poll(async () => (await gaugeOf(region, "acknowledgingBytes")).now, PATIENT)
      .toBe(0);
  });
});

describe("a write that waits for a disk", () => {
  it("which did not take it in time is refused, is not there, and may be sent again", async () => {
    const region = await start({ tuning: { commitWaitMs: 20 } });
    const stall = region.stall();
    const refused = await region.request("/cache/key", { method: "PUT", body: "value" });
    expect([refused.status, headerOf(refused, "retry-after")]).toEqual([503, "1"]);
    const problem = await jsonOf(refused);
    expect(problem).toMatchObject({ code: "OVERLOADED", retryable: true });
    expect(problem).not.toHaveProperty("mayHaveBeenApplied");
    stall.end();
    expect((await region.request("/cache/key")).status).toBe(404);
    const again = async (): Promise<number> =>
      (await region.request("/cache/key", { method: "PUT", body: "value" })).status;
    // A busy machine's disk may be late again.
    await expect.poll(again, PATIENT).toBe(200);
  });

  it("that has had it for too long is answered with what is known of it: nothing", async () => {
    const region = await start();
    const stall = region.stall();
    const put = region.request("/cache/key", { method: "PUT", body: "value" });
    const refused = await region.settle(put);
    expect([refused.status, headerOf(refused, "retry-after")]).toEqual([503, "1"]);
    const expected = { code: "OVERLOADED", retryable: true, mayHaveBeenApplied: true };
    expect(await jsonOf(refused)).toMatchObject(expected);
    expect((await gaugeOf(region, "writeBytes")).now).toBeGreaterThan(0);
    stall.end();
    // This one it took in the end.
    const read = async (): Promise<string> => (await region.request("/cache/key")).text();
    await expect.poll(read, PATIENT).toBe("value");
    await expect
      .poll(async () => (await gaugeOf(region, "writeBytes")).now, PATIENT)
      .toBeLessThan(200);
  });
});

describe("requests that wait", () => {
  const WAITERS = 2_000;

  it("for acknowledgements are so many that others are served, and one more is refused before it is stored", async () => {
    const region = await start();
    const put = async (key: string, ack: string): Promise<Response> =>
      region.request(`/cache/${key}?ack=${ack}&timeout=60s`, { method: "PUT", body: "value" });
    const waiting = Array.from({ length: WAITERS }, () => put("waiting", "directory"));
    await expect
      .poll(async () => (await gaugeOf(region, "acknowledgementWaiters")).now, PATIENT)
      .toBe(WAITERS);
    const refused = await put("refused", "directory");
    expect([refused.status, headerOf(refused, "retry-after")]).toEqual([503, "1"]);
    expect(await jsonOf(refused)).toMatchObject({ code: "OVERLOADED", max: WAITERS });
    expect((await region.request("/cache/refused")).status).toBe(404);
    expect((await put("local", "local")).status).toBe(200);
    expect((await region.request("/cache/local")).status).toBe(200);
    await expect.poll(async () => (await region.request("/cache/waiting")).status).toBe(200);
    const answers = await region.settle(Promise.all(waiting));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([504]));
    expect((await gaugeOf(region, "acknowledgementWaiters")).now).toBe(0);
  });

  it("for positions are so many that others are served", async () => {
    const region = await start();
    await region.serve();
    await region.request("/cache/key", { method: "PUT", body: "value" });
    const position = formatPosition({
      logId: 4,
      epoch: 5,
      sequence: 6,
      incarnation: 0,
      outboxPosition: 0,
    });
    const headers = { "Meridian-Position": position, "Meridian-Wait-Ms": "10000" };
    const get = async (): Promise<Response> => region.request("/cache/key", { headers });
    const waiting = Array.from({ length: WAITERS }, get);
    const positions = await gaugeOf(region, "positionWaiters");
    expect(positions.now).toBe(WAITERS);
    const refused = await get();
    expect([refused.status, headerOf(refused, "retry-after")]).toEqual([503, "1"]);
    expect(await jsonOf(refused)).toMatchObject({ code: "OVERLOADED", max: WAITERS });
    expect((await region.request("/cache/key")).status).toBe(200);
    const answers = await region.settle(Promise.all(waiting));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([409]));
    const acknowledgements = await gaugeOf(region, "acknowledgementWaiters");
    const requests = await gaugeOf(region, "httpRequests");
    expect(positions.max + acknowledgements.max).toBeLessThan(requests.max / 2);
  });
});

describe("one connection", () => {
  it("has one request under way at a time, and what it sends ahead is answered in turn", async () => {
    const region = await start();
    const port = await region.serve();
    const stall = region.stall();
    const ahead = Array.from({ length: 100 }, (_, index) => {
      const put = `PUT /cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n${100 + index}`;
      return `${put}GET /cache/a HTTP/1.1\r\nHost: localhost\r\n\r\n`;
    });
    const answered = exchangeBytes(port, ahead.join(""), `GET /status HTTP/1.1\r\n${closing}\r\n`);
    await expect.poll(() => region.requests, PATIENT).toBe(1);
    stall.end();
    const read = (await answered).match(/\r\n\r\n1\d\d(?=HTTP)/g) ?? [];
    expect(read.map((text) => Number(text))).toEqual(ahead.map((_, index) => 100 + index));
    expect(region.requests).toBe(0);
  });
});
