import { emptyLogDisk, ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { DirectoryRig } from "./rig.ts";

it("a frame waits until its stamps are durably admitted, and so does what is behind it", () => {
  const rig = new DirectoryRig({}, { disk: emptyLogDisk(7) });
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  rig.submit(sender, 1, 1, [rig.entry("k", 1_000)]);
  rig.submit(sender, 1, 2, [rig.entry("l", 100)]);
  expect([sender.frames, other.frames]).toEqual([[], []]);
  rig.commit();
  expect(other.frames.map(({ header }) => header.position)).toEqual([1, 2]);
  rig.submit(sender, 1, 3, [rig.entry("m", 9_000)]);
  expect(other.frames.map(({ header }) => header.position)).toEqual([1, 2, 3]);
});

it("many frames that have waited go out in several turns, in their order, and none is acknowledged before", () => {
  const FRAMES = 300;
  const turns: (() => void)[] = [];
  const rig = new DirectoryRig(
    {},
    { disk: emptyLogDisk(7), defer: (callback) => void turns.push(callback) },
  );
  const [sender, other] = [rig.join("a", 1), rig.join("b", 2)];
  for (let position = 1; position <= FRAMES; position += 1) {
    rig.submit(sender, 1, position, [rig.entry(`k${position}`, 1_000)]);
  }
  rig.commit();
  const counts: number[] = [];
  const positions = (): number[] => other.frames.map(({ header }) => header.position);
  const through = (): number => sender.of("acknowledge").at(-1)?.outboxThrough ?? 0;
  for (let turn = 0; turn < FRAMES && positions().length < FRAMES; turn += 1) {
    counts.push(positions().length);
    expect(through()).toBeLessThanOrEqual(positions().length);
    // What comes in between goes out behind what waits.
    if (turn === 0) rig.submit(sender, 1, FRAMES + 1, [rig.entry("last", 1_000)]);
    for (const callback of turns.splice(0)) callback();
    rig.commit();
  }
  while (turns.length > 0) for (const callback of turns.splice(0)) callback();
  rig.commit();
  expect(counts.length).toBeGreaterThan(2);
  expect(positions()).toEqual(Array.from({ length: FRAMES + 1 }, (_, index) => index + 1));
  rig.clock.advance(100);
  expect(through()).toBe(FRAMES + 1);
});

it("what may have been forwarded before a directory died is admitted after that, whatever its clock says then", () => {
  const disk = emptyLogDisk(7);
  const first = new DirectoryRig({}, { disk });
  const [sender, other] = [first.join("a", 1), first.join("b", 2)];
  const entry = first.entry("k");
  first.submit(sender, 1, 1, [entry]);
  first.commit();
  const later = first.entry("l", 9_000);
  first.submit(sender, 1, 2, [later]);
  expect(other.frames).toHaveLength(2);
  // The second frame is lost with the directory.
  first.log.crash();
  expect(disk.committedThrough).toBe(1);
  const clock = new ManualClock();
  clock.jump(-3_600_000);
  const again = new DirectoryRig({}, { disk, clock, epoch: 2 });
  const back = again.join("a", 1, { outboxThrough: 2, outboxAcknowledged: 1 });
  again.submit(back, 1, 2, [later]);
  again.commit();
  expect(back.of("refuse")).toEqual([]);
  expect(back.of("acknowledge")).toMatchObject([{ outboxThrough: 2 }]);
});

it("a quiet directory makes durable ahead of time which stamps it admits", () => {
  const rig = new DirectoryRig({ confirmMs: 1_000 }, { disk: emptyLogDisk(7) });
  const links = [rig.join("a", 1), rig.join("b", 2)] as const;
  for (let second = 0; second < 10; second += 1) {
    rig.clock.advance(1_000);
    for (const link of links) rig.beat(link);
  }
  rig.commit();
  rig.submit(links[0], 1, 1, [rig.entry("k")]);
  expect(links[1].frames).toHaveLength(1);
});
