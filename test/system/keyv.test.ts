/** Keyv's own conformance suite, from npm, over both stores. */
import { TlruCache } from "@meridian/cache";
import { connect, type MeridianClient } from "@meridian/client";
import { startBothPrograms } from "@meridian/harness";
import { CacheStore, MeridianStore } from "@meridian/keyv";
import * as vitest from "vitest";

import { NpmFolder } from "../support/npm-folder.ts";
import { runReadme } from "../support/readme-example.ts";

const { afterAll, describe, expect, it } = vitest;

interface Manager {
  get(key: string): Promise<unknown>;
  set(key: string, value: unknown, ttlMs?: number): Promise<unknown>;
  del(key: string): Promise<boolean>;
  mget(keys: readonly string[]): Promise<unknown[]>;
  wrap(key: string, load: () => unknown, ttlMs: number): Promise<unknown>;
  clear(): Promise<boolean>;
}
type CreateCache = (options: { readonly stores: readonly unknown[] }) => Manager;
type Suite = (test: typeof vitest, Keyv: unknown, store: () => unknown) => void;

// What the suite imports itself; its package also asks for databases and a test runner.
const PACKAGES = [
  "keyv@5.6.0",
  "cache-manager@7.2.9",
  "timekeeper@2.3.1",
  "bignumber.js@9.3.1",
  "json-bigint@1.0.0",
];
const SUITE = "@keyv/test-suite@2.1.2";

const folder = new NpmFolder();
folder.install(...PACKAGES);
folder.unpack(SUITE);
const { default: Keyv } = await folder.load("node_modules/keyv/dist/index.js");
const manager = await folder.load("node_modules/cache-manager/dist/index.mjs");
const createCache = manager["createCache"] as CreateCache;
const { default: suite, keyvIteratorTests: iterators } = await folder.load("package/dist/index.js");

const programs = await startBothPrograms();
const client = await connect({ nodes: [programs.region], deadlineMs: 60_000 });
const cache = new TlruCache<string, unknown>({ maxEntries: 1_000 });

afterAll(async () => {
  client.close();
  cache.close();
  await programs.stop();
  folder.remove();
});

describe.each([
  ["the cluster", () => new MeridianStore(client)],
  ["the cache of this process", () => new CacheStore(cache)],
])("Keyv over %s", (_, store) => {
  (suite as Suite)(vitest, Keyv, store);
  (iterators as Suite)(vitest, Keyv, store);
});

it("the README's examples run", async () => {
  const toRegion = (): Promise<MeridianClient> => connect({ nodes: [programs.region] });
  const modules = {
    "@meridian/cache": { TlruCache },
    "@meridian/client": { connect: toRegion },
    "@meridian/keyv": { CacheStore, MeridianStore },
    "cache-manager": manager,
    keyv: { default: Keyv },
  };
  expect(await runReadme("packages/keyv", modules)).toBe(3);
});

it("cache-manager keeps its values in the cluster, and clears only its own", async () => {
  const make = Keyv as new (options: object) => unknown;
  const store = (namespace: string): unknown =>
    new make({ store: new MeridianStore(client), namespace });
  const [pages, others] = ["pages", "others"].map((name) => createCache({ stores: [store(name)] }));
  await others?.set("1", "stays");
  await pages?.set("1", { n: 1 }, 60_000);
  let loads = 0;
  const load = (): string => `loaded ${(loads += 1)}`;
  expect(await pages?.wrap("2", load, 60_000)).toBe("loaded 1");
  expect(await pages?.wrap("2", load, 60_000)).toBe("loaded 1");
  expect(await pages?.mget(["1", "2", "3"])).toEqual([{ n: 1 }, "loaded 1", undefined]);
  expect(await client.ttl("pages:1")).toBeGreaterThan(0);
  await pages?.del("1");
  expect(await client.has("pages:1")).toBe(false);
  await pages?.clear();
  expect([await pages?.get("2"), await others?.get("1")]).toEqual([undefined, "stays"]);
});
