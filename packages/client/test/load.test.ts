/** Thousands of calls at once: how many requests, sockets and failures they make. */
import { expect, onTestFinished, test } from "vitest";

import { SLOTS } from "../src/slots.ts";
import { failure, openScene, passUntil, timed, speak, TRANSPORTS } from "./scene.ts";
import type { Reply } from "./world.ts";

const CALLS = 10_000;

test.each([1, 100, 10_000])(
  "ten thousand gets of %i keys at once are all answered by a few requests",
  async (count) => {
    const { near, far, nearServer, client } = await openScene();
    const keyOf = (n: number): string => `key-${n % count}`;
    for (let start = 0; start < count; start += 1_000) {
      const length = Math.min(1_000, count - start);
      const entries = Array.from({ length }, (_, n) => ({
        key: keyOf(start + n),
        value: start + n,
      }));
      await client.setMany(entries);
    }
    const requestsBefore = near.served;
    const values = await Promise.all(Array.from({ length: CALLS }, (_, n) => client.get(keyOf(n))));
    expect(values).toEqual(Array.from({ length: CALLS }, (_, n) => n % count));
    expect(near.served - requestsBefore).toBe(Math.ceil(count / 1_000));
    // One for each, and that of the writes before.
    expect(nearServer.mostSockets).toBeLessThanOrEqual(Math.ceil(count / 1_000) + 1);
    expect(far.calls).toEqual([]);
    expect(client.nodes.map(({ circuit }) => circuit)).toEqual(["closed", "closed"]);
  },
);

test.each(TRANSPORTS)(
  "no more than 64 requests are under way at a node, whatever they are, and all are answered (%s)",
  async (transport) => {
    speak(transport);
    const { near, far, nearServer, client } = await openScene();
    let release = (): void => {};
    nearServer.holding = new Promise((resolve) => (release = resolve));
    const before = near.calls.length;
    const work = Array.from({ length: 100 }, (_, n) => [
      client.set(`k${n}`, n),
      client.has(`k${n}`),
      client.delete(`other${n}`),
    ]).flat();
    await near.received(before + SLOTS);
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    expect(near.calls.length - before).toBe(SLOTS);
    release();
    nearServer.holding = undefined;
    await Promise.all(work);
    expect(nearServer.mostInFlight).toBeLessThanOrEqual(SLOTS);
    expect(nearServer.mostSockets).toBeLessThanOrEqual(SLOTS);
    expect(near.data.size).toBe(200);
    expect(far.calls).toEqual([]);
    expect(client.nodes[0]?.circuit).toBe("closed");
  },
);

test.each(TRANSPORTS)(
  "many writes that wait for acknowledgement ask for one sign of life at a time (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, nearServer, client } = await openScene();
    for (let n = 0; n < SLOTS; n += 1) near.slowPaths.add(`/cache/k${n}`);
    const work = Array.from({ length: SLOTS }, (_, n) =>
      failure(client.set(`k${n}`, n, { ack: "all", timeout: "30s" })),
    );
    await passUntil(clock, () => clock.elapsedMs() > 10_000);
    const signs = near.calls.filter(({ path }) => path === "/healthz").length;
    expect(signs).toBeGreaterThan(10);
    expect(signs).toBeLessThan(40);
    expect(nearServer.mostInFlight).toBeLessThanOrEqual(SLOTS + 1);
    client.close();
    for (const each of await Promise.all(work)) expect(each.code).toBe("CLIENT_CLOSED");
  },
);

test.each(TRANSPORTS)(
  "what waits for its turn at a node that hangs goes to the next one, within two seconds (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = "hung";
    const work = Promise.all(Array.from({ length: 500 }, (_, n) => client.set(`k${n}`, n)));
    const { tookMs } = await timed(clock, work);
    expect(tookMs).toBeLessThan(2_000);
    expect(far.data.size).toBe(500);
    expect(near.served).toBe(SLOTS);
  },
);

