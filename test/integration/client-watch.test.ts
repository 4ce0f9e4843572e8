/** What the client hears of keys at real regions, whatever becomes of its connection and its node. */
import { connect, type MeridianClient, type WatchEvent } from "@meridian/client";
import { getJson, until } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

import {
  interrupt,
  type LinedRegion,
  startTwoRegions,
  TRANSPORTS,
  type TestedTransport,
  type TwoRegions,
} from "../support/two-regions.ts";

const regions: Readonly<Record<TestedTransport, TwoRegions>> = {
  http: await startTwoRegions(),
  websocket: await startTwoRegions(),
};

/** A client, by default of both regions. */
async function open(
  transport: TestedTransport,
  nodes: readonly LinedRegion[] = Object.values(regions[transport]),
): Promise<MeridianClient> {
  const client = await connect({ nodes: nodes.map(({ line }) => line.url), transport });
  onTestFinished(() => client.close());
  return client;
}

async function next(events: AsyncGenerator<WatchEvent>): Promise<WatchEvent> {
  const { value, done } = await events.next();
  if (done === true) throw new Error("The watch has ended");
  return value;
}

/** Begins to watch, and resolves once the region tells: what is set until then may have been told or not. */
async function watching(
  client: MeridianClient,
  prefix: string,
): Promise<AsyncGenerator<WatchEvent>> {
  const events = client.watch({ prefix, values: true });
  const first = next(events);
  let isHeard = false;
  void first.then(() => (isHeard = true));
  let count = 0;
  await until("the watch hears", async () => {
    count += 1;
    await client.set(`${prefix}begin`, count);
    return isHeard;
  });
  await client.set(`${prefix}begin`, "last");
  for (;;) {
    const event = await next(events);
    if (event.event === "set" && event.value === "last") return events;
  }
}

it.each(TRANSPORTS)(
  "a watch tells what is set and deleted anywhere, with values, and ends when the caller has enough (%s)",
  async (transport) => {
    const client = await open(transport);
    const events = await watching(client, "a:");
    const far = await connect({ nodes: [regions[transport].rome.region.url] });
    onTestFinished(() => far.close());
    await far.set("a:1", { n: 1 }, { ttl: "1h" });
    expect(await next(events)).toMatchObject({
      event: "set",
      key: "a:1",
      value: { n: 1 },
      expiresAtMs: expect.any(Number) as number,
      contentType: "application/json",
    });
    const { etag } = await far.delete("a:1");
    expect(await next(events)).toEqual({ event: "delete", key: "a:1", etag });
    await events.return(undefined);
    expect(await events.next()).toEqual({ value: undefined, done: true });
  },
);

it.each(TRANSPORTS)(
  "what happens while the connection is lost is told afterwards (%s)",
  async (transport) => {
    const client = await open(transport, [regions[transport].oslo]);
    const writer = await connect({ nodes: [regions[transport].oslo.region.url], transport });
    onTestFinished(() => writer.close());
    const events = await watching(client, "b:");
    const pending = next(events);
    interrupt(regions[transport].oslo);
    for (const n of [1, 2, 3]) await writer.set(`b:${n}`, n);
    expect(await pending).toMatchObject({ event: "set", key: "b:1" });
    expect(await next(events)).toMatchObject({ event: "set", key: "b:2" });
    expect(await next(events)).toMatchObject({ event: "set", key: "b:3" });
  },
);

it.each(TRANSPORTS)("another node tells to reload, and goes on (%s)", async (transport) => {
  const client = await open(transport);
  const events = await watching(client, "c:");
  const pending = next(events);
  await regions[transport].oslo.region.stop();
  expect(await pending).toEqual({ event: "reload" });
  await client.set("c:1", "from rome");
  expect(await next(events)).toMatchObject({ event: "set", key: "c:1", value: "from rome" });
});

it.each(TRANSPORTS)(
  "a watch ends with the signal's reason, with the client, and for what is no watch (%s)",
  async (transport) => {
    const client = await open(transport);
    const controller = new AbortController();
    const aborted = client.watch({ key: "d", signal: controller.signal }).next();
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(client.watch({}).next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(client.watch({ key: "" }).next()).rejects.toMatchObject({ code: "INVALID_KEY" });
    const wrong = { key: "a", valeus: true };
    await expect(client.watch(wrong).next()).rejects.toMatchObject({ code: "UNKNOWN_OPTION" });
    const closed = client.watch({ key: "d" }).next();
    client.close();
    await expect(closed).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  },
);

/** How many watches a region has. */
async function watchesOf(url: string): Promise<unknown> {
  const { gauges } = await getJson<{
    readonly gauges: readonly { readonly name: string; readonly now: number }[];
  }>(`${url}/status`);
  return gauges.find(({ name }) => name === "watches")?.now;
}

it.each(TRANSPORTS)(
  "a watch that ends, by whatever, ends at its region (%s)",
  async (transport) => {
    const { url } = regions[transport].rome.region;
    const client = await connect({ nodes: [url], transport });
    onTestFinished(() => client.close());
    await until("the region tells nobody", async () => (await watchesOf(url)) === 0);
    const controller = new AbortController();
    const watches = [
      client.watch({ prefix: "e:", signal: controller.signal }),
      client.watch({ prefix: "e:" }),
    ];
    const heard = watches.map((each) => each.next().catch(() => {}));
    await until("the region tells two", async () => (await watchesOf(url)) === 2);
    controller.abort(new Error("enough"));
    await until("the region tells one", async () => (await watchesOf(url)) === 1);
    await client.set("e:1", 1);
    await Promise.all(heard);
    await watches[1]?.return(undefined);
    await until("the region tells none", async () => (await watchesOf(url)) === 0);
    expect(await client.get("e:1")).toBe(1);
  },
);

it.each(TRANSPORTS)(
  "a watch from which nobody takes holds up no request, and tells everything later (%s)",
  async (transport) => {
    const client = await connect({ nodes: [regions[transport].rome.region.url], transport });
    onTestFinished(() => client.close());
    const events = await watching(client, "f:");
    const keys = Array.from({ length: 80 }, (_, n) => `f:${n}`);
    for (const key of keys) await client.set(key, "v".repeat(50_000));
    expect(await client.get("f:79")).toHaveLength(50_000);
    for (const key of keys) {
      const event = await next(events);
      expect([event.event, "key" in event && event.key]).toEqual(["set", key]);
    }
  },
);
