/** The stores of Keyv as Keyv calls them; `test/system/keyv.test.ts` runs Keyv itself and its own suite. */
import { TlruCache } from "@meridian/cache";
import { connect, type MeridianClient } from "@meridian/client";
import { startBothPrograms, type BothPrograms } from "@meridian/harness";
import { CacheStore, MeridianStore } from "@meridian/keyv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let programs: BothPrograms;
let client: MeridianClient;
const cache = new TlruCache<string, unknown>({ maxEntries: 5_000 });

beforeAll(async () => {
  programs = await startBothPrograms();
  client = await connect({ nodes: [programs.region], deadlineMs: 60_000 });
});

afterAll(async () => {
  client.close();
  cache.close();
  await programs.stop();
});

/** A store as Keyv has it once it has given it its namespace. */
function storeOf(kind: "cluster" | "cache", namespace: string): MeridianStore | CacheStore {
  const store = kind === "cluster" ? new MeridianStore(client) : new CacheStore(cache);
  store.namespace = namespace;
  return store;
}

describe.each(["cluster", "cache"] as const)("a store in the %s", (kind) => {
  it("gives what was set, in the order that is asked for", async () => {
    const store = storeOf(kind, "a");
    expect(await store.set("a:1", '{"value":1}')).toBe(true);
    const entries = [
      { key: "a:2", value: '{"value":2}', ttl: 60_000 },
      { key: "a:3", value: { value: 3 } },
    ];
    expect(await store.setMany(entries)).toEqual([true, true]);
    expect(await store.get("a:1")).toBe('{"value":1}');
    expect(await store.getMany(["a:3", "a:none", "a:2"])).toEqual([
      { value: 3 },
      undefined,
      '{"value":2}',
    ]);
    expect(await store.hasMany(["a:none", "a:1"])).toEqual([false, true]);
    expect([await store.has("a:1"), await store.has("a:none")]).toEqual([true, false]);
  });

  it("says whether there was something to delete", async () => {
    const store = storeOf(kind, "b");
    await store.setMany([
      { key: "b:1", value: "1" },
      { key: "b:2", value: "2" },
    ]);
    expect([await store.delete("b:1"), await store.delete("b:1")]).toEqual([true, false]);
    expect([await store.deleteMany(["b:1", "b:2"]), await store.deleteMany(["b:2"])]).toEqual([
      true,
      false,
    ]);
  });

  it("clears and lists its namespace, and no other", async () => {
    const [store, other] = [storeOf(kind, "c"), storeOf(kind, "cc")];
    await other.set("cc:1", "kept");
    await store.setMany(
      Array.from({ length: 1_100 }, (_, index) => ({ key: `c:${index}`, value: "x" })),
    );
    let count = 0;
    for await (const [key, value] of store.iterator("c")) {
      expect([key.startsWith("c:"), value]).toEqual([true, "x"]);
      count += 1;
    }
    expect(count).toBe(1_100);
    await store.clear();
    expect([await store.has("c:0"), await store.has("c:1099")]).toEqual([false, false]);
    expect(await other.get("cc:1")).toBe("kept");
  });
});

it("a store in the cluster stores text as text with its end, and clears nothing without a namespace", async () => {
  const store = new MeridianStore(client);
  await store.set("d:1", "text", 60_000);
  const raw = await client.getRaw("d:1");
  expect(raw?.contentType).toBe("text/plain; charset=utf-8");
  expect(raw?.expiresAtMs).toBeGreaterThan(0);
  await expect(store.clear()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(await store.has("d:1")).toBe(true);
});

it("a store in the cluster tells what fails, which Keyv would hide", async () => {
  const own = await connect({ nodes: [programs.region] });
  const store = new MeridianStore(own);
  const told: unknown[] = [];
  store.on("error", (error) => told.push(error));
  await store.disconnect();
  await expect(store.get("e:1")).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  expect(told).toMatchObject([{ code: "CLIENT_CLOSED" }]);
});
