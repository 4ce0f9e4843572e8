import { compareStamps, isLive, tombstone, type Entry } from "@meridian/protocol";
import { Metrics } from "@meridian/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { Memory, type MemoryOptions } from "../src/service/memory.ts";
import { ManualClock } from "./harness.ts";

const entryOf = (key: string, time: number, expiresAtMs = 0): Entry => ({
  key,
  value: new Uint8Array([time]),
  contentType: "text/plain",
  stamp: { time, origin: 1 },
  expiresAtMs,
  deleted: false,
});

interface Rig {
  readonly memory: Memory;
  readonly clock: ManualClock;
  /** How far cluster time is ahead of this machine's. */
  skewMs: number;
}

function makeMemory(
  entriesMax = 100,
  bytesMax = 1e9,
  { policy = "lru", trustMs = Infinity }: Partial<MemoryOptions> = {},
): Rig {
  const clock = new ManualClock();
  const timer = {
    nowMs: () => clock.elapsedMs(),
    after: (delayMs: number, callback: () => void) => clock.after(delayMs, callback),
  };
  const nowMs = (): number => clock.nowMs() + rig.skewMs;
  const memory = new Memory({
    entriesMax,
    bytesMax,
    packedBytesMax: 4_096,
    policy,
    trustMs,
    nowMs,
    clock: timer,
    metrics: new Metrics(),
  });
  const rig = { memory, clock, skewMs: 0 };
  return rig;
}

describe("memory by its options", () => {
  it("lets what is due first leave first, and of what is due at the same time the oldest state", () => {
    const { memory, clock } = makeMemory(3, 1e9, { policy: "due" });
    const dueMs = clock.nowMs() + 60_000;
    memory.fill(entryOf("never", 1));
    memory.fill(entryOf("later", 9, dueMs));
    clock.advance(10);
    // Asked of the store after the other, but written before it.
    memory.fill(entryOf("older", 8, dueMs));
    memory.get("older");
    memory.fill(entryOf("a", 10, dueMs + 1));
    expect(memory.get("older")).toBeUndefined();
    memory.fill(entryOf("b", 11, dueMs + 2));
    expect(memory.get("later")).toBeUndefined();
    memory.fill(entryOf("c", 12));
    memory.fill(entryOf("d", 13));
    memory.fill(entryOf("e", 14));
    expect(["never", "c", "d", "e"].filter((key) => memory.get(key) !== undefined)).toEqual([
      "c",
      "d",
      "e",
    ]);
  });

  it("asks the store again for what it has answered with for as long as it trusts it", () => {
    const { memory, clock } = makeMemory(100, 1e9, { trustMs: 1_000 });
    memory.fill(entryOf("a", 1));
    memory.fill(entryOf("b", 1, clock.nowMs() + 500));
    clock.advance(400);
    expect(memory.get("b")).toBeDefined();
    clock.advance(599);
    expect([memory.get("a") === undefined, memory.get("b")]).toEqual([false, undefined]);
    clock.advance(1);
    expect(memory.get("a")).toBeUndefined();
    memory.fill(entryOf("a", 1));
    expect(memory.get("a")).toBeDefined();
  });
});

describe("memory", () => {
  it("follows others' newer entries only for keys that it holds", () => {
    const { memory } = makeMemory();
    memory.fill(entryOf("a", 1));
    memory.changed([entryOf("a", 2)], false);
    memory.changed([entryOf("b", 2)], false);
    expect(memory.get("a")?.entry().stamp.time).toBe(2);
    expect(memory.get("b")).toBeUndefined();
  });

  it("drops what is deleted", () => {
    const { memory } = makeMemory();
    memory.fill(entryOf("a", 1));
    memory.changed([tombstone("a", { time: 2, origin: 1 })], false);
    expect(memory.get("a")).toBeUndefined();
    expect(memory.stats().entries).toBe(0);
  });

  it("asks the store again when something older arrives late", () => {
    const { memory } = makeMemory();
    memory.fill(entryOf("a", 2));
    memory.changed([entryOf("a", 1)], false);
    expect(memory.get("a")).toBeUndefined();
  });

  it("does not take in an own write that was overtaken while it was committed", () => {
    const { memory } = makeMemory();
    memory.announce("a");
    memory.changed([entryOf("a", 3)], false);
    memory.changed([entryOf("a", 2)], true);
    memory.land("a");
    expect(memory.get("a")).toBeUndefined();
    memory.announce("a");
    memory.changed([entryOf("a", 4)], true);
    memory.land("a");
    expect(memory.get("a")?.entry().stamp.time).toBe(4);
  });

  it("does not take in an own write that was given a new stamp meanwhile", () => {
    const { memory } = makeMemory();
    memory.announce("a");
    memory.restamped([entryOf("a", 1)]);
    memory.changed([entryOf("a", 2)], true);
    memory.land("a");
    expect(memory.get("a")).toBeUndefined();
  });

  it("judges expiry by cluster time, even when that jumps", () => {
    const rig = makeMemory();
    rig.memory.fill(entryOf("a", 1, rig.clock.nowMs() + 10));
    rig.skewMs = 9;
    expect(rig.memory.get("a")).toBeDefined();
    rig.skewMs = 10;
    expect(rig.memory.get("a")).toBeUndefined();
  });

  it("forgets an entry at the instant it expires", () => {
    const { memory, clock } = makeMemory();
    memory.fill(entryOf("a", 1, clock.nowMs() + 10));
    clock.advance(9);
    expect(memory.get("a")).toBeDefined();
    clock.advance(1);
    expect(memory.get("a")).toBeUndefined();
  });

  it("stays within its bounds", () => {
    const { memory } = makeMemory(3, 2_000);
    for (let index = 0; index < 50; index += 1) memory.fill(entryOf(`key-${index}`, index));
    expect(memory.stats().entries).toBeLessThanOrEqual(3);
    expect(memory.stats().bytes).toBeLessThanOrEqual(2_000);
    expect(memory.get("key-49")).toBeDefined();
  });
});

