/** unstorage itself, from npm, over the driver: the documented interface, as `createStorage` calls it. npm has no suite of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect } from "@meridian/client";
import { startSmallRegion, until } from "@meridian/harness";
import { meridianDriver, type MeridianDriver } from "@meridian/unstorage";
import { expect, it } from "vitest";

import { npmStage } from "../support/npm-stage.ts";
import { runReadme } from "../support/readme-example.ts";

type Item = { readonly key: string; readonly value: unknown; readonly options?: object };

interface Storage {
  hasItem(key: string): Promise<boolean>;
  getItem(key: string): Promise<unknown>;
  getItems(keys: readonly string[]): Promise<Item[]>;
  getItemRaw(key: string): Promise<unknown>;
  setItem(key: string, value: unknown, options?: object): Promise<void>;
  setItems(items: readonly Item[], options?: object): Promise<void>;
  setItemRaw(key: string, value: unknown): Promise<void>;
  removeItem(key: string): Promise<void>;
  getMeta(key: string): Promise<Readonly<Record<string, unknown>>>;
  setMeta(key: string, meta: object): Promise<void>;
  getKeys(base?: string, options?: object): Promise<string[]>;
  clear(base?: string): Promise<void>;
  mount(base: string, driver: MeridianDriver): Storage;
  watch(changed: (event: string, key: string) => void): Promise<() => Promise<void>>;
  dispose(): Promise<void>;
}

const { folder, programs, client, toRegion } = await npmStage("unstorage@1.17.6");
const unstorage = await folder.load("node_modules/unstorage/dist/index.mjs");
const createStorage = unstorage["createStorage"] as (options: object) => Storage;

let count = 0;
/** A storage of its own. */
function makeStorage(options: { readonly ttl?: number } = {}): { storage: Storage; base: string } {
  const base = `s${(count += 1)}`;
  return { base, storage: createStorage({ driver: meridianDriver({ client, base, ...options }) }) };
}

it("the README's example runs", async () => {
  const modules = {
    "@meridian/client": { connect: toRegion },
    "@meridian/unstorage": { meridianDriver },
    unstorage,
  };
  expect(await runReadme("packages/unstorage", modules)).toBe(2);
});

it.each<readonly [string, unknown]>([
  ["text", "text"],
  ["empty text", ""],
  ["a number", 7],
  ["a truth value", false],
  ["an object", { nested: { list: [1, "two", null] } }],
  ["text that begins as an object does", "{"],
])("%s comes back as it was set", async (_, value) => {
  const { storage } = makeStorage();
  expect([await storage.hasItem("a:b"), await storage.getItem("a:b")]).toEqual([false, null]);
  await storage.setItem("a:b", value);
  expect([await storage.hasItem("a:b"), await storage.getItem("a:b")]).toEqual([true, value]);
  await storage.removeItem("a:b");
  expect([await storage.hasItem("a:b"), await storage.getItem("a:b")]).toEqual([false, null]);
});

it("several values are set and given at once, in the order that is asked for", async () => {
  const { storage } = makeStorage();
  await storage.setItems([
    { key: "one", value: 1 },
    { key: "two", value: "2", options: { ttl: 60 } },
  ]);
  await storage.setItems([]);
  expect(await storage.getItems(["two", "none", "one"])).toEqual([
    { key: "two", value: 2 },
    { key: "none", value: null },
    { key: "one", value: 1 },
  ]);
});

it("raw bytes are stored as bytes", async () => {
  const { storage, base } = makeStorage();
  const bytes = Uint8Array.of(0, 128, 255);
  await storage.setItemRaw("raw", bytes);
  expect(await storage.getItemRaw("raw")).toEqual(bytes);
  expect((await client.getRaw(`${base}:raw`))?.contentType).toBe("application/octet-stream");
  expect(await storage.getItemRaw("none")).toBe(null);
});

