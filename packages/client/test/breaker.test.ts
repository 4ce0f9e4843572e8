/** Nodes that fail, and what later calls make of it. */
import { expect, onTestFinished, test } from "vitest";

import { connect } from "../src/index.ts";
import { failure, openScene, passUntil, timed, type Scene, speak, TRANSPORTS } from "./scene.ts";
import { Listener, type Reply } from "./world.ts";

const broken: Reply = { status: 500, body: "oops" };
const circuits = ({ client }: Scene): Readonly<Record<string, string>> =>
  Object.fromEntries(client.nodes.map(({ id, circuit }) => [id, circuit]));

/** Lets time pass until a node is trusted again, or it is clear that it is not. */
const pass = async ({ clock }: Scene, ms: number): Promise<void> => {
  const endMs = clock.elapsedMs() + ms;
  await passUntil(clock, () => clock.elapsedMs() >= endMs, ms + 1_000);
};

test.each(TRANSPORTS)(
  "a node that answers with three failures in a row is passed over from then on (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene();
    const { world, near, far, client } = scene;
    await client.set("key", 1);
    world.replicate();
    for (let n = 0; n < 2; n += 1) {
      near.scripted.push(broken);
      await client.get("key");
    }
    expect(circuits(scene)).toEqual({ near: "closed", far: "closed" });
    near.scripted.push(broken);
    await client.get("key");
    expect(circuits(scene)).toEqual({ far: "closed", near: "open" });
    const before = near.served;
    for (let n = 0; n < 5; n += 1) await client.get("key");
    expect([near.served, far.served]).toEqual([before, 8]);
  },
);

test("a node that only ever fails late is left after three calls that were too short for it", async () => {
  const scene = await openScene({ deadlineMs: 400 });
  const { world, clock, near, client } = scene;
  await client.set("key", 1);
  world.replicate();
  near.mood = "hung";
  for (let n = 0; n < 3; n += 1) {
    expect(circuits(scene)["near"]).toBe("closed");
    await timed(clock, failure(client.get("key")));
  }
  expect(circuits(scene)["near"]).toBe("open");
  const { value, tookMs } = await timed(clock, client.get("key"));
  expect([value, tookMs]).toEqual([1, 0]);
});

/** The near node has failed, and is asked again. */
async function comeBack(): ReturnType<typeof openScene> {
  const scene = await openScene();
  const { world, clock, near, client } = scene;
  await client.set("key", 1);
  world.replicate();
  near.mood = "draining";
  await client.get("key");
  near.mood = "ready";
  await passUntil(clock, () => client.nodes[0]?.id === "near", 20_000);
  return scene;
}

test("a failed node gets one request when it is back, while the others go on elsewhere", async () => {
  const scene = await comeBack();
  const { clock, near, far, client } = scene;
  expect(circuits(scene)).toEqual({ near: "half-open", far: "closed" });
  near.slowPaths.add("/cache/slow");
  const trial = client.get("slow", { deadlineMs: 5_000 });
  trial.catch(() => {});
  await passUntil(clock, () => near.calls.some(({ path }) => path === "/cache/slow"));
  const [nearBefore, farBefore] = [near.served, far.served];
  await Promise.all([client.get("key"), client.get("other"), client.get("third")]);
  expect([near.served, far.served]).toEqual([nearBefore, farBefore + 3]);
  // The trial fails: one failure is enough.
  await timed(clock, trial);
  expect(circuits(scene)["near"]).toBe("open");
});

test.each(TRANSPORTS)(
  "the success of that one request brings all others back (%s)",
  async (transport) => {
    speak(transport);
    const scene = await comeBack();
    const { far, client } = scene;
    await client.get("key");
    expect(circuits(scene)).toEqual({ near: "closed", far: "closed" });
    const before = far.served;
    await Promise.all([client.get("key"), client.get("other")]);
    expect(far.served).toBe(before);
  },
);

test.each(TRANSPORTS)(
  "a node comes back only when it has been ready for five seconds without a break (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene();
    const { clock, near, client } = scene;
    near.mood = "draining";
    await client.set("key", 1);
    near.mood = "ready";
    await pass(scene, 4_000);
    expect(client.nodes[0]?.id).toBe("far");
    near.mood = "syncing";
    await pass(scene, 1_500);
    near.mood = "ready";
    await pass(scene, 4_000);
    expect(client.nodes[0]?.id).toBe("far");
    await passUntil(clock, () => client.nodes[0]?.id === "near", 10_000);
  },
);

