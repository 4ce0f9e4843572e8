import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test } from "vitest";

import { connect } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure, openScene, passUntil, timed, speak, TRANSPORTS } from "./scene.ts";
import { Listener } from "./world.ts";

test.each(TRANSPORTS)(
  "a node that was killed costs no wait: the next one answers at once (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, nearServer, client } = await openScene();
    await client.set("key", 1);
    world.replicate();
    await nearServer.kill();
    const startMs = clock.elapsedMs();
    expect(await client.get("key")).toBe(1);
    expect(clock.elapsedMs()).toBe(startMs);
  },
);

test.each(TRANSPORTS)(
  "a node that takes requests and never answers is left within two seconds (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, near, client } = await openScene();
    await client.set("key", 1);
    world.replicate();
    near.mood = "hung";
    const { value, tookMs } = await timed(clock, client.get("key"));
    expect(value).toBe(1);
    expect(tookMs).toBeLessThan(2_000);
  },
);

test.each(TRANSPORTS)(
  "once a node has failed, later calls do not try it again (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, near, far, client } = await openScene();
    await client.set("key", 1);
    world.replicate();
    near.mood = "hung";
    await timed(clock, client.get("key"));
    const before = near.served;
    for (let n = 0; n < 5; n += 1) expect(await client.get("key")).toBe(1);
    expect(near.served).toBe(before);
    expect(far.served).toBe(6);
    expect(client.nodes.map(({ id }) => id)).toEqual(["far", "near"]);
  },
);

test.each(["syncing", "draining"] as const)(
  "a node that answers %s is left at once",
  async (mood) => {
    const { clock, near, far, client } = await openScene();
    near.mood = mood;
    await client.set("key", 1);
    expect(clock.elapsedMs()).toBe(0);
    expect(far.data.has("key")).toBe(true);
  },
);

test.each(TRANSPORTS)(
  "something else that answers at a node's address is not taken for it (%s)",
  async (transport) => {
    speak(transport);
    const { near, far, client } = await openScene();
    near.mood = "foreign";
    await client.set("key", 1);
    expect(far.data.has("key")).toBe(true);
  },
);

test("an answer that stops in its middle is left for another node's", async () => {
  const { clock, far, client, near, nearServer } = await openScene();
  await client.set("key", 1);
  far.data.set("key", {
    version: 9,
    etag: '"v9"',
    value: Buffer.from("2"),
    contentType: "application/json",
    expiresAtMs: null,
  });
  client.forgetPosition();
  await nearServer.kill();
  const { createServer } = await import("node:http");
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(200, { "meridian-node": "near", "content-length": "100" });
    response.write("half");
  });
  const port = Number(new URL(near.url).port);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { value, tookMs } = await timed(clock, client.get("key"));
  expect(value).toBe(2);
  expect(asked).toBe(1);
  expect(tookMs).toBeLessThan(2_000);
});

test.each(TRANSPORTS)(
  "the client goes back to the nearer node when a check in the background finds it ready (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, near, far, client } = await openScene();
    near.mood = "draining";
    await client.set("key", 1);
    world.replicate();
    near.mood = "ready";
    const servedByFar = far.served;
    await passUntil(clock, () => client.nodes[0]?.id === "near", 10_000);
    expect(near.calls.some(({ path }) => path === "/readyz")).toBe(true);
    expect(await client.get("key")).toBe(1);
    expect(far.served).toBe(servedByFar);
  },
);

test.each(TRANSPORTS)(
  "a node that was killed is used again when it is back on the same address (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, nearServer, client } = await openScene();
    await client.set("key", 1);
    world.replicate();
    await nearServer.kill();
    world.hidden.add("near");
    await client.get("key");
    await passUntil(clock, () => client.nodes.length === 2 && clock.elapsedMs() > 3_000);
    expect(client.nodes[0]?.id).toBe("far");
    await nearServer.start();
    // Ready by its own word, but the directory has the last one: the node may lag.
    await passUntil(clock, () => clock.elapsedMs() > 40_000);
    expect(client.nodes[0]?.id).toBe("far");
    world.hidden.delete("near");
    await passUntil(clock, () => client.nodes[0]?.id === "near", 15_000);
    expect(await client.get("key")).toBe(1);
  },
);

test.each(TRANSPORTS)(
  "the list of nodes is refreshed in the background (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, client } = await openScene();
    const third = world.addNode("third");
    const server = new Listener((call) => third.answer(call));
    third.url = await server.start();
    onTestFinished(() => server.kill());
    await passUntil(clock, () => client.nodes.length === 3, 31_000);
    expect(world.directoryCalls).toHaveLength(2);
  },
);

test.each(["hung", "failing"] as const)(
  "with the directory %s, the client works from the nodes it knows, failover included",
  async (mood) => {
    const { world, clock, near, nearServer, client } = await openScene();
    world.directoryMood = mood;
    await client.set("key", 1);
    world.replicate();
    await nearServer.kill();
    expect(await client.get("key")).toBe(1);
    await passUntil(clock, () => clock.elapsedMs() > 120_000, 200_000);
    // Two minutes of trying: bounded, with back-off.
    expect(world.directoryCalls.length).toBeGreaterThan(3);
    expect(world.directoryCalls.length).toBeLessThan(20);
    await nearServer.start();
    await passUntil(clock, () => client.nodes[0]?.id === "near", 15_000);
    expect(near.data.size).toBe(1);
  },
);

