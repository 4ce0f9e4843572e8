/** Everything is down, or was when the client was started. */
import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished, test } from "vitest";

import { connect, type ConnectOptions } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure, openScene, passUntil, timed, speak, TRANSPORTS } from "./scene.ts";
import { Listener, World } from "./world.ts";

/** What a caller waits for an answer that is known beforehand. */
const AT_ONCE_MS = 50;

test.each(["killed", "hung", "syncing", "draining", "foreign"] as const)(
  "once it is known that all nodes are %s, a call fails at once, whatever it is",
  async (mood) => {
    const { clock, near, far, nearServer, farServer, client } = await openScene();
    if (mood === "killed") await Promise.all([nearServer.kill(), farServer.kill()]);
    else near.mood = far.mood = mood;
    await timed(clock, failure(client.get("key")));
    const calls = [
      () => client.get("key"),
      () => client.getMany(["a", "b"]),
      () => client.has("key"),
      () => client.set("key", 1),
      () => client.set("key", 1, { ifAbsent: true, ack: "all" }),
      () => client.setMany([{ key: "key", value: 1 }]),
      () => client.delete("key"),
      () => client.keys().next(),
    ];
    for (const call of calls) {
      const { value, tookMs } = await timed(clock, failure(call()));
      expect(value.code).toBe("NO_READY_NODE");
      expect(value.details).toMatchObject({ failures: [{ node: "near" }, { node: "far" }] });
      expect(value.details).not.toHaveProperty("mayHaveBeenApplied");
      expect(tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
    }
  },
);

test.each(TRANSPORTS)(
  "a thousand calls in an outage look at each node once (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = far.mood = "draining";
    await timed(clock, failure(client.get("key")));
    await passUntil(clock, () => clock.elapsedMs() > 20_000);
    const before = near.calls.length;
    const calls = Array.from({ length: 1_000 }, (_, n) => failure(client.set(`k${n}`, n)));
    await timed(clock, Promise.all(calls));
    expect(near.calls.length - before).toBeLessThanOrEqual(2);
  },
);

test.each(TRANSPORTS)(
  "the first call after an outage is answered, as soon as a node is ready (%s)",
  async (transport) => {
    speak(transport);
    const { clock, nearServer, farServer, client } = await openScene();
    await Promise.all([nearServer.kill(), farServer.kill()]);
    await failure(client.get("key"));
    await passUntil(clock, () => clock.elapsedMs() > 120_000, 200_000);
    await farServer.start();
    const { tookMs } = await timed(clock, client.set("key", 1));
    expect(tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
  },
);

test.each(TRANSPORTS)(
  "a call asks for other nodes while all that are known are down, however long that lasts (%s)",
  async (transport) => {
    speak(transport);
    const { clock, world, nearServer, farServer, client } = await openScene();
    await Promise.all([nearServer.kill(), farServer.kill()]);
    world.hidden.add("near").add("far");
    await timed(clock, failure(client.get("key")));
    // By now the directory has answered so often that there is none that it is asked only every half a minute.
    await passUntil(clock, () => clock.elapsedMs() > 200_000, 400_000);
    const later = world.addNode("later");
    const laterServer = new Listener((call) => later.answer(call), transport !== "http");
    later.url = await laterServer.start();
    onTestFinished(() => laterServer.kill());
    await timed(clock, failure(client.set("key", 1)));
    const askedAtMs = clock.elapsedMs();
    await passUntil(clock, () => clock.elapsedMs() > askedAtMs + 1_500);
    await timed(clock, client.set("key", 1));
    expect(later.data.has("key")).toBe(true);
  },
);

test.each(TRANSPORTS)(
  "a connection that was closed while it lay idle costs a client of one node nothing (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near } = await openScene();
    const client = await connect({ nodes: [near.url], clock });
    onTestFinished(() => client.close());
    const { createServer } = await import("node:http");
    let resets = 1;
    const server = createServer((request, response) => {
      if (request.url !== "/readyz" && resets > 0) {
        resets -= 1;
        request.socket.destroy();
        return;
      }
      response.writeHead(200, { "meridian-node": "n", "content-type": "application/json" });
      response.end("1");
    });
    const url = await new Promise<string>((resolve) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
      });
    });
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const one = await connect({ nodes: [url], clock });
    onTestFinished(() => one.close());
    const { value } = await timed(clock, one.get("key"));
    expect(value).toBe(1);
    expect(resets).toBe(0);
  },
);