test.each(TRANSPORTS)(
  "a call that waits for its turn ends by its deadline, or when its signal aborts (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, client } = await openScene({ attemptMs: 60_000 });
    near.mood = "hung";
    for (let n = 0; n < SLOTS; n += 1) client.set(`k${n}`, n).catch(() => {});
    await near.received(SLOTS);
    const abort = new AbortController();
    const aborted = client
      .set("aborted", 1, { signal: abort.signal })
      .catch((cause: unknown) => cause as Error);
    abort.abort(new Error("enough"));
    expect(await aborted).toHaveProperty("message", "enough");
    const { value, tookMs } = await timed(
      clock,
      failure(client.set("late", 1, { deadlineMs: 200 })),
    );
    expect(value.code).toBe("NO_READY_NODE");
    expect(value.message).toMatch(/too many requests before/);
    expect(tookMs).toBeLessThanOrEqual(210);
    expect(near.served).toBe(SLOTS);
  },
);

test.each(TRANSPORTS)(
  "gets that come while the node is busy leave together when it is not (%s)",
  async (transport) => {
    speak(transport);
    const { near, nearServer, client } = await openScene();
    let release = (): void => {};
    nearServer.holding = new Promise((resolve) => (release = resolve));
    const first = [];
    for (let n = 0; n < SLOTS; n += 1) {
      first.push(client.get(`k${n}`));
      await Promise.resolve();
    }
    await near.received(SLOTS);
    const later = [];
    for (let n = 0; n < 500; n += 1) {
      later.push(client.get(`later${n}`), client.get(`later${n}`));
      await Promise.resolve();
    }
    expect(near.served).toBe(SLOTS);
    release();
    nearServer.holding = undefined;
    await Promise.all([...first, ...later]);
    expect(near.served).toBe(SLOTS + 1);
  },
);

test.each(TRANSPORTS)(
  "a get that comes after a request has left is not answered by it (%s)",
  async (transport) => {
    speak(transport);
    const { near, nearServer, client } = await openScene();
    await client.set("key", 1);
    let release = (): void => {};
    nearServer.holding = new Promise((resolve) => (release = resolve));
    const early = client.get("key");
    await near.received(2);
    nearServer.holding = undefined;
    await client.set("key", 2);
    expect(await client.get("key")).toBe(2);
    release();
    expect(await early).toBe(1);
  },
);

test.each(TRANSPORTS)("each caller gets a value of its own (%s)", async (transport) => {
  speak(transport);
  const { client } = await openScene();
  await client.set("json", { list: [1] });
  await client.set("bytes", Uint8Array.of(1, 2));
  const [a, b] = await Promise.all([
    client.get<{ list: number[] }>("json"),
    client.get<{ list: number[] }>("json"),
  ]);
  a?.list.push(2);
  expect(b).toEqual({ list: [1] });
  const [c, d, e] = await Promise.all([
    client.get<Uint8Array>("bytes"),
    client.get<Uint8Array>("bytes"),
    client.getRaw("bytes"),
  ]);
  c?.fill(9);
  e?.value.fill(7);
  expect(d).toEqual(Uint8Array.of(1, 2));
});

test.each(TRANSPORTS)(
  "a caller who leaves, or is out of time, costs the others nothing (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, client } = await openScene({ attemptMs: 60_000, deadlineMs: 30_000 });
    near.slowPaths.add("/cache/key");
    const abort = new AbortController();
    const left = client.get("key", { signal: abort.signal });
    const late = failure(client.get("key", { deadlineMs: 100 }));
    const patient = client.get("key");
    patient.catch(() => {});
    await near.received(1);
    abort.abort(new Error("enough"));
    await expect(left).rejects.toThrow("enough");
    const { value, tookMs } = await timed(clock, late);
    expect([value.code, tookMs <= 110]).toEqual(["NO_READY_NODE", true]);
    expect(near.served).toBe(1);
    client.close();
    expect((await failure(patient)).code).toBe("CLIENT_CLOSED");
  },
);

test("when all have left, the request is given up", async () => {
  const { near, nearServer, client } = await openScene();
  near.slowPaths.add("/cache/key");
  const abort = new AbortController();
  const work = [1, 2, 3].map(() => client.get("key", { signal: abort.signal }));
  await near.received(1);
  abort.abort(new Error("enough"));
  for (const one of await Promise.allSettled(work)) expect(one.status).toBe("rejected");
  near.slowPaths.clear();
  expect(await client.get("key")).toBeUndefined();
  expect(nearServer.mostInFlight).toBe(1);
});

