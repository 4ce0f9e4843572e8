import { expect, onTestFinished, test } from "vitest";

import { lock, type Lock, type LockOptions, type MeridianClient } from "../src/index.ts";
import { TestCluster } from "../src/testing/index.ts";
import { failure } from "./scene.ts";

interface Scene {
  readonly cluster: TestCluster;
  readonly cache: MeridianClient;
  /** Takes the lock `job` as another process would. */
  readonly take: (options?: LockOptions) => Promise<Lock>;
  /** Lets time pass, in steps between which what is due is done. */
  readonly pass: (ms: number) => Promise<void>;
}

async function open(nodes = 1): Promise<Scene> {
  const cluster = new TestCluster({ nodes });
  onTestFinished(() => cluster.close());
  const cache = await cluster.connect();
  const { clock } = cluster;
  return {
    cluster,
    cache,
    take: async (options = {}) =>
      lock(await cluster.connect(), "job", { ttl: "10s", clock, ...options }),
    pass: async (ms) => {
      for (let step = 0; step < 100; step += 1) await clock.advance(ms / 100);
    },
  };
}

test("a lock has one holder at a time, and each later one has a greater number", async () => {
  const { take } = await open();
  const first = await take();
  expect((await failure(take())).code).toBe("PRECONDITION_FAILED");
  expect([await first.release(), await first.release()]).toEqual([true, false]);
  await using second = await take();
  expect(second.fencing).toBeGreaterThan(first.fencing);
  expect(Number.isSafeInteger(first.fencing)).toBe(true);
});

test("who waits gets the lock once it is free, or the refusal when the wait is over", async () => {
  const { take, pass } = await open();
  const first = await take();
  const [patient, hasty] = [take({ wait: "20s" }), failure(take({ wait: "1s" }))];
  await pass(5_000);
  expect((await hasty).code).toBe("PRECONDITION_FAILED");
  await first.release();
  await pass(2_000);
  const second = await patient;
  expect(second.signal.aborted).toBe(false);
  const gone = new AbortController();
  const given = take({ wait: "20s", signal: gone.signal });
  gone.abort(new Error("gone"));
  expect((await given.catch((cause: Error) => cause.message)) as string).toBe("gone");
});

test("a lock renews itself for as long as it is held", async () => {
  const { cache, take, pass } = await open();
  const held = await take();
  await pass(60_000);
  expect(held.signal.aborted).toBe(false);
  expect((await failure(take())).code).toBe("PRECONDITION_FAILED");
  await held.release();
  await pass(20_000);
  expect(await cache.has("job")).toBe(false);
});

test("a lock that is not renewed is lost when its time is over, and its holder is told", async () => {
  const { take, pass } = await open();
  const held = await take({ renew: false });
  await pass(9_000);
  expect(held.signal.aborted).toBe(false);
  await pass(1_500);
  expect(held.signal.aborted).toBe(true);
  await using next = await take();
  expect([next.fencing > held.fencing, await held.release()]).toEqual([true, false]);
  expect((await failure(held.renew())).code).toBe("PRECONDITION_FAILED");
});

test("a holder hears at its next renewal that another one has the lock", async () => {
  const { cache, take, pass } = await open();
  const held = await take();
  await cache.delete("job");
  await using other = await take();
  await pass(5_000);
  expect([held.signal.aborted, other.signal.aborted]).toEqual([true, false]);
});

test("a lock whose answer is lost is held, if it was written", async () => {
  const { cluster, take, pass } = await open(2);
  const [first] = cluster.nodes;
  if (first !== undefined) first.mood = "answers-lost";
  const taken = take();
  await pass(3_000);
  await using held = await taken;
  expect(held.signal.aborted).toBe(false);
  await pass(20_000);
  expect(held.signal.aborted).toBe(false);
});

test("a lock without a time to live, or a scope without a condition, is refused", async () => {
  const { cache, take } = await open();
  expect((await failure(take({ ttl: undefined }))).code).toBe("INVALID_TTL");
  expect((await failure(take({ ttl: "1ms" }))).code).toBe("INVALID_TTL");
  const plain = cache.set("k", 1, { scope: "cluster" });
  expect((await failure(plain)).code).toBe("INVALID_ARGUMENT");
  const odd = cache.get("k", { scope: "world" as "cluster" });
  expect((await failure(odd)).code).toBe("INVALID_ARGUMENT");
});
