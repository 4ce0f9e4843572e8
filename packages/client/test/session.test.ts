import { MeridianError } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import fc from "fast-check";
import { expect, test } from "vitest";

import { connect, type MeridianClient } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { fetchOf, World, type FakeNode } from "./world.ts";

async function open(
  count: number,
  consistency: "session" | "eventual" = "session",
): Promise<{ world: World; clock: FakeClock; client: MeridianClient }> {
  const world = new World();
  for (let n = 0; n < count; n += 1) world.addNode(`node-${n}`);
  const clock = new FakeClock();
  const client = await connect({
    directory: "http://directory.test",
    location: { lat: 0, lon: 0 },
    fetch: fetchOf(world),
    clock,
    random: seededRandom(7),
    deadlineMs: 3_000,
    consistency,
  });
  return { world, clock, client };
}

/** The outcome of `work`, time moving on until there is one. */
async function settled<T>(clock: FakeClock, work: Promise<T>): Promise<T | MeridianError> {
  let outcome: { readonly value: T | MeridianError } | undefined;
  work.then(
    (value) => (outcome = { value }),
    (cause: unknown) => (outcome = { value: cause as MeridianError }),
  );
  for (let step = 0; step < 10_000; step += 1) {
    await new Promise(setImmediate);
    if (outcome !== undefined) return outcome.value;
    clock.advance(20);
  }
  return expect.fail("never settled");
}

test("after a failover, a read waits for what this client wrote, then gives it", async () => {
  const { world, clock, client } = await open(2);
  const [near, far] = world.nodes;
  await client.set("key", "mine");
  if (near !== undefined) near.mood = "draining";
  const read = client.get("key");
  await far?.received(1);
  for (let n = 0; n < 5; n += 1) await new Promise(setImmediate);
  world.replicate();
  expect(await settled(clock, read)).toBe("mine");
  expect(far?.served).toBeGreaterThan(1);
});

test("a read that no node has caught up for fails with its code when the deadline is over", async () => {
  const { world, clock, client } = await open(2);
  const [near] = world.nodes;
  await client.set("key", "mine");
  if (near !== undefined) near.mood = "hung";
  const error = await settled(clock, client.get("key"));
  expect(error).toMatchObject({ code: "POSITION_NOT_REACHED", retryable: true });
});

test("a client that forgets its position is served what the other nodes have", async () => {
  const { world, clock, client } = await open(2);
  const [near] = world.nodes;
  await client.set("key", "mine");
  if (near !== undefined) near.mood = "hung";
  client.forgetPosition();
  expect(await settled(clock, client.get("key"))).toBeUndefined();
});

test("with eventual consistency no position is presented", async () => {
  const { world, clock, client } = await open(2, "eventual");
  const [near, far] = world.nodes;
  await client.set("key", "mine");
  if (near !== undefined) near.mood = "draining";
  expect(await settled(clock, client.get("key"))).toBeUndefined();
  expect(far?.calls.every(({ headers }) => headers["meridian-position"] === undefined)).toBe(true);
});

/** Writes `a` at the first node, which begins to drain before it has answered, and meanwhile `b` at the next one. */
async function writeAtBoth(first: FakeNode, client: MeridianClient): Promise<void> {
  let answer = (): void => {};
  first.holding = new Promise((resolve) => (answer = resolve));
  const writing = client.set("a", 1);
  await first.received(1);
  first.holding = undefined;
  first.mood = "draining";
  await client.set("b", 2);
  answer();
  await writing;
}

test("positions of two other nodes are both reached before a third may answer", async () => {
  const { world, clock, client } = await open(3);
  const [first, second, third] = world.nodes;
  if (!first || !second || !third) throw new Error("unreachable");
  await writeAtBoth(first, client);
  expect([first.data.has("a"), second.data.has("b")]).toEqual([true, true]);
  second.mood = "draining";
  // The log gets the second node's write only.
  const kept = first.outbox.splice(0);
  world.replicate();
  const early = await settled(clock, client.get("b"));
  expect(early).toMatchObject({ code: "POSITION_NOT_REACHED" });
  first.outbox.push(...kept);
  world.replicate();
  expect(await settled(clock, client.get("a"))).toBe(1);
  expect(await settled(clock, client.get("b"))).toBe(2);
});

