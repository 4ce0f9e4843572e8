/** Bentocache's own conformance suite for drivers, from npm, and Bentocache itself over both regions. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as bentocache from "@meridian/bentocache";
import { connect, type MeridianClient } from "@meridian/client";
import { startBothPrograms, startSmallRegion, until } from "@meridian/harness";
import * as vitest from "vitest";

import { NpmFolder } from "../support/npm-folder.ts";
import { runReadme } from "../support/readme-example.ts";

const { afterAll, afterEach, assert, beforeAll, describe, expect, it, onTestFinished } = vitest;
const { MeridianBus, MeridianDriver, meridianBusDriver, meridianDriver } = bentocache;

type Work = () => unknown;
type Suite = (options: object) => void;
interface Cache {
  get(options: { readonly key: string }): Promise<unknown>;
  set(options: { readonly key: string; readonly value: unknown }): Promise<boolean>;
  delete(options: { readonly key: string }): Promise<boolean>;
  getOrSet(options: object): Promise<unknown>;
  disconnectAll(): Promise<void>;
}
interface Store {
  useL1Layer(driver: unknown): Store;
  useL2Layer(driver: unknown): Store;
  useBus(driver: unknown): Store;
}

const folder = new NpmFolder();
folder.install("bentocache@1.6.1");
const FILES = "node_modules/bentocache/build";
const bento = await folder.load(`${FILES}/index.js`);
const memory = await folder.load(`${FILES}/src/drivers/memory.js`);
const { registerCacheDriverTestSuite } = await folder.load(`${FILES}/src/test_suite.js`);
const BentoCache = bento["BentoCache"] as new (options: object) => Cache;
const bentostore = bento["bentostore"] as () => Store;
const memoryDriver = memory["memoryDriver"] as (options: object) => unknown;

const programs = await startBothPrograms();
const data = mkdtempSync(join(tmpdir(), "meridian-oslo-"));
const oslo = await startSmallRegion({ id: "oslo", data, directory: [programs.directory] });
await until("the other region serves", async () => (await fetch(`${oslo.url}/readyz`)).ok);
const inParis = await connect({ nodes: [programs.region], deadlineMs: 60_000 });
const inOslo = await connect({ nodes: [oslo.url], deadlineMs: 60_000 });

afterAll(async () => {
  inParis.close();
  inOslo.close();
  await oslo.stop();
  await programs.stop();
  rmSync(data, { recursive: true });
  folder.remove();
});

describe("Bentocache's suite of drivers", () => {
  // The suite is written for another test runner.
  const test = (title: string, body: (context: object) => unknown): void =>
    it(title, () =>
      body({ assert, cleanup: (work: Work) => onTestFinished(async () => void (await work())) }),
    );
  const group = {
    setup: (work: () => Promise<Work>) => {
      let undo: Work = () => {};
      beforeAll(async () => {
        undo = await work();
      });
      afterAll(async () => void (await undo()));
    },
    tap: () => {},
    each: { teardown: (work: Work) => afterEach(async () => void (await work())) },
  };
  (registerCacheDriverTestSuite as Suite)({
    test,
    group,
    createDriver: (options: object = {}) =>
      new MeridianDriver({ prefix: "suite", client: inParis, ...options }),
    supportsMilliseconds: true,
  });
});

/** A cache with a memory of its own, as another process would have it. */
function makeCache(client: MeridianClient): Cache {
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 100 }))
    .useL2Layer(meridianDriver({ client }))
    .useBus(meridianBusDriver({ client }));
  const made = new BentoCache({ default: "main", stores: { main: store } });
  onTestFinished(() => made.disconnectAll());
  return made;
}

it("the README's example runs", async () => {
  const modules = {
    "@meridian/bentocache": bentocache,
    "@meridian/client": { connect: () => connect({ nodes: [programs.region] }) },
    bentocache: bento,
    "bentocache/drivers/memory": memory,
  };
  expect(await runReadme("packages/bentocache", modules)).toBe(1);
});

it("caches in two regions forget what the other one has changed", async () => {
  const [paris, far] = [makeCache(inParis), makeCache(inOslo)];
  await paris.set({ key: "shared", value: "first" });
  await until(
    "it is in the other region",
    async () => (await far.get({ key: "shared" })) === "first",
  );
  // Until the bus of the other cache is live, its memory may have the first one.
  await until("the change is told", async () => {
    await paris.set({ key: "shared", value: "second" });
    return (await far.get({ key: "shared" })) === "second";
  });
  await paris.set({ key: "shared", value: "third" });
  await until("the next one is told", async () => (await far.get({ key: "shared" })) === "third");
  await far.delete({ key: "shared" });
  await until("it is gone", async () => (await paris.get({ key: "shared" })) === undefined);
});

it("a bus gives messages of others once, in order, and none of its own", async () => {
  const [one, two] = [inParis, inOslo].map((client, index) =>
    new MeridianBus({ client, prefix: "own" }).setId(`bus-${index}`),
  );
  const got: unknown[] = [];
  await one?.subscribe("a", (message) => void got.push(message));
  await two?.publish("b", "of another channel");
  for (let index = 0; index < 5; index += 1) {
    await one?.publish("a", "own");
    await two?.publish("a", { index });
  }
  await until("all have come", () => got.length === 5);
  expect(got).toEqual([0, 1, 2, 3, 4].map((index) => ({ index })));
  await one?.unsubscribe("a");
  await two?.publish("a", "late");
  await until("the message is there", () => inParis.has("own:a:bus-1:7"));
  expect(got).toHaveLength(5);
  await one?.disconnect();
});

it("a handler that throws is told, and gets the next message", async () => {
  const errors: unknown[] = [];
  const one = new MeridianBus({ client: inParis, prefix: "odd", onError: (e) => errors.push(e) });
  const two = new MeridianBus({ client: inParis, prefix: "odd" }).setId("two");
  const got: unknown[] = [];
  await one.setId("one").subscribe("a", (message) => {
    if (got.push(message) === 1) throw new Error("odd");
  });
  await two.publish("a", 1);
  await two.publish("a", 2);
  await until("both have come", () => got.length === 2);
  expect(errors).toMatchObject([{ message: "odd" }]);
  await one.disconnect();
});

it("without a cluster, a value is loaded", async () => {
  const away = await connect({ nodes: ["http://127.0.0.1:1"], lazy: true, deadlineMs: 300 });
  onTestFinished(() => away.close());
  const cache = makeCache(away);
  expect(await cache.getOrSet({ key: "k", factory: () => "loaded" })).toBe("loaded");
  expect(await cache.getOrSet({ key: "k", factory: () => "again" })).toBe("loaded");
});
