/** Watches against a model: whatever is missed, is told. */
import type { Entry } from "@meridian/protocol";
import { Metrics, seededRandom, silentLogger } from "@meridian/runtime";
import fc from "fast-check";
import { expect, it } from "vitest";

import { ChangeFeed } from "../src/service/change-feed.ts";
import { Watches, type Watch, type WatchSink } from "../src/service/watches.ts";
import { ManualClock } from "./harness.ts";

interface World {
  readonly feed: ChangeFeed;
  readonly watches: Watches;
  readonly held: Map<string, Entry>;
  readonly clock: ManualClock;
  write(key: string, deleted: boolean): void;
  /** How many entries have been read since it was last asked. */
  readSince(): number;
}

function worldOf(changesMax: number): World {
  const held = new Map<string, Entry>();
  const metrics = new Metrics();
  const parts = { logger: silentLogger, metrics };
  const clock = new ManualClock();
  const feed = new ChangeFeed({ random: seededRandom(1), clock, changesMax, ...parts });
  const list = async (): Promise<{ entries: never[]; next: null }> => ({ entries: [], next: null });
  let read = 0;
  const newest = (key: string): Entry | undefined => {
    read += 1;
    return held.get(key);
  };
  const reads = { newest, list };
  const watches = new Watches({
    feed,
    reads,
    clock,
    nowMs: () => 0,
    position: () => `p${feed.head}`,
    ...parts,
  });
  let time = 0;
  const write = (key: string, deleted: boolean): void => {
    time += 1;
    const value = new Uint8Array(time % 7);
    const stamp = { time, origin: 1 };
    const entry = { key, value, contentType: "", stamp, expiresAtMs: 0, deleted };
    held.set(key, entry);
    feed.changed([entry], true);
  };
  const readSince = (): number => {
    const since = read;
    read = 0;
    return since;
  };
  return { feed, watches, held, clock, write, readSince };
}

/** A client that keeps what it is told, as far as it listens. */
class Client implements WatchSink {
  readonly #world: World;
  readonly known = new Map<string, string>();
  token: string | undefined;
  isListening = true;
  reloads = 0;
  levels = 0;
  /** The positions through which it has not been told everything. */
  readonly lies: string[] = [];
  watch: Watch | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#readAll();
  }

  isOpen = (): boolean => this.isListening;

  tell: WatchSink["tell"] = (news, token) => {
    if (!this.isListening) throw new Error("Told although it does not listen");
    this.token = token;
    for (const { event, key, etag } of news) {
      if (!key.startsWith("w")) throw new Error("Told of what it does not watch");
      if (event === "set") this.known.set(key, etag);
      else this.known.delete(key);
    }
  };

  reload = (token: string): void => {
    this.reloads += 1;
    this.token = token;
    this.#readAll();
  };

  end = (): void => {};

  level = (token: string, position: string): void => {
    if (!this.isListening) throw new Error("Told although it does not listen");
    const there = [...keysIn(this.#world)];
    const isTrue = there.length === this.known.size && there.every((key) => this.known.has(key));
    if (!isTrue || position !== `p${this.#world.feed.head}`) this.lies.push(position);
    this.token = token;
    this.levels += 1;
  };

  open(): void {
    this.watch = this.#world.watches.open({ watched: { prefix: "w" }, token: this.token }, this);
    this.token ??= this.watch.token;
  }

  #readAll(): void {
    this.known.clear();
    for (const [key, { deleted, stamp }] of this.#world.held) {
      if (key.startsWith("w") && !deleted) this.known.set(key, String(stamp.time));
    }
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The watched keys that have a value. */
function keysIn({ held }: World): Set<string> {
  const there = [...held.values()].filter(({ key, deleted }) => key !== "x" && !deleted);
  return new Set(there.map(({ key }) => key));
}

const act = fc.constantFrom(
  "set w1",
  "set w2",
  "del w1",
  "set x",
  "shut",
  "listen",
  "turn",
  "leave",
  "come",
  "wait",
);

it("a client that listens, is deaf, leaves and comes back as it likes knows in the end what there is, and whenever it is told that it does", async () => {
  let [reloads, levels] = [0, 0];
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 60 }),
      fc.integer({ min: 2, max: 20 }),
      async (acts, ring) => {
        const world = worldOf(ring);
        const client = new Client(world);
        client.open();
        for (const each of acts) {
          const [verb = "", key = ""] = each.split(" ");
          if (verb === "set" || verb === "del") world.write(key, verb === "del");
          if (verb === "shut") client.isListening = false;
          if (verb === "listen") {
            client.isListening = true;
            client.watch?.goOn();
          }
          if (verb === "turn") await turns(1);
          if (verb === "wait") world.clock.advance(25);
          if (verb === "leave") client.watch?.close();
          if (verb === "come") {
            client.watch?.close();
            client.open();
          }
        }
        client.watch?.close();
        client.isListening = true;
        client.open();
        await turns(40);
        reloads += client.reloads;
        levels += client.levels;
        expect(client.lies).toEqual([]);
        expect(new Set(client.known.keys())).toEqual(keysIn(world));
      },
    ),
    { numRuns: 150 },
  );
  expect(reloads).toBeGreaterThan(0);
  expect(levels).toBeGreaterThan(100);
});