test("what was seen goes along from node to node: the third waits for what the first has taken", async () => {
  const { world, clock, client } = await open(3);
  const [first, second, third] = world.nodes;
  if (!first || !second || !third) throw new Error("unreachable");
  third.mood = "hung";
  await client.set("key", "mine");
  world.replicate();
  first.mood = "draining";
  expect(await settled(clock, client.get("key"))).toBe("mine");
  expect(second.served).toBe(1);
  // The third is back, and has missed what the second has answered with.
  second.mood = "draining";
  third.mood = "ready";
  const early = await settled(clock, client.get("key"));
  expect(early).toMatchObject({ code: "POSITION_NOT_REACHED" });
  world.replicate();
  expect(await settled(clock, client.get("key"))).toBe("mine");
});

test("an answer of one node does not make the client forget what it has seen of another", async () => {
  const { world, clock, client } = await open(3);
  const [first, second] = world.nodes;
  if (!first || !second) throw new Error("unreachable");
  await writeAtBoth(first, client);
  second.mood = "draining";
  // The log gets the first node's write only.
  second.outbox.splice(0);
  world.replicate();
  const read = await settled(clock, client.get("b"));
  expect(read).toMatchObject({ code: "POSITION_NOT_REACHED" });
});

test("a position that has moved on since a request left is not forgotten for its answer", async () => {
  const { world, clock, client } = await open(2);
  const [first, second] = world.nodes;
  if (!first || !second) throw new Error("unreachable");
  await client.set("a", 1);
  let answer = (): void => {};
  first.holding = new Promise((resolve) => (answer = resolve));
  const writing = client.set("b", 2);
  await first.received(2);
  first.holding = undefined;
  const kept = first.outbox.splice(1);
  world.replicate();
  first.mood = "draining";
  let answerRead = (): void => {};
  second.holding = new Promise((resolve) => (answerRead = resolve));
  const reading = client.get("a");
  await second.received(1);
  second.holding = undefined;
  answer();
  await writing;
  answerRead();
  expect(await reading).toBe(1);
  const early = await settled(clock, client.get("b"));
  expect(early).toMatchObject({ code: "POSITION_NOT_REACHED" });
  first.outbox.push(...kept);
  world.replicate();
  expect(await settled(clock, client.get("b"))).toBe(2);
});

test("answers of one node that arrive in another order than they were given take nothing back", async () => {
  const { world, clock, client } = await open(2);
  const [first] = world.nodes;
  if (!first) throw new Error("unreachable");
  let answer = (): void => {};
  first.holding = new Promise((resolve) => (answer = resolve));
  const writing = client.set("a", 1);
  await first.received(1);
  first.holding = undefined;
  await client.set("b", 2);
  answer();
  await writing;
  first.mood = "draining";
  // The log gets the first of the two writes only.
  const kept = first.outbox.splice(1);
  world.replicate();
  const early = await settled(clock, client.get("b"));
  expect(early).toMatchObject({ code: "POSITION_NOT_REACHED" });
  first.outbox.push(...kept);
  world.replicate();
  expect(await settled(clock, client.get("b"))).toBe(2);
});

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant("write" as const) },
  { weight: 4, arbitrary: fc.constant("read" as const) },
  { weight: 2, arbitrary: fc.constant("write twice at once" as const) },
  { weight: 2, arbitrary: fc.constant("replicate" as const) },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.nat(2),
      fc.constantFrom("ready", "syncing", "draining", "hung" as const),
    ),
  },
);

test("whatever fails, a client never reads an older state than it has written or read", async () => {
  const story = async (steps: readonly (string | readonly [number, string])[]): Promise<void> => {
    const { world, clock, client } = await open(3);
    const older: unknown[] = [];
    let written = 0;
    let atLeast = 0;
    const write = async (value: number): Promise<void> => {
      const outcome = await settled(clock, client.set("key", value));
      if (!(outcome instanceof MeridianError)) atLeast = Math.max(atLeast, value);
    };
    for (const what of steps) {
      if (typeof what !== "string") {
        const node = world.nodes[what[0]];
        if (node !== undefined) node.mood = what[1] as never;
      } else if (what === "replicate") {
        world.replicate();
      } else if (what === "read") {
        const value = await settled(clock, client.get<number>("key"));
        if (value instanceof MeridianError) continue;
        if ((value ?? 0) < atLeast) older.push([value, atLeast]);
        atLeast = value ?? 0;
      } else if (what === "write") {
        await write((written += 1));
      } else {
        // Both with the same value: which one is newer is the nodes' affair.
        written += 1;
        await Promise.all([write(written), write(written)]);
      }
    }
    client.close();
    expect(older).toEqual([]);
  };
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), story), { numRuns: 150 });
});
