import { channel } from "node:diagnostics_channel";

import { expect, onTestFinished, test } from "vitest";

import { connect, fromEnv, type ConnectOptions } from "../src/index.ts";
import { failure, openScene, passUntil } from "./scene.ts";
import { fetchOf, World } from "./world.ts";

test("listeners are told of the circuits of nodes, and of who answers now", async () => {
  const { world, client, clock, near, nearServer } = await openScene();
  const told: unknown[] = [];
  client.on("failover", ({ from, to }) => told.push(`${from.id} → ${to.id}`));
  const end = client.on("node", ({ id, circuit }) => told.push(`${id} ${circuit}`));
  await client.set("k", 1);
  world.replicate();
  await nearServer.kill();
  await client.set("k", 2);
  world.replicate();
  expect(told).toEqual(["near open", "near → far"]);
  near.url = await nearServer.start();
  await passUntil(
    clock,
    () => client.nodes.find(({ id }) => id === "near")?.circuit === "half-open",
  );
  expect(told.at(-1)).toBe("near half-open");
  end();
  let turns = 0;
  await passUntil(clock, () => {
    turns += 1;
    if (turns % 100 === 0) void client.get("k").catch(() => {});
    return told.at(-1) === "far → near";
  });
  expect(told).not.toContain("near closed");
});

test("a listener that throws is no error of the call that it is told of", async () => {
  const { client, nearServer } = await openScene();
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (cause) => thrown.push(cause));
  onTestFinished(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  });
  client.on("node", () => {
    throw new Error("mine");
  });
  await nearServer.kill();
  await client.set("k", 1);
  await new Promise(setImmediate);
  expect(String(thrown)).toContain("mine");
});

test.each([
  ["an event that does not exist", "nearest", () => {}],
  ["no listener", "node", undefined],
])("%s is refused", async (_, name, listener) => {
  const { client } = await openScene();
  expect(() => client.on(name as "node", listener as () => void)).toThrow(
    /`node` or `transport` or `failover` or `near`/,
  );
});

test("the status tells of the nodes, and of what is under way", async () => {
  const { client, near } = await openScene();
  expect(client.status()).toMatchObject({
    node: "near",
    directory: client.directory,
    calls: 0,
    loads: 0,
    closed: false,
  });
  near.mood = "hung";
  const calls = [failure(client.get("a")), failure(client.getOrSet("b", () => 1))];
  await near.received(1);
  expect(client.status()).toMatchObject({ calls: 2 });
  client.close();
  await Promise.all(calls);
  expect(client.status()).toMatchObject({ calls: 0, loads: 0, closed: true });
});

test("a client closes at the end of its block, as `await using` has it", async () => {
  const { client } = await openScene();
  await client[Symbol.asyncDispose]();
  expect((await failure(client.get("k"))).code).toBe("CLIENT_CLOSED");
});

test("calls and events are told on channels of the process", async () => {
  const { world, client, nearServer } = await openScene();
  const told: object[] = [];
  const hear = (message: unknown): void => void told.push(message as object);
  for (const name of ["call", "node", "failover"]) {
    const one = channel(`meridian:client:${name}`);
    one.subscribe(hear);
    onTestFinished(() => {
      one.unsubscribe(hear);
    });
  }
  await client.set("k", 1);
  world.replicate();
  await nearServer.kill();
  await client.get("k");
  await failure(client.set("k", 1, { ifMatch: "none" }));
  expect(told).toEqual([
    {
      method: "PUT",
      path: "/cache/k",
      durationMs: expect.any(Number) as number,
      node: "near",
      status: 200,
      transport: "http",
    },
    expect.objectContaining({ id: "near", circuit: "open" }),
    expect.objectContaining({ from: expect.objectContaining({ id: "near" }) as object }),
    expect.objectContaining({ method: "GET", node: "far" }),
    expect.objectContaining({
      error: expect.objectContaining({ code: "PRECONDITION_FAILED" }) as object,
    }),
  ]);
});

test("what the environment says is what `connect` takes", async () => {
  const world = new World();
  world.addNode("near");
  const options = fromEnv({ MERIDIAN_NODES: " http://near.test , ", MERIDIAN_DIRECTORY: "" });
  expect(options).toEqual({ nodes: ["http://near.test"] });
  const client = await connect({ ...options, fetch: fetchOf(world) });
  await client.set("k", 1);
  client.close();
  expect(
    fromEnv({
      MERIDIAN_DIRECTORY: "http://a.test,http://b.test",
      MERIDIAN_SEEDS: "http://s.test",
      MERIDIAN_LAT: "45.5",
      MERIDIAN_LON: "-73.6",
      MERIDIAN_TOKEN: "t",
      MERIDIAN_TRANSPORT: "websocket",
    }),
  ).toEqual({
    directory: ["http://a.test", "http://b.test"],
    seeds: ["http://s.test"],
    location: { lat: 45.5, lon: -73.6 },
    token: "t",
    transport: "websocket",
  } satisfies ConnectOptions);
  expect(() => fromEnv({ MERIDIAN_LAT: "north" })).toThrow(/`MERIDIAN_LAT`.*north/);
  expect(() => fromEnv({ MERIDIAN_TRANSPORT: "udp" })).toThrow(/`MERIDIAN_TRANSPORT`.*udp/);
  expect(fromEnv({ MERIDIAN_TRANSPORT: " " })).toEqual({});
});