it("keys are listed and cleared under a base, and of no other driver", async () => {
  const { storage, base } = makeStorage();
  const mounted = makeStorage();
  storage.mount("other", meridianDriver({ client, base: mounted.base }));
  for (const key of ["a", "b:1", "b:2:x", "bc", "other:1"]) await storage.setItem(key, key);
  expect((await storage.getKeys()).toSorted()).toEqual(["a", "b:1", "b:2:x", "bc", "other:1"]);
  expect(await storage.getKeys("b")).toEqual(["b:1", "b:2:x"]);
  expect(await client.has(`${mounted.base}:1`)).toBe(true);
  await storage.clear("other");
  expect((await storage.getKeys()).toSorted()).toEqual(["a", "b:1", "b:2:x", "bc"]);
  await storage.clear();
  expect([await storage.getKeys(), await client.has(`${base}:a`)]).toEqual([[], false]);
});

it("a time to live is of the driver or of a call, in seconds, and a meta", async () => {
  const { storage } = makeStorage({ ttl: 3_600 });
  await storage.setItem("by-driver", 1);
  await storage.setItem("by-call", 1, { ttl: 60 });
  await storage.setItems([{ key: "of-many", value: 1 }], { ttl: 30 });
  await storage.setMeta("by-call", { note: "own" });
  const ttls = await Promise.all(
    ["by-driver", "by-call", "of-many"].map(async (key) => (await storage.getMeta(key))["ttl"]),
  );
  for (const [index, seconds] of [3_600, 60, 30].entries()) {
    expect(ttls[index]).toBeGreaterThan(0);
    expect(ttls[index]).toBeLessThanOrEqual(seconds);
  }
  expect((await storage.getMeta("by-call"))["note"]).toBe("own");
  expect(await storage.getKeys()).toEqual(["by-call", "by-driver", "of-many"]);
});

it("a watch tells what others set and remove, until it is ended", async () => {
  const { storage, base } = makeStorage();
  await storage.setItem("old", 1);
  const told: string[] = [];
  const unwatch = await storage.watch((event, key) => void told.push(`${event} ${key}`));
  const other = await toRegion();
  await other.set(`${base}:new`, 1);
  await other.delete(`${base}:old`);
  await other.set(`${base}:short`, 1, { ttlMs: 1 });
  await until("all is told", () => told.includes("remove short"));
  expect(told.slice(0, 2)).toEqual(["update new", "remove old"]);
  await unwatch();
  await other.set(`${base}:later`, 1);
  other.close();
  expect(await storage.getItem("later")).toBe(1);
  expect(told).not.toContain("update later");
});

it("a watch that goes on at another node tells what it has missed", async () => {
  const data = mkdtempSync(join(tmpdir(), "meridian-oslo-"));
  const oslo = await startSmallRegion({ id: "oslo", data, directory: [programs.directory] });
  await until("the node serves", async () => (await fetch(`${oslo.url}/readyz`)).ok);
  const own = await connect({ nodes: [oslo.url, programs.region], deadlineMs: 60_000 });
  const storage = createStorage({ driver: meridianDriver({ client: own, base: "moving" }) });
  await storage.setItems(["same", "gone", "newer"].map((key) => ({ key, value: 1 })));
  await until("the other node has them", async () => (await client.has("moving:newer")) === true);
  const told: string[] = [];
  await storage.watch((event, key) => void told.push(`${event} ${key}`));
  await oslo.stop();
  await client.delete("moving:gone");
  await client.set("moving:newer", 2);
  await client.set("moving:added", 1);
  await until("all is told", () => new Set(told).size >= 3);
  expect(new Set(told)).toEqual(new Set(["remove gone", "update newer", "update added"]));
  await storage.dispose();
  own.close();
  rmSync(data, { recursive: true });
});

it("a cluster that cannot be reached rejects calls and the beginning of a watch", async () => {
  const own = await connect({ nodes: ["http://127.0.0.1:1"], lazy: true, deadlineMs: 300 });
  const storage = createStorage({ driver: meridianDriver({ client: own, base: "away" }) });
  await expect(storage.getItem("a")).rejects.toMatchObject({ code: "NO_READY_NODE" });
  await expect(storage.setItem("a", 1)).rejects.toMatchObject({ code: "NO_READY_NODE" });
  await expect(storage.watch(() => {})).rejects.toMatchObject({ code: "NO_READY_NODE" });
  own.close();
});

it.each(["", "ends:", undefined])("a base of %j is refused", (base) => {
  expect(() => meridianDriver({ client, base: base as string })).toThrow("Expected `base`");
});