test("values too large for one answer are read in smaller batches, and the next ones too", async () => {
  const { near, client } = await openScene();
  const refusal: Reply = {
    status: 413,
    headers: { "content-type": "application/problem+json" },
    body: JSON.stringify({ code: "VALUE_TOO_LARGE", detail: "one answer", bytesMax: 10 }),
  };
  near.scripted.push(refusal);
  const keys = Array.from({ length: 16 }, (_, n) => `k${n}`);
  await client.setMany(keys.map((key) => ({ key, value: key }))).catch(() => {});
  await client.setMany(keys.map((key) => ({ key, value: key })));
  near.scripted.push(refusal);
  const before = near.served;
  expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys);
  expect(near.served - before).toBe(3);
});

test.each(TRANSPORTS)(
  "a program that computes for seconds does not take its node for a silent one (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, nearServer, client } = await openScene();
    await client.set("key", 1);
    let release = (): void => {};
    nearServer.holding = new Promise((resolve) => (release = resolve));
    const read = client.get("key");
    await near.received(2);
    clock.stall(4_000);
    release();
    expect(await read).toBe(1);
    expect(far.calls).toEqual([]);
    expect(client.nodes[0]?.circuit).toBe("closed");
  },
);

test.each(TRANSPORTS)(
  "nor does one that computes beyond the deadline lose an answer that has come meanwhile (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    await client.set("key", 1);
    const read = client.get("key");
    await near.received(2);
    // The answer is in the socket, and this turn of the loop has not read it.
    clock.stall(60_000);
    expect(await read).toBe(1);
    expect(far.calls).toEqual([]);
  },
);

test.each(TRANSPORTS)(
  "a node that is silent while the program has time for it is left all the same (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = "hung";
    const work = client.set("key", 1);
    await near.received(1);
    clock.stall(500);
    const { tookMs } = await timed(clock, work);
    expect(tookMs).toBeGreaterThanOrEqual(900);
    expect(tookMs).toBeLessThan(1_100);
    expect(far.data.has("key")).toBe(true);
  },
);

test.each(TRANSPORTS)(
  "over real time: a loop that is blocked for longer than an attempt opens no circuit (%s)",
  async (transport) => {
    speak(transport);
    // Far longer than a busy machine takes for an attempt.
    const attemptMs = 1_000;
    const { far, client } = await openScene({ clock: undefined, random: undefined, attemptMs });
    const never = new Int32Array(new SharedArrayBuffer(4));
    await client.set("key", 1);
    for (let round = 0; round < 3; round += 1) {
      const read = client.get("key");
      await new Promise(setImmediate);
      Atomics.wait(never, 0, 0, 1.5 * attemptMs);
      expect(await read).toBe(1);
    }
    expect(far.calls).toEqual([]);
    expect(client.nodes[0]?.circuit).toBe("closed");
  },
);

test.each(TRANSPORTS)(
  "what a node has refused as too large is not sent to it again, and opens no circuit (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, client } = await openScene();
    near.scripted.push({
      status: 413,
      headers: { "content-type": "application/problem+json" },
      body: JSON.stringify({ code: "VALUE_TOO_LARGE", detail: "too large", bytesMax: 10 }),
    });
    for (let n = 0; n < 5; n += 1) {
      const error = await failure(client.set("key", "x".repeat(20), { ifAbsent: true }));
      expect(error).toMatchObject({ code: "VALUE_TOO_LARGE", details: { bytesMax: 10 } });
    }
    expect(near.served).toBe(1);
    await client.set("key", "short");
    expect(client.nodes[0]?.circuit).toBe("closed");
    // A node may be started with another bound.
    await passUntil(clock, () => clock.elapsedMs() > 60_000, 70_000);
    await client.set("key", "x".repeat(20));
    expect(near.served).toBe(3);
  },
);

test.each(TRANSPORTS)(
  "a node that stops reading a large body is not left for it, nor is the outcome unknown (%s)",
  async (transport) => {
    speak(transport);
    const { near, client } = await openScene();
    const { createServer } = await import("node:net");
    let refusals = 0;
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        if (chunk.subarray(0, 3).toString() !== "PUT") {
          socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
          return;
        }
        refusals += 1;
        socket.destroy();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    expect(near.calls).toEqual([]);
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const { connect } = await import("../src/index.ts");
    const other = await connect({ nodes: [url, client.nodes[1]?.url ?? ""] });
    onTestFinished(() => other.close());
    await other.set("key", new Uint8Array(4 * 1024 * 1024));
    expect(refusals).toBe(1);
    expect(other.nodes.map(({ circuit }) => circuit)).toEqual(["closed", "closed"]);
  },
);
