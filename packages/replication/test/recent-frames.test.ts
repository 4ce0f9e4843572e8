import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { expect, it } from "vitest";

import { RecentFrames, type OrderedFrame } from "../src/order/recent-frames.ts";

function frameAt(sequence: number, bytes: number): OrderedFrame {
  const header = { after: sequence - 1, through: sequence, incarnation: 1, position: sequence };
  return { ...header, bytes: new Uint8Array(bytes) };
}

it("frames that are durable and do not fit are dropped, oldest first, and those that are not durable are kept", () => {
  const frames = new RecentFrames(2_000);
  for (let sequence = 1; sequence <= 10; sequence += 1) frames.push(frameAt(sequence, 100));
  frames.trim(5);
  const held = (): boolean[] => [1, 5, 6, 10].map((at) => frames.startingAt(at - 1) !== undefined);
  expect(held()).toEqual([false, false, true, true]);
  frames.trim(10);
  expect(held()).toEqual([false, false, false, true]);
  expect(frames.bytes).toBeLessThanOrEqual(2_000);
});

it("what is dropped is not held: a process keeps no more than the bound, and half as much for its collector", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  setFlagsFromString("--no-expose-gc");
  const heldBytes = (): number => {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const bytesMax = 8 * 1024 * 1024;
  const frames = new RecentFrames(bytesMax);
  const before = heldBytes();
  let most = 0;
  for (let sequence = 1; sequence <= 40_000; sequence += 1) {
    frames.push(frameAt(sequence, 200));
    frames.trim(sequence);
    if (sequence % 4_000 === 0) most = Math.max(most, heldBytes() - before);
  }
  expect(most).toBeLessThan(1.5 * bytesMax);
  expect(frames.bytes).toBeGreaterThan(0.9 * bytesMax);
});
