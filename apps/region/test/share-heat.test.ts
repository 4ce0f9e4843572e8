/** Which keys clients read here is told, and what they read elsewhere is warmed: in bounded memory, and at the cost of nobody. */
import { HEAT_BYTES_MAX, type Entry, type KeyHeat } from "@meridian/protocol";
import { Metrics, silentLogger } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

import { HeatShare } from "../src/service/heat-share.ts";
import { HeatSketch } from "../src/service/heat-sketch.ts";
import { Memory } from "../src/service/memory.ts";
import { Reads } from "../src/service/reads.ts";
import { ManualClock } from "./harness.ts";

const entryOf = (key: string, bytes = 1, more: Partial<Entry> = {}): Entry => ({
  key,
  value: new Uint8Array(bytes),
  contentType: "text/plain",
  stamp: { time: 1, origin: 1 },
  expiresAtMs: 0,
  deleted: false,
  ...more,
});

interface NodeRig {
  readonly clock: ManualClock;
  readonly memory: Memory;
  readonly reads: Reads;
  readonly share: HeatShare;
  /** What the directory was told, by message. */
  readonly told: KeyHeat[][];
  /** The keys that the store was asked for. */
  readonly asked: string[];
  /** What the store has; all other keys have small values. */
  readonly store: Map<string, Entry | undefined>;
  /** Whether a directory is there that wants to know. */
  isAgreed: boolean;
  /** The directory tells the node what others use. */
  hear(...keys: KeyHeat[]): Promise<void>;
}

function nodeRig(
  bounds: { entriesMax?: number; bytesMax?: number; trustMs?: number } = {},
): NodeRig {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const memory = new Memory({
    entriesMax: 100,
    bytesMax: 1e9,
    trustMs: Infinity,
    policy: "lru",
    packedBytesMax: 4_096,
    ...bounds,
    nowMs: () => clock.nowMs(),
    clock: {
      nowMs: () => clock.elapsedMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
    },
    warms: true,
    metrics,
  });
  const [told, asked]: [KeyHeat[][], string[]] = [[], []];
  const store = new Map<string, Entry | undefined>();
  const replica = {
    nowMs: () => clock.nowMs(),
    get: (key: string) => {
      asked.push(key);
      return store.has(key) ? store.get(key) : entryOf(key);
    },
    early: { isEmpty: true, keys: [] },
    heat: {
      tell: (news: () => KeyHeat[]) => {
        const keys = rig.isAgreed ? news() : [];
        if (keys.length > 0) told.push(keys);
        return keys.length;
      },
    },
  };
  const share = new HeatShare({ replica, memory, clock, logger: silentLogger, metrics });
  const parts = { replica, memory, admission: { serving: true }, heat: share, metrics };
  const list = (): never => {
    throw new Error("Nothing is listed here");
  };
  const reads = new Reads({ ...parts, store: { list } });
  const rig: NodeRig = {
    clock,
    memory,
    reads,
    share,
    told,
    asked,
    store,
    isAgreed: true,
    hear: async (...keys) => {
      share.hear(keys);
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    },
  };
  return rig;
}

/** Whether a client finds each key in memory. */
function inMemory({ reads }: NodeRig, ...keys: readonly string[]): boolean[] {
  return keys.map((key) => reads.find(key)?.tier === "memory");
}