test.each([1_000, 20_000, 300_000])(
  "a node that was away for %i ms is used again within seven and a half seconds of being ready",
  async (awayMs) => {
    const scene = await openScene();
    const { clock, near, client } = scene;
    near.mood = "hung";
    await timed(clock, client.set("key", 1));
    await pass(scene, awayMs);
    near.mood = "ready";
    const readyAtMs = clock.elapsedMs();
    await passUntil(clock, () => client.nodes[0]?.id === "near", 20_000);
    const tookMs = clock.elapsedMs() - readyAtMs;
    expect(tookMs).toBeGreaterThanOrEqual(5_000);
    expect(tookMs).toBeLessThanOrEqual(7_500);
  },
);

test.each(TRANSPORTS)("how long that is can be chosen (%s)", async (transport) => {
  speak(transport);
  const scene = await openScene({ failbackMs: 0 });
  const { clock, near, client } = scene;
  near.mood = "draining";
  await client.set("key", 1);
  near.mood = "ready";
  await passUntil(clock, () => client.nodes[0]?.id === "near", 1_500);
  expect(clock.elapsedMs()).toBeLessThan(5_000);
});

test.each(TRANSPORTS)(
  "a node does not come back while the directory says that it lags by more than the bound (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene({ failbackLagMs: 500 });
    const { world, clock, near, client } = scene;
    near.mood = "draining";
    await client.set("key", 1);
    near.mood = "ready";
    world.lags.set("near", 501);
    await pass(scene, 60_000);
    expect(client.nodes[0]?.id).toBe("far");
    world.lags.set("near", 500);
    await passUntil(clock, () => client.nodes[0]?.id === "near", 20_000);
  },
);

test.each(TRANSPORTS)(
  "a node that comes and goes is come back to ever more seldom (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene();
    const { clock, near, client } = scene;
    const waits: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      near.mood = "draining";
      await client.set("key", n);
      near.mood = "ready";
      const startMs = clock.elapsedMs();
      await passUntil(clock, () => client.nodes[0]?.id === "near", 40_000);
      waits.push(clock.elapsedMs() - startMs);
    }
    const [first = 0, second = 0, third = 0] = waits;
    expect(first).toBeGreaterThanOrEqual(5_000);
    expect(second).toBeGreaterThanOrEqual(10_000);
    expect(third).toBeGreaterThanOrEqual(20_000);
  },
);

test("a new node that is nearer takes over once it has been ready for as long", async () => {
  const scene = await openScene({ refreshMs: 1_000 });
  const { world, clock, client } = scene;
  const nearest = world.addNode("nearest", 500);
  const server = new Listener((call) => nearest.answer(call));
  nearest.url = await server.start();
  onTestFinished(() => server.kill());
  await passUntil(clock, () => client.nodes.length === 3, 3_000);
  expect(client.nodes[0]?.id).toBe("near");
  await pass(scene, 4_000);
  expect(client.nodes[0]?.id).toBe("near");
  await passUntil(clock, () => client.nodes[0]?.id === "nearest", 10_000);
  await client.set("key", 1);
  expect(nearest.data.has("key")).toBe(true);
});

test.each(TRANSPORTS)(
  "a node that asks to be left alone is, for as long as it says (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene();
    const { world, near, client } = scene;
    await client.set("key", 1);
    world.replicate();
    near.scripted.push({ status: 503, body: "later", headers: { "retry-after": "3" } });
    const before = near.served;
    for (let n = 0; n < 3; n += 1) expect(await client.get("key")).toBe(1);
    expect(near.served).toBe(before + 1);
    await pass(scene, 2_900);
    await client.get("key");
    expect(near.served).toBe(before + 1);
  },
);

test.each(TRANSPORTS)(
  "with all nodes asking to be left alone, a call waits for the first to be over (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.scripted.push({ status: 503, body: "later", headers: { "retry-after": "3" } });
    far.scripted.push({ status: 503, body: "later", headers: { "retry-after": "2" } });
    const { tookMs } = await timed(clock, client.set("key", 1));
    expect(tookMs).toBeGreaterThanOrEqual(2_000);
    expect(tookMs).toBeLessThan(2_500);
    expect([near.served, far.served]).toEqual([1, 2]);
  },
);

test.each(TRANSPORTS)(
  "a call that has no time to wait so long ends at once, and so does the next, without asking (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    for (const node of [near, far]) {
      node.scripted.push({ status: 503, body: "later", headers: { "retry-after": "20" } });
    }
    for (let n = 0; n < 2; n += 1) {
      const { tookMs } = await timed(clock, failure(client.set("key", 1)));
      expect(tookMs).toBeLessThanOrEqual(50);
      expect([near.served, far.served]).toEqual([1, 1]);
    }
  },
);

