/** What the client hears of keys at real regions, whatever becomes of its connection and its node. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect, type MeridianClient, type WatchEvent } from "@meridian/client";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";

let folder: string;
const stops: (() => Promise<void>)[] = [];
let oslo: RunningRegion;
let rome: RunningRegion;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "meridian-watch-"));
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

/** A client of both regions, whose streams can be cut. */
async function open(): Promise<{ readonly client: MeridianClient; readonly cut: () => void }> {
  let streams = new AbortController();
  const client = await connect({
    nodes: [oslo.url, rome.url],
    fetch: (url, init) => {
      if (!url.includes("/watch?")) return fetch(url, init);
      const signal = AbortSignal.any([streams.signal, init.signal as AbortSignal]);
      return fetch(url, { ...init, signal });
    },
  });
  onTestFinished(() => client.close());
  const cut = (): void => {
    streams.abort();
    streams = new AbortController();
  };
  return { client, cut };
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

it("a watch tells what is set and deleted anywhere, with values, and ends when the caller has enough", async () => {
  const { client } = await open();
  const events = await watching(client, "a:");
  const far = await connect({ nodes: [rome.url] });
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
});

it("what happens while the connection is lost is told afterwards", async () => {
  const { client, cut } = await open();
  const events = await watching(client, "b:");
  const pending = next(events);
  cut();
  for (const n of [1, 2, 3]) await client.set(`b:${n}`, n);
  expect(await pending).toMatchObject({ event: "set", key: "b:1" });
  expect(await next(events)).toMatchObject({ event: "set", key: "b:2" });
  expect(await next(events)).toMatchObject({ event: "set", key: "b:3" });
});

it("another node tells to reload, and goes on", async () => {
  const { client } = await open();
  const events = await watching(client, "c:");
  const pending = next(events);
  await oslo.stop();
  expect(await pending).toEqual({ event: "reload" });
  await client.set("c:1", "from rome");
  expect(await next(events)).toMatchObject({ event: "set", key: "c:1", value: "from rome" });
});

it("a watch ends with the signal's reason, with the client, and for what is no watch", async () => {
  const { client } = await open();
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
});