describe("a node that shares", () => {
  it("tells once a second what clients have read, from memory or store, and nothing while they rest", () => {
    const rig = nodeRig();
    rig.clock.advance(10_000);
    expect(rig.told).toEqual([]);
    rig.reads.find("a");
    rig.reads.hit("a");
    rig.reads.find("b");
    rig.store.set("none", undefined);
    rig.reads.find("none");
    rig.reads.peek("spied");
    rig.reads.newest("spied");
    rig.clock.advance(999);
    expect(rig.told).toEqual([]);
    rig.clock.advance(1);
    expect(rig.told).toEqual([
      [
        ["a", 2],
        ["b", 1],
      ],
    ]);
    rig.clock.advance(3_600_000);
    expect(rig.told.length).toBe(1);
  });

  it("tells a key again when it has become four times as hot, or after a minute", () => {
    const rig = nodeRig();
    const readsOf = (times: number): unknown => {
      for (let each = 0; each < times; each += 1) rig.reads.find("k");
      rig.clock.advance(1_000);
      return rig.told.splice(0).flat();
    };
    expect(readsOf(2)).toEqual([["k", 2]]);
    expect(readsOf(5)).toEqual([]);
    expect(readsOf(1)).toEqual([["k", 8]]);
    expect(readsOf(10)).toEqual([]);
    rig.clock.advance(60_000);
    expect(readsOf(1)).toEqual([["k", expect.any(Number)]]);
  });

  it("tells no more than fits into a message, the hottest first, and the rest a second later", () => {
    const rig = nodeRig({ entriesMax: 10_000 });
    for (let n = 0; n < 1_000; n += 1) rig.reads.find(`${n % 10 === 0 ? "hot" : "cold"}/${n}`);
    for (let n = 0; n < 1_000; n += 10) rig.reads.find(`hot/${n}`);
    rig.clock.advance(1_000);
    const [first = []] = rig.told;
    expect(JSON.stringify(first).length).toBeLessThan(HEAT_BYTES_MAX);
    expect(first.slice(0, 100).every(([key]) => key.startsWith("hot"))).toBe(true);
    rig.clock.advance(5_000);
    expect(new Set(rig.told.flat().map(([key]) => key)).size).toBe(1_000);
  });

  it("tells neither reserved keys nor those of large values, and nothing where nobody wants to know", () => {
    const rig = nodeRig();
    rig.store.set("large", entryOf("large", 64 * 1024 + 1));
    rig.reads.find("large");
    rig.share.used("\0reserved", 1);
    rig.clock.advance(1_000);
    rig.isAgreed = false;
    rig.reads.find("k");
    rig.clock.advance(1_000);
    expect(rig.told).toEqual([]);
  });

  it("tells nothing once it has stopped", () => {
    const rig = nodeRig();
    rig.reads.find("a");
    rig.share.stop();
    rig.reads.find("b");
    rig.clock.advance(10_000);
    expect(rig.told).toEqual([]);
  });
});

describe("the sketch", () => {
  it("forgets what is not read any more", () => {
    const clock = new ManualClock();
    const sketch = new HeatSketch(clock);
    for (let n = 0; n < 1_000; n += 1) sketch.used(`k${n}`);
    const before = sketch.level.now;
    clock.advance(10_000);
    sketch.fade();
    expect([before > 0, sketch.level.now]).toEqual([true, 0]);
  });

  it("holds a bounded number of bytes, and then what is read often", () => {
    const clock = new ManualClock();
    const sketch = new HeatSketch(clock);
    const { max } = sketch.level;
    for (let second = 0; second < 8; second += 1) {
      for (let n = 0; n < 3_000; n += 1) sketch.used(`${second}/${n}`.padEnd(1_000));
      for (let n = 0; n < 50; n += 1) sketch.used("hot");
      expect(sketch.level.now).toBeLessThanOrEqual(max);
      clock.advance(1_000);
      sketch.fade();
    }
    for (let n = 0; n < 1_000; n += 1) sketch.used("hot");
    expect(sketch.news()[0]?.[0]).toBe("hot");
  });
});

describe("what clients of other nodes read", () => {
  it("is in memory before a client asks for it here, and counts as no read until one does", async () => {
    const rig = nodeRig();
    await rig.hear(["a", 5], ["b", 1]);
    expect(rig.reads.count).toBe(0);
    expect(rig.share.stats()).toMatchObject({ told: 0, heard: 2, warmed: 2, used: 0 });
    const { unusedBytes } = rig.share.stats();
    expect(inMemory(rig, "a", "a", "c")).toEqual([true, true, false]);
    expect(rig.share.stats()).toMatchObject({ warmed: 2, used: 1, unusedBytes: unusedBytes / 2 });
    expect(rig.reads.counts()).toEqual({ memory: 2, store: 1, misses: 0 });
  });

  it("is what the store has: nothing deleted, expired or large", async () => {
    const rig = nodeRig();
    rig.store.set("gone", undefined);
    rig.store.set("deleted", entryOf("deleted", 0, { deleted: true }));
    rig.store.set("expired", entryOf("expired", 1, { expiresAtMs: rig.clock.nowMs() }));
    rig.store.set("large", entryOf("large", 64 * 1024 + 1));
    await rig.hear(["gone", 1], ["deleted", 1], ["expired", 1], ["large", 1], ["well", 1]);
    expect(rig.share.stats()).toMatchObject({ warmed: 1 });
    expect(inMemory(rig, "well")).toEqual([true]);
  });

  it("is not asked of the store where memory has it, and no more than some bytes of it at a time", async () => {
    const rig = nodeRig();
    rig.reads.find("here");
    rig.asked.splice(0);
    const keys = Array.from({ length: 400 }, (_, n) => `k${n}`);
    for (const key of keys) rig.store.set(key, entryOf(key, 1024 * 1024));
    await rig.hear(["here", 1], ...keys.map((key): KeyHeat => [key, 1]));
    expect(rig.asked.length).toBeLessThan(10);
    expect(rig.share.stats()).toMatchObject({ warmed: 0 });
  });
});