/** The options of a client whose directory does not listen, and that directory. */
async function awayFrom(
  world: World,
): Promise<ConnectOptions & { clock: FakeClock; server: Listener }> {
  const server = new Listener((call) => world.answerDirectory(call));
  const directory = await server.start();
  await server.kill();
  onTestFinished(() => server.kill());
  const clock = new FakeClock();
  return { directory, location: { lat: 0, lon: 0 }, clock, random: seededRandom(1), server };
}

test.each(TRANSPORTS)(
  "with seeds, connecting and calls work without a directory, and its list is used when it is back (%s)",
  async (transport) => {
    speak(transport);
    const { world, near, far, nearServer, farServer } = await openScene();
    const { server, clock, ...options } = await awayFrom(world);
    const work = connect({ ...options, clock, seeds: [far.url] });
    const { value: client, tookMs } = await timed(clock, work);
    onTestFinished(() => client.close());
    expect(tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
    expect(client.directory).toBeUndefined();
    await client.set("key", 1);
    expect(far.data.has("key")).toBe(true);
    await server.start();
    world.hidden.add("far");
    await passUntil(clock, () => client.nodes[0]?.id === "near", 60_000);
    expect(client.nodes.map(({ url }) => url)).toEqual([near.url, far.url]);
    // The directory does not name the seed: it serves when those that it names do not.
    world.replicate();
    await nearServer.kill();
    expect(await client.get("key")).toBe(1);
    await farServer.kill();
    expect((await failure(client.get("key"))).code).toBe("NO_READY_NODE");
  },
);

test.each(TRANSPORTS)(
  "a lazy client connects with its first call, and asks nobody before (%s)",
  async (transport) => {
    speak(transport);
    const world = new World();
    const node = world.addNode("near");
    const nodeServer = new Listener((call) => node.answer(call));
    node.url = await nodeServer.start();
    onTestFinished(() => nodeServer.kill());
    const { server, ...options } = await awayFrom(world);
    const client = await connect({ ...options, lazy: true });
    onTestFinished(() => client.close());
    await server.start();
    await passUntil(options.clock, () => options.clock.elapsedMs() > 60_000, 70_000);
    expect(world.directoryCalls).toEqual([]);
    expect(client.nodes).toEqual([]);
    await Promise.all([client.set("a", 1), client.set("b", 2), client.get("c")]);
    expect(world.directoryCalls).toHaveLength(1);
    expect(client.nodes.map(({ id }) => id)).toEqual(["near"]);
  },
);

test.each(TRANSPORTS)(
  "a lazy client without a directory fails at once, and works when there is one (%s)",
  async (transport) => {
    speak(transport);
    const world = new World();
    const node = world.addNode("near");
    const nodeServer = new Listener((call) => node.answer(call));
    node.url = await nodeServer.start();
    onTestFinished(() => nodeServer.kill());
    const { server, clock, ...options } = await awayFrom(world);
    const client = await connect({ ...options, clock, lazy: true });
    onTestFinished(() => client.close());
    for (let n = 0; n < 3; n += 1) {
      const { value, tookMs } = await timed(clock, failure(client.get("key")));
      expect(value.code).toBe("DIRECTORY_UNREACHABLE");
      expect(tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
    }
    await server.start();
    await passUntil(clock, () => clock.elapsedMs() > 1_000);
    const { tookMs } = await timed(clock, client.set("key", 1));
    expect(tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
  },
);

test.each(TRANSPORTS)(
  "a lazy client whose directory hangs waits for it once, then fails at once (%s)",
  async (transport) => {
    speak(transport);
    const server = new Listener(() => undefined);
    onTestFinished(() => server.kill());
    const clock = new FakeClock();
    const client = await connect({
      directory: await server.start(),
      location: { lat: 0, lon: 0 },
      clock,
      lazy: true,
    });
    onTestFinished(() => client.close());
    const first = await timed(clock, failure(client.get("key")));
    expect(first.tookMs).toBeLessThanOrEqual(1_100);
    const second = await timed(clock, failure(client.get("key")));
    expect(second.value.code).toBe("DIRECTORY_UNREACHABLE");
    expect(second.tookMs).toBeLessThanOrEqual(AT_ONCE_MS);
    const abort = new AbortController();
    const call = client.get("key", { signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    client.close();
    expect((await failure(client.get("key"))).code).toBe("CLIENT_CLOSED");
  },
);