test.each(TRANSPORTS)(
  "connecting waits for a directory whose nodes are not ready yet (%s)",
  async (transport) => {
    speak(transport);
    const { world, near, far, clock, client } = await openScene();
    near.mood = far.mood = "syncing";
    const gone = new Listener(() => undefined);
    const url = await gone.start();
    await gone.kill();
    expect(client.nodes).toHaveLength(2);
    const directory = new Listener((call) => world.answerDirectory(call));
    onTestFinished(() => directory.kill());
    const second = connect({
      directory: [url, await directory.start()],
      location: { lat: 0, lon: 0 },
      clock,
      random: seededRandom(2),
    });
    await passUntil(clock, () => world.directoryCalls.length >= 3);
    far.mood = "ready";
    const { value } = await timed(clock, second);
    expect(value.nodes.map(({ id }) => id)).toEqual(["far"]);
    value.close();
  },
);

test.each(TRANSPORTS)(
  "connecting without any directory fails with its code when the deadline is over (%s)",
  async (transport) => {
    speak(transport);
    const clock = new FakeClock();
    const options = { location: { lat: 0, lon: 0 }, clock, random: seededRandom(1) };
    const gone = new Listener(() => undefined);
    const directory = await gone.start();
    await gone.kill();
    const work = failure(connect({ directory, ...options }));
    const { value, tookMs } = await timed(clock, work);
    expect(value.code).toBe("DIRECTORY_UNREACHABLE");
    expect(tookMs).toBeLessThanOrEqual(5_000);
  },
);

test("with no node left, a call fails at once and tells of every attempt", async () => {
  const { clock, nearServer, farServer, client } = await openScene();
  await nearServer.kill();
  await farServer.kill();
  const { value, tookMs } = await timed(clock, failure(client.get("key", { deadlineMs: 1_500 })));
  expect(value.code).toBe("NO_READY_NODE");
  expect(value.message).toMatch(/near: .*ECONNREFUSED.*far: /);
  expect(value.details).toMatchObject({ failures: [{ node: "near" }, { node: "far" }] });
  expect(tookMs).toBeLessThanOrEqual(50);
});

test.each(TRANSPORTS)(
  "a call of a short deadline that is cut off does not turn the client away from the node (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, client } = await openScene();
    near.slowPaths.add("/cache/slow");
    const { value, tookMs } = await timed(clock, failure(client.get("slow", { deadlineMs: 50 })));
    expect(value.code).toBe("NO_READY_NODE");
    expect(tookMs).toBeLessThanOrEqual(60);
    expect(client.nodes[0]?.id).toBe("near");
  },
);

test.each(TRANSPORTS)(
  "a write without an answer is repeated on the next node (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = "answers-lost";
    await timed(clock, client.set("key", 1));
    expect(far.data.get("key")?.value?.toString()).toBe("1");
    expect(near.data.get("key")?.value?.toString()).toBe("1");
  },
);

test.each(TRANSPORTS)(
  "a repeated delete does not claim to know whether there was a value (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, near, client } = await openScene();
    await client.set("key", 1);
    world.replicate();
    near.mood = "answers-lost";
    const work = client.delete("key");
    await near.received(2);
    world.replicate();
    const { value } = await timed(clock, work);
    expect(value.deleted).toBeUndefined();
  },
);

test.each(TRANSPORTS)(
  "a write that no node answered fails, and says that it may have been applied (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = far.mood = "answers-lost";
    const { value } = await timed(clock, failure(client.set("key", 1)));
    expect(value).toMatchObject({ code: "NO_READY_NODE", details: { mayHaveBeenApplied: true } });
  },
);

test.each(TRANSPORTS)(
  "a write that never left says nothing of having been applied (%s)",
  async (transport) => {
    speak(transport);
    const { clock, nearServer, farServer, client } = await openScene();
    await nearServer.kill();
    await farServer.kill();
    const { value } = await timed(clock, failure(client.set("key", 1, { deadlineMs: 500 })));
    expect(value.details).not.toHaveProperty("mayHaveBeenApplied");
  },
);

test.each(TRANSPORTS)(
  "a write that waits for acknowledgement may take longer than a node may be silent (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.slowPaths.add("/cache/key");
    const abort = new AbortController();
    const work = client.set("key", 1, { ack: "all", timeout: "30s", signal: abort.signal });
    work.catch(() => {});
    await passUntil(clock, () => clock.elapsedMs() > 20_000);
    expect(far.served).toBe(0);
    expect(near.calls.filter(({ path }) => path === "/healthz").length).toBeGreaterThan(10);
    abort.abort(new Error("seen enough"));
    await expect(work).rejects.toThrow("seen enough");
  },
);

test.each(TRANSPORTS)(
  "a node that gives no sign of life during such a write is left within two seconds (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = "hung";
    const { tookMs } = await timed(clock, client.set("key", 1, { ack: "all", timeout: "30s" }));
    expect(tookMs).toBeLessThan(2_000);
    expect(far.data.has("key")).toBe(true);
  },
);
