/** What the client does with values, at a real region: changes where they are held, and loads that processes take turns with. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type MeridianClient } from "@meridian/client";
import type { RunningDirectory } from "@meridian/directory";
import { request, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { afterAll, beforeAll, expect, it } from "vitest";

let folder: string;
let directory: RunningDirectory;
let region: RunningRegion;
/** As many processes as there are clients, as far as the region can tell. */
let clients: readonly MeridianClient[];
let cache: MeridianClient;

const clientOf = (index: number): MeridianClient => clients[index % 3] as MeridianClient;
const open = (): Promise<MeridianClient> => connect({ nodes: [region.url] });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-values-"));
  directory = await startSmallDirectory({ data: join(folder, "directory") });
  const data = join(folder, "oslo");
  region = await startSmallRegion({ id: "oslo", data, directory: [directory.url] });
  await until("the region is ready", () => region.status === "ready");
  clients = await Promise.all([open(), open(), open()]);
  cache = clients[0] as MeridianClient;
});

afterAll(async () => {
  for (const client of clients) client.close();
  await region.stop();
  await directory.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("a thousand callers in three processes cost one load", async () => {
  let loads = 0;
  const load = async (): Promise<string> => {
    loads += 1;
    await new Promise((resolve) => setTimeout(resolve, 30));
    return "loaded";
  };
  const options = { ttl: "1m", lock: "region" } as const;
  const calls = Array.from({ length: 1_000 }, (_, index) =>
    clientOf(index).getOrSet("shared", load, options),
  );
  expect(new Set(await Promise.all(calls))).toEqual(new Set(["loaded"]));
  expect(loads).toBe(1);
});

it("where the one who loads is gone, the next does when its lease is over", async () => {
  const granted = await request(`${region.url}/lease?key=orphan&ttl=300ms`, { method: "POST" });
  const { lease } = (await granted.json()) as { readonly lease: string };
  const seen: unknown[] = [];
  // Nobody loads while the lease runs: there is nothing to give back any more.
  const load = async (): Promise<number> => {
    const path = `/lease?key=orphan&lease=${lease}`;
    seen.push(await (await request(region.url + path, { method: "DELETE" })).json());
    return seen.length;
  };
  const calls = clients.map((client) => client.getOrSet("orphan", load, { lock: "region" }));
  expect(await Promise.all(calls)).toEqual([1, 1, 1]);
  expect(seen).toEqual([{ key: "orphan", released: false }]);
});

it("of several processes one loads a stale value anew, and is given it", async () => {
  await cache.set("stale", "old");
  await cache.touch("stale", { ttl: "1h" });
  const seen: unknown[] = [];
  const load = async ({ stale }: { readonly stale: unknown }): Promise<string> => {
    seen.push(stale);
    await new Promise((resolve) => setTimeout(resolve, 30));
    return "new";
  };
  // So short a time is over once the answer is there; what is loaded is fresh for those who have waited for it.
  await until("the region calls the value more than a second old", async () => {
    const { headers } = await request(`${region.url}/cache/stale`);
    return Number(headers.get("age")) > 1;
  });
  const options = { ttl: "300ms", staleIfError: "1m", lock: "region" } as const;
  const calls = clients.map((client) => client.getOrSet("stale", load, options));
  expect(await Promise.all(calls)).toEqual(["new", "new", "new"]);
  expect(seen).toEqual(["old"]);
});

it("a value is touched, has its time told, and lives for ever again, without being sent", async () => {
  await cache.set("t", "value", { contentType: "text/plain" });
  expect(await cache.ttl("t")).toBe(Infinity);
  expect(await cache.touch("t", { ttl: "1h" })).toBe(true);
  expect(await cache.ttl("t")).toBeGreaterThan(3_590_000);
  expect(await cache.expireAt("t", new Date(Date.now() + 60_000))).toBe(true);
  expect(await cache.ttl("t")).toBeLessThanOrEqual(61_000);
  expect(await cache.expireAt("t", undefined)).toBe(true);
  expect(await cache.ttl("t")).toBe(Infinity);
  expect(await cache.get("t")).toBe("value");
  expect(await cache.touch("none", { ttl: "1h" })).toBe(false);
  expect(await cache.expireAt("none", undefined)).toBe(false);
  expect(await cache.ttl("none")).toBeUndefined();
});

it("a value is pulled by one of many", async () => {
  await cache.set("ticket", { seat: 7 });
  const pulled = await Promise.all(
    Array.from({ length: 12 }, (_, index) => clientOf(index).pull("ticket")),
  );
  expect(pulled.filter((value) => value !== undefined)).toEqual([{ seat: 7 }]);
  expect(await cache.has("ticket")).toBe(false);
});

it("increments of three processes at once all count", async () => {
  const work = Array.from({ length: 18 }, (_, index) =>
    clientOf(index).update("n", (count) => Number(count ?? 0) + 1, { deadlineMs: 60_000 }),
  );
  const values = await Promise.all(work);
  expect(new Set(values).size).toBe(18);
  expect(await cache.get("n")).toBe(18);
});

it("an update keeps the time of what it changes, gives way to undefined, and passes on what is thrown", async () => {
  await cache.set("u", 1, { ttl: "1h" });
  expect(await cache.update("u", (value) => Number(value) + 1)).toBe(2);
  const left = await cache.ttl("u");
  expect([left !== undefined && left > 3_590_000, left !== undefined && left < 3_601_000]).toEqual([
    true,
    true,
  ]);
  expect(await cache.update("u", () => 3, { ttl: "1m" })).toBe(3);
  expect(await cache.ttl("u")).toBeLessThanOrEqual(61_000);
  expect(await cache.update("u", () => undefined)).toBe(3);
  const thrown = cache.update("u", () => {
    throw new Error("no change");
  });
  await expect(thrown).rejects.toThrow("no change");
});

it("any number of keys is looked at, listed with values, and deleted", async () => {
  const keys = Array.from(
    { length: 1_500 },
    (_, index) => `many:${String(index).padStart(4, "0")}`,
  );
  await cache.setMany(keys.map((key, value) => ({ key, value })));
  expect((await cache.hasMany([...keys, "none"])).size).toBe(1_500);
  const listed = new Map<string, unknown>();
  for await (const { key, value, bytes } of cache.entries({ prefix: "many:", pageSize: 700 })) {
    expect(bytes).toBeGreaterThan(0);
    listed.set(key, value);
  }
  expect([...listed]).toEqual(keys.map((key, value) => [key, value]));
  for await (const { value } of cache.entries({ prefix: "many:", values: false, pageSize: 1 })) {
    expect(value).toBeUndefined();
    break;
  }
  const { deleted } = await cache.deleteMany([...keys, "none"]);
  expect(deleted).toEqual(keys);
  expect((await cache.hasMany(keys)).size).toBe(0);
  expect(await cache.deleteMany([])).toMatchObject({ deleted: [] });
});
