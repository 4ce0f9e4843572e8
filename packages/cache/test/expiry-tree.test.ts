import { describe, expect, it } from "vitest";
import { ExpiryTree } from "../src/expiry-tree.ts";
import { Slots } from "../src/slots.ts";
import { Timekeeper } from "../src/timekeeper.ts";
import { FakeClock } from "./fake-clock.ts";
import { trace } from "./trace.ts";

const ENTRIES = 64 * 512;
const STALE_MAX = 16;

function rig(staleMax: number): {
  tree: ExpiryTree;
  expire: (slot: number, atMs: number) => void;
  pass: (ms: number) => void;
} {
  const clock = new FakeClock();
  const time = new Timekeeper(clock, () => {});
  const slots = new Slots(ENTRIES);
  const tree = new ExpiryTree(slots, time, staleMax);
  for (let id = 0; id < ENTRIES; id++) slots.take();
  const expire = (slot: number, atMs: number): void => {
    tree.raise(slot);
    slots.setExpiresAt(slot, atMs);
    tree.lower(slot);
  };
  const pass = (ms: number): void => {
    clock.advance(ms);
    time.refresh();
  };
  return { tree, expire, pass };
}

describe("a tree of expiries", () => {
  it("of which every page got a longer life searches few pages in vain, however many there are", () => {
    const { tree, expire, pass } = rig(STALE_MAX);
    for (let slot = 1; slot <= ENTRIES; slot++) expire(slot, 10);
    for (let slot = 1; slot <= ENTRIES; slot++) expire(slot, 1_000);
    pass(20);
    expect(tree.find(0, Infinity)).toBe(0);
    // The stale pages, and what is above all pages: 9 nodes and the root.
    expect(tree.repairs).toBeLessThanOrEqual(STALE_MAX + 10);
    // Where it is not told, it searches them all.
    const lazy = rig(ENTRIES);
    for (let slot = 1; slot <= ENTRIES; slot++) lazy.expire(slot, 10);
    for (let slot = 1; slot <= ENTRIES; slot++) lazy.expire(slot, 1_000);
    lazy.pass(20);
    expect(lazy.tree.find(0, Infinity)).toBe(0);
    expect(lazy.tree.repairs).toBeGreaterThanOrEqual(ENTRIES / 64);
  });

  it.each([STALE_MAX, ENTRIES])(
    "finds what is over, and nothing else, with %i stale pages",
    (staleMax) => {
      const { tree, expire, pass } = rig(staleMax);
      const times = new Map<number, number>();
      let nowMs = 0;
      let wrong = 0;
      for (const [step, draw] of trace(21, 60_000).entries()) {
        const slot = 1 + (draw % ENTRIES);
        const atMs = nowMs + 1 + ((draw * 7 + step) % 500);
        expire(slot, atMs);
        times.set(slot, atMs);
        if (step % 50 > 0) continue;
        pass(1);
        nowMs++;
        for (let found = tree.find(0, Infinity); found !== 0; found = tree.find(0, Infinity)) {
          if ((times.get(found) as number) > nowMs) wrong++;
          times.delete(found);
          expire(found, Infinity);
        }
        for (const one of times.values()) if (one <= nowMs) wrong++;
      }
      expect(wrong).toBe(0);
      expect(times.size).toBeGreaterThan(100);
    },
  );
});