describe("the room for it", () => {
  it("costs at most a sixteenth of a full memory, and never what is hotter there", async () => {
    const rig = nodeRig({ entriesMax: 160 });
    const own = Array.from({ length: 160 }, (_, n) => `own/${n}`);
    for (const key of own) rig.reads.find(key);
    await rig.hear(...own.map((_, n): KeyHeat => [`hot/${n % 10}`, 100]));
    await rig.hear(...own.map((_, n): KeyHeat => [`cold/${n}`, 1]));
    const held = (keys: readonly string[]): number =>
      keys.filter((key) => !rig.memory.lacks(key, 0.5)).length;
    expect(held(own)).toBe(150);
    expect(held(Array.from({ length: 10 }, (_, n) => `hot/${n}`))).toBe(10);
    await rig.hear(...own.map((_, n): KeyHeat => [`hotter/${n}`, 1_000]));
    expect([held(own), held(own.map((_, n) => `hotter/${n}`))]).toEqual([150, 10]);
  });

  it("costs nothing of a full memory of less than sixteen entries", async () => {
    const rig = nodeRig({ entriesMax: 15 });
    const own = Array.from({ length: 15 }, (_, n) => `own/${n}`);
    for (const key of own) rig.reads.find(key);
    await rig.hear(["hot", 1_000]);
    expect(inMemory(rig, ...own, "hot")).toEqual([...own.map(() => true), false]);
  });

  it("takes the room that nobody uses here, and gives it back, the coldest first", async () => {
    const rig = nodeRig({ entriesMax: 160 });
    const keys = Array.from({ length: 160 }, (_, n): KeyHeat => [`k${n}`, n < 10 ? 1_000 : 1]);
    await rig.hear(...keys);
    expect(rig.share.stats()).toMatchObject({ warmed: 160 });
    for (let n = 0; n < 150; n += 1) rig.reads.find(`own/${n}`);
    const own = Array.from({ length: 150 }, (_, n) => `own/${n}`);
    expect(inMemory(rig, ...own).filter((isHeld) => isHeld).length).toBe(150);
    expect(inMemory(rig, ...keys.slice(0, 10).map(([key]) => key))).toEqual(
      Array.from({ length: 10 }, () => true),
    );
  });

  it("stays in a full memory as long as others use it, and no longer", async () => {
    const rig = nodeRig({ entriesMax: 32 });
    await rig.hear(["k", 8]);
    const churn = (from: number): void => {
      for (let n = 0; n < 100; n += 1) rig.reads.find(`own/${from + n}`);
    };
    churn(0);
    expect(rig.memory.lacks("k", 8)).toBe(false);
    rig.clock.advance(121_000);
    churn(100);
    expect(rig.memory.lacks("k", 8)).toBe(true);
    expect(rig.share.stats()).toMatchObject({ unusedBytes: 0 });
  });
});

describe("an entry that was warmed", () => {
  it("does not keep memory from asking the store again", async () => {
    const rig = nodeRig({ entriesMax: 32, trustMs: 1_000 });
    await rig.hear(["k", 8]);
    for (let n = 0; n < 100; n += 1) rig.reads.find(`own/${n}`);
    expect(inMemory(rig, "k")).toEqual([false]);
    await rig.hear(["e", 8]);
    rig.clock.advance(1_001);
    expect(inMemory(rig, "e")).toEqual([false]);
  });

  it("follows what is written meanwhile, elsewhere and here", async () => {
    const rig = nodeRig();
    const newer = (key: string): Entry => entryOf(key, 9, { stamp: { time: 2, origin: 1 } });
    await rig.hear(["theirs", 1], ["a-ours", 1]);
    const { unusedBytes } = rig.share.stats();
    rig.memory.changed([newer("theirs")], false);
    expect(rig.share.stats()).toMatchObject({ unusedBytes: unusedBytes + 8 });
    rig.memory.changed([newer("a-ours")], true);
    expect(rig.share.stats()).toMatchObject({ unusedBytes: unusedBytes / 2 + 8 });
    for (const key of ["theirs", "a-ours"]) {
      expect(rig.reads.find(key)?.record.bytes).toBe(9);
    }
    expect(rig.share.stats()).toMatchObject({ used: 1, unusedBytes: 0 });
  });

  it("is let be if the store fails", async () => {
    const rig = nodeRig();
    Object.defineProperty(rig.store, "has", {
      configurable: true,
      value: () => {
        throw new Error("The disk is gone");
      },
    });
    await rig.hear(["a", 1]);
    Reflect.deleteProperty(rig.store, "has");
    await rig.hear(["b", 1]);
    expect(rig.share.stats()).toMatchObject({ heard: 2, warmed: 1 });
  });
});