/** Its value as a typed array of its own, to be compared. */
function plain(entry: Entry): Entry {
  return { ...entry, value: Uint8Array.from(entry.value) };
}

/** One step of a node's life, as memory sees it. */
const step = fc.record({
  kind: fc.constantFrom("own", "remote", "read", "restamp", "tick"),
  key: fc.constantFrom("a", "b", "c"),
  /** For own writes, how many steps their commit takes. */
  delay: fc.integer({ min: 0, max: 3 }),
  lateBy: fc.integer({ min: 0, max: 3 }),
  ttlMs: fc.constantFrom(0, 5, 50),
  deleted: fc.boolean(),
});

describe("memory of many entries at once", () => {
  it("takes in no more at once than takes some milliseconds, and serves nothing old of the rest", () => {
    const { memory } = makeMemory(10_000);
    const keys = Array.from({ length: 1_000 }, (_, index) => `k${index}`);
    for (const key of keys) {
      memory.fill(entryOf(key, 1));
      memory.announce(key);
    }
    memory.changed(
      keys.map((key) => entryOf(key, 2)),
      true,
    );
    // What comes late to a key that was dropped is not taken in either.
    memory.changed([entryOf("k0", 1)], true);
    for (const key of keys) memory.land(key);
    const times = keys.map((key) => memory.get(key)?.entry().stamp.time);
    expect(new Set(times)).toEqual(new Set([2, undefined]));
    expect(memory.stats().entries).toBe(256);
  });
});

describe("memory over a store", () => {
  it("never serves anything but the store's newest live entry", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 3 }),
        (steps, size) => {
          const { memory, clock } = makeMemory(size);
          const store = new Map<string, Entry>();
          const merge = (entry: Entry): void => {
            const held = store.get(entry.key);
            if (held === undefined || compareStamps(entry.stamp, held.stamp) > 0) {
              store.set(entry.key, entry);
            }
          };
          let pending: { readonly dueAt: number; readonly entry: Entry }[] = [];
          steps.forEach(({ kind, key, delay, lateBy, ttlMs, deleted }, at) => {
            const time = 1_000 + 10 * at - (kind === "remote" ? 10 * lateBy : 0) + 1;
            const stamp = { time, origin: kind === "remote" ? 2 : 1 };
            const expiresAtMs = ttlMs === 0 ? 0 : clock.nowMs() + ttlMs;
            const value = { ...entryOf(key, 0, expiresAtMs), stamp };
            const entry = deleted ? tombstone(key, stamp) : value;
            if (kind === "own") {
              memory.announce(key);
              pending.push({ dueAt: at + delay, entry });
            } else if (kind === "remote") {
              merge(entry);
              memory.changed([entry], false);
            } else if (kind === "restamp") {
              const held = store.get(key);
              if (held !== undefined) {
                store.set(key, { ...held, stamp: { time: held.stamp.time - 5, origin: 1 } });
                memory.restamped([held]);
              }
            } else if (kind === "tick") {
              clock.advance(ttlMs);
            }
            const due = pending.filter(({ dueAt }) => dueAt <= at);
            pending = pending.filter(({ dueAt }) => dueAt > at);
            for (const write of due) {
              merge(write.entry);
              memory.changed([write.entry], true);
            }
            for (const write of due) memory.land(write.entry.key);
            for (const each of ["a", "b", "c"]) {
              const truth = store.get(each);
              const live = truth !== undefined && isLive(truth, clock.nowMs()) ? truth : undefined;
              const held = memory.get(each);
              expect(held === undefined ? live : plain(held.entry())).toEqual(live);
              const refills = kind === "read" && held === undefined && truth !== undefined;
              const filled = refills ? memory.fill(truth)?.entry() : live;
              expect(filled && plain(filled)).toEqual(live);
            }
          });
        },
      ),
      { numRuns: 500 },
    );
  });
});
