/** What clients keep in their own processes, at real regions: right at once where they wrote themselves, and soon everywhere else. */
import { connect, type ConnectOptions, type MeridianClient } from "@meridian/client";
import { until } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

import {
  interrupt,
  startTwoRegions,
  TRANSPORTS,
  type LinedRegion,
  type TestedTransport,
  type TwoRegions,
} from "../support/two-regions.ts";

const regions: Readonly<Record<TestedTransport, TwoRegions>> = {
  http: await startTwoRegions(),
  websocket: await startTwoRegions(),
};

async function open(
  nodes: readonly LinedRegion[],
  transport: TestedTransport,
  options: ConnectOptions = {},
): Promise<MeridianClient> {
  const near = { maxEntries: 1_000, maxBytes: 1_000_000 };
  const urls = nodes.map(({ line }) => line.url);
  const client = await connect({ nodes: urls, transport, near, ...options });
  onTestFinished(() => client.close());
  return client;
}

/** How many reads have asked a node. */
const asked = (client: MeridianClient): number => client.status().near?.misses ?? NaN;

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

it.each(TRANSPORTS)(
  "a value is asked for once, and anew once it was set, deleted or has expired anywhere (%s)",
  async (transport) => {
    const { oslo, rome } = regions[transport];
    const client = await open([oslo], transport);
    const far = await open([rome], transport);
    await live(client);
    await far.set("a", { n: 1 });
    await until("oslo has it", async () => (await client.get("a")) !== undefined);
    expect(await kept(client, "a")).toEqual({ n: 1 });
    const before = asked(client);
    for (let time = 0; time < 50; time += 1) expect(await client.get("a")).toEqual({ n: 1 });
    expect(asked(client)).toBe(before);
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
  },
);

it.each(TRANSPORTS)(
  "what a client writes it reads, however it writes, and what it is given is its own (%s)",
  async (transport) => {
    const { oslo } = regions[transport];
    const client = await open([oslo], transport);
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
  },
);

it.each(TRANSPORTS)(
  "a lost connection costs no kept value, and another node is asked for the etags only (%s)",
  async (transport) => {
    const { oslo, rome } = regions[transport];
    const client = await open([oslo, rome], transport);
    await live(client);
    const keys = Array.from({ length: 50 }, (_, n) => `k:${n}`);
    await client.setMany(
      keys.map((key) => ({ key, value: key })),
      { ack: "all" },
    );
    await client.getMany(keys);
    await kept(client, "k:49");
    const other = await open([oslo], transport);
    interrupt(oslo);
    await other.set("k:0", "changed", { ack: "all" });
    await until("the change is heard of", async () => (await client.get("k:0")) === "changed");
    await kept(client, "k:49");
    await oslo.region.stop();
    await until("rome answers", async () => {
      await client.has("k:0");
      return client.status().node === new URL(rome.line.url).host;
    });
    const before = asked(client);
    await until("rome tells", () => client.status().near?.live === true);
    expect(await kept(client, "k:0")).toBe("changed");
    for (const key of keys.slice(1)) expect(await client.get(key)).toBe(key);
    expect(asked(client) - before).toBeLessThan(10);
  },
);

it.each(TRANSPORTS)(
  "only keys with the prefix are kept, and options that bound nothing are refused (%s)",
  async (transport) => {
    const { rome } = regions[transport];
    const near = { maxBytes: 100_000, prefix: "p:" };
    const client = await open([rome], transport, { near });
    await live(client);
    await client.setMany([
      { key: "p:1", value: 1 },
      { key: "q:1", value: 1 },
    ]);
    await kept(client, "p:1");
    const before = client.status().near;
    for (let time = 0; time < 2; time += 1) expect(await client.get("q:1")).toBe(1);
    // Where the test has to wait for a processor, what is kept may not be live for a while.
    expect(client.status().near).toEqual({ ...before, live: expect.any(Boolean) });
    const nodes = [rome.line.url];
    const wrong = [{}, { maxEntries: 0 }, { maxBytes: 1.5 }, { maxEntries: 1, leaseMs: 100 }, true];
    for (const each of wrong) {
      const refused = connect({ nodes, near: each as { readonly maxEntries: number } });
      await expect(refused).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    const unknown = connect({
      nodes,
      near: { maxEntries: 1, maxAge: 1 } as { maxEntries: number },
    });
    await expect(unknown).rejects.toMatchObject({ code: "UNKNOWN_OPTION" });
  },
);