it("everybody who wants to know hears how far the node is: behind changes, where it has moved on without them, and once a second", async () => {
  const world = worldOf(10);
  const clients = Array.from({ length: 200 }, () => new Client(world));
  for (const client of clients) client.open();
  const levels = (): ReadonlySet<number> => new Set(clients.map((client) => client.levels));
  const pass = async (ms: number): Promise<void> => {
    world.clock.advance(ms);
    await turns(8);
  };
  await pass(50);
  expect(levels()).toEqual(new Set([1]));
  world.write("w1", false);
  await turns(8);
  expect(levels()).toEqual(new Set([2]));
  world.write("x", false);
  await turns(8);
  await pass(50);
  expect(levels()).toEqual(new Set([3]));
  for (let ms = 0; ms < 950; ms += 50) await pass(50);
  expect(levels()).toEqual(new Set([3]));
  await pass(50);
  expect(levels()).toEqual(new Set([4]));
  for (const client of clients) client.watch?.close();
  await pass(2_000);
  expect(levels()).toEqual(new Set([4]));
});

it("one who is slow is told to reload once where the ring has overtaken it, and costs nobody else anything", async () => {
  const world = worldOf(10);
  const [deaf, other] = [new Client(world), new Client(world)];
  deaf.open();
  other.open();
  deaf.isListening = false;
  for (let round = 0; round < 30; round += 1) {
    world.write(`w${round}`, false);
    await turns(3);
  }
  expect([other.known.size, other.reloads]).toEqual([30, 0]);
  expect(deaf.known.size).toBe(0);
  deaf.isListening = true;
  deaf.watch?.goOn();
  await turns(10);
  expect([deaf.known.size, deaf.reloads]).toEqual([30, 1]);
});

it("a change of keys that nobody watches is no reason to reload", async () => {
  const world = worldOf(10);
  const client = new Client(world);
  client.open();
  for (let round = 0; round < 30; round += 1) {
    world.write("x", false);
    await turns(3);
  }
  client.isListening = false;
  world.write("w1", false);
  await turns(3);
  client.isListening = true;
  client.watch?.goOn();
  await turns(5);
  expect([client.known.size, client.reloads]).toEqual([1, 0]);
});

it("nobody watches more than there is room for, and who leaves makes room", () => {
  const world = worldOf(10);
  const open = (): Watch => world.watches.open({ watched: { key: "w" } }, new Client(world));
  const all = Array.from({ length: 50_000 }, open);
  expect(open).toThrow(expect.objectContaining({ code: "OVERLOADED" }) as Error);
  all[7]?.close();
  open();
});

it("few changes are read in a turn where many watch, and many where few do", async () => {
  for (const [watchers, perTurn] of [
    [1, 50],
    [5_000, 1],
    [500, 9],
  ] as const) {
    const world = worldOf(100);
    for (let n = 0; n < watchers; n += 1) {
      world.watches.open({ watched: { prefix: "w" } }, new Client(world));
    }
    for (let n = 0; n < 50; n += 1) world.write(`w${n}`, false);
    await turns(1);
    world.readSince();
    const read: number[] = [];
    for (let turn = 0; turn < 50; turn += 1) {
      await turns(1);
      const count = world.readSince();
      if (count > 0) read.push(count);
    }
    expect(Math.max(...read)).toBeLessThanOrEqual(perTurn);
  }
});

it("watches end in several turns when the node stops, and all of them do", async () => {
  const world = worldOf(10);
  let ended = 0;
  const sink = { isOpen: () => true, tell: () => {}, reload: () => {}, end: () => (ended += 1) };
  for (let n = 0; n < 2_000; n += 1) world.watches.open({ watched: { prefix: "" } }, sink);
  const closed = world.watches.close();
  let most = ended;
  for (let turn = 0; turn < 100 && ended < 2_000; turn += 1) {
    const before = ended;
    await turns(1);
    most = Math.max(most, ended - before);
  }
  await closed;
  expect(ended).toBe(2_000);
  expect(most).toBeLessThan(200);
});
