/** What clients keep in their own processes, at real regions: right at once where they wrote themselves, and soon everywhere else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type ConnectOptions, type MeridianClient } from "@meridian/client";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";

let folder: string;
const stops: (() => Promise<void>)[] = [];
let oslo: RunningRegion;
let rome: RunningRegion;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-near-"));
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  stops.push(() => directory.stop());
  const start = async (id: string): Promise<RunningRegion> => {
    const data = join(folder, id);
    const region = await startSmallRegion({ id, data, directory: [directory.url] });
    stops.unshift(() => region.stop());
    await until(`${id} is ready`, () => region.status === "ready");
    return region;
  };
  oslo = await start("oslo");
  rome = await start("rome");
});

afterAll(async () => {
  for (const stop of stops) await stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Counted {
  readonly client: MeridianClient;
  /** How many requests for values were sent. */
  readonly asked: () => number;
  /** Ends the connections on which changes are told. */
  readonly cut: () => void;
}

async function open(nodes: readonly string[], options: ConnectOptions = {}): Promise<Counted> {
  let streams = new AbortController();
  let count = 0;
  const client = await connect({
    nodes,
    near: { maxEntries: 1_000, maxBytes: 1_000_000 },
    fetch: (url, init) => {
      if (/\/(cache|batch\/get)/.test(url)) count += 1;
      if (!url.includes("/watch?")) return fetch(url, init);
      const signal = AbortSignal.any([streams.signal, init.signal as AbortSignal]);
      return fetch(url, { ...init, signal });
    },
    ...options,
  });
  onTestFinished(() => client.close());
  const cut = (): void => {
    streams.abort();
    streams = new AbortController();
  };
  return { client, asked: () => count, cut };
}

const live = (client: MeridianClient): Promise<unknown> =>
  until("kept values are returned", () => client.status().near?.live === true);

/** Reads until the value comes from the process itself. */
async function kept(client: MeridianClient, key: string): Promise<unknown> {
  let value: unknown;
  await until(`${key} is kept`, async () => {
    const before = client.status().near?.hits ?? 0;
    value = await client.get(key);
    return (client.status().near?.hits ?? 0) > before;
  });
  return value;
}

it("a value is asked for once, and anew once it was set, deleted or has expired anywhere", async () => {
  const { client, asked } = await open([oslo.url]);
  const far = (await open([rome.url])).client;
  await live(client);
  await far.set("a", { n: 1 });
  await until("oslo has it", async () => (await client.get("a")) !== undefined);
  expect(await kept(client, "a")).toEqual({ n: 1 });
  const before = asked();
  for (let time = 0; time < 50; time += 1) expect(await client.get("a")).toEqual({ n: 1 });
  expect(asked()).toBe(before);
  await far.set("a", { n: 2 });
  await until("the change is heard of", async () => {
    const value = await client.get<{ n: number }>("a");
    return value?.n === 2;
  });
  await far.delete("a");
  await until("the delete is heard of", async () => (await client.get("a")) === undefined);
  await client.set("b", "short", { ttlMs: 400 });
  await until("b is over", async () => (await client.get("b")) === undefined);
  expect(await client.has("b")).toBe(false);
});

it("what a client writes it reads, however it writes, and what it is given is its own", async () => {
  const { client } = await open([oslo.url]);
  await live(client);
  for (let n = 0; n < 20; n += 1) {
    await client.set("own", { list: [n] });
    const value = await client.get<{ list: number[] }>("own");
    expect(value).toEqual({ list: [n] });
    value?.list.push(-1);
  }
  expect(await kept(client, "own")).toEqual({ list: [19] });
  await client.set("bytes", Uint8Array.of(1, 2, 3));
  const bytes = (await kept(client, "bytes")) as Uint8Array;
  bytes.fill(0);
  expect(await kept(client, "bytes")).toEqual(Uint8Array.of(1, 2, 3));
  await client.setMany([{ key: "own", value: 1 }]);
  expect(await client.getMany(["own"])).toEqual(new Map([["own", 1]]));
  expect(await kept(client, "own")).toBe(1);
  expect(await client.update("own", (count) => Number(count) + 1)).toBe(2);
  expect(await client.get("own")).toBe(2);
  await kept(client, "own");
  expect([await client.pull("own"), await client.get("own")]).toEqual([2, undefined]);
  const lives = client.namespace("lives");
  await lives.set("x", 1);
  await kept(client, "lives:x");
  await lives.touch("x", { ttl: "1h" });
  expect((await lives.getRaw("x"))?.expiresAtMs).toBeGreaterThan(0);
  await kept(client, "lives:x");
  await lives.deleteMany(["x"]);
  expect(await lives.get("x")).toBeUndefined();
});

it("a lost connection costs no kept value, and another node is asked for the etags only", async () => {
  const { client, asked, cut } = await open([oslo.url, rome.url]);
  await live(client);
  const keys = Array.from({ length: 50 }, (_, n) => `k:${n}`);
  await client.setMany(
    keys.map((key) => ({ key, value: key })),
    { ack: "all" },
  );
  await client.getMany(keys);
  await kept(client, "k:49");
  const other = (await open([oslo.url])).client;
  cut();
  await other.set("k:0", "changed", { ack: "all" });
  await until("the change is heard of", async () => (await client.get("k:0")) === "changed");
  await kept(client, "k:49");
  await oslo.stop();
  await until("rome answers", async () => {
    await client.has("k:0");
    return client.status().node === new URL(rome.url).host;
  });
  const before = asked();
  await until("rome tells", () => client.status().near?.live === true);
  expect(await kept(client, "k:0")).toBe("changed");
  for (const key of keys.slice(1)) expect(await client.get(key)).toBe(key);
  expect(asked() - before).toBeLessThan(10);
});

it("only keys with the prefix are kept, and options that bound nothing are refused", async () => {
  const near = { maxBytes: 100_000, prefix: "p:" };
  const { client, asked } = await open([rome.url], { near });
  await live(client);
  await client.setMany([
    { key: "p:1", value: 1 },
    { key: "q:1", value: 1 },
  ]);
  await kept(client, "p:1");
  const before = asked();
  await client.get("q:1");
  await client.get("q:1");
  expect(asked()).toBe(before + 2);
  const { nodes } = { nodes: [rome.url] };
  const wrong = [{}, { maxEntries: 0 }, { maxBytes: 1.5 }, { maxEntries: 1, leaseMs: 100 }, true];
  for (const each of wrong) {
    const refused = connect({ nodes, near: each as { readonly maxEntries: number } });
    await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
  const unknown = connect({ nodes, near: { maxEntries: 1, maxAge: 1 } as { maxEntries: number } });
  await expect(unknown).rejects.toMatchObject({ code: "UNKNOWN_OPTION" });
});