test.each(TRANSPORTS)(
  "a write with a condition that may have been applied is not sent again (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.mood = "answers-lost";
    const { value } = await timed(clock, failure(client.set("key", 1, { ifAbsent: true })));
    expect(value).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      retryable: false,
      details: { mayHaveBeenApplied: true },
    });
    expect(value.message).toMatch(/no answer within 1000 ms/);
    expect(near.data.has("key")).toBe(true);
    expect(far.served).toBe(0);
  },
);

test.each(TRANSPORTS)(
  "nor is one that a node failed at, or whose deadline came first (%s)",
  async (transport) => {
    speak(transport);
    const { clock, near, far, client } = await openScene();
    near.scripted.push(broken);
    const failed = await failure(client.delete("key", { ifMatch: "v1" }));
    expect(failed.code).toBe("OUTCOME_UNKNOWN");
    near.mood = "hung";
    const late = failure(client.set("key", 1, { ifMatch: "v1", deadlineMs: 300 }));
    expect((await timed(clock, late)).value.code).toBe("OUTCOME_UNKNOWN");
    expect(far.served).toBe(0);
  },
);

test.each(TRANSPORTS)(
  "nor is one that a node still waits with for its disk; without a condition it is (%s)",
  async (transport) => {
    speak(transport);
    const { near, far, client } = await openScene();
    const code = "OVERLOADED";
    const hanging = {
      status: 503,
      headers: { "content-type": "application/problem+json", "retry-after": "1" },
      body: JSON.stringify({ code, status: 503, detail: "hangs", mayHaveBeenApplied: true }),
    };
    near.scripted.push(hanging);
    const failed = await failure(client.set("key", 1, { ifAbsent: true }));
    expect(failed).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      details: { mayHaveBeenApplied: true },
    });
    expect(far.served).toBe(0);
    near.scripted.push(hanging);
    await client.set("key", 1);
    expect(far.data.has("key")).toBe(true);
  },
);

test.each(TRANSPORTS)(
  "a write with a condition that no node has taken goes to the next one (%s)",
  async (transport) => {
    speak(transport);
    const { near, far, nearServer, client } = await openScene();
    near.mood = "draining";
    await client.set("first", 1, { ifAbsent: true });
    await nearServer.kill();
    await client.set("second", 1, { ifAbsent: true });
    expect([...far.data.keys()]).toEqual(["first", "second"]);
  },
);

test.each(TRANSPORTS)(
  "a write with a condition waits for its position without being sent (%s)",
  async (transport) => {
    speak(transport);
    const { world, clock, near, far, client } = await openScene();
    await client.set("key", 1);
    const { etag } = await client.set("key", 2);
    near.mood = "draining";
    const work = client.set("key", 3, { ifMatch: etag });
    await far.received(1);
    world.replicate();
    await timed(clock, work);
    expect(far.data.get("key")?.value?.toString()).toBe("3");
  },
);

test.each(TRANSPORTS)(
  "over real time and sockets: a node that hangs is left, and come back to when it answers (%s)",
  async (transport) => {
    speak(transport);
    const { near, far, client } = await openScene({
      clock: undefined,
      random: undefined,
      attemptMs: 100,
      failbackMs: 300,
    });
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) {
        await client.has("key");
        await new Promise(setImmediate);
      }
    };
    await client.set("key", 1, { ack: "local" });
    client.forgetPosition();
    near.mood = "hung";
    await until(() => client.nodes[0]?.id === "far");
    expect(client.nodes.find(({ id }) => id === "near")?.circuit).not.toBe("closed");
    near.mood = "ready";
    await until(() => client.nodes[0]?.id === "near" && client.nodes[0].circuit === "closed");
    const before = far.served;
    await client.has("key");
    expect(far.served).toBe(before);
  },
);

test.each(TRANSPORTS)(
  "a client of fixed nodes comes back by the node's own word (%s)",
  async (transport) => {
    speak(transport);
    const scene = await openScene();
    const { world, clock, near, far } = scene;
    const client = await connect({ nodes: [near.url, far.url], clock });
    onTestFinished(() => client.close());
    await client.set("key", 1);
    world.replicate();
    near.mood = "draining";
    await client.get("key");
    expect(client.nodes[0]?.url).toBe(far.url);
    expect(client.directory).toBeUndefined();
    near.mood = "ready";
    await passUntil(clock, () => client.nodes[0]?.url === near.url, 10_000);
  },
);
