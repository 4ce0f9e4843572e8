/** The directory's side of the horizon: when it follows the clock, whom it tells, and what it buries. */
import { burial, decodeBlock, stampTimeOf, type Entry } from "@meridian/protocol";
import { emptyLogDisk, heartbeatOf } from "@meridian/testkit";
import { expect, it } from "vitest";

import { DirectoryRig, readyLogDisk, type TestLink } from "./rig.ts";

const HORIZON_MS = 10_000;

/** A directory whose horizon has passed the first seconds of its life, and a node on it. */
async function directoryWithHorizon(
  disk = readyLogDisk(7, 60_000),
): Promise<{ rig: DirectoryRig; a: TestLink; b: TestLink }> {
  const rig = new DirectoryRig({ horizonMs: HORIZON_MS }, { disk });
  const [a, b] = [rig.join("a", 1), rig.join("b", 2)];
  rig.commit();
  tick(rig, 3 * HORIZON_MS, a, b);
  expect(rig.directory.info().horizon).toBeGreaterThan(0);
  return { rig, a, b };
}

/** Time passes, with nodes that beat and have nothing old to send. */
function tick(rig: DirectoryRig, ms: number, ...links: readonly TestLink[]): void {
  for (let passed = 0; passed < ms; passed += 500) {
    rig.clock.advance(500);
    for (const link of links) rig.beat(link, 0, stampTimeOf(rig.clock.nowMs()));
    rig.commit();
  }
}

it("what is buried keeps its place in its frame, and everyone hears of it, the sender included", async () => {
  const { rig, a, b } = await directoryWithHorizon();
  const old = rig.entry("old", -2 * HORIZON_MS);
  const young = rig.entry("young");
  rig.submit(a, 1, 1, [old, young]);
  const entriesOf = (link: TestLink): Entry[][] =>
    link.frames.map(({ header, bytes }) => decodeBlock(bytes.subarray(64), header.count));
  const grave = burial("old", old.stamp.time);
  expect(entriesOf(b)).toEqual([[grave], [grave, young]]);
  expect(b.frames.map(({ header }) => [header.incarnation, header.position])).toEqual([
    [0, 0],
    [1, 1],
  ]);
  expect(b.frames.map(({ header }) => [header.after, header.through])).toEqual([
    [0, 1],
    [1, 3],
  ]);
  expect(b.frames[1]?.header.highestTime).toBe(young.stamp.time);
  expect(a.of("acknowledge")).toEqual([]);
  rig.commit();
  expect(entriesOf(a)).toEqual([[grave], []]);
  expect(a.of("acknowledge").at(-1)?.outboxThrough).toBe(1);
  expect(rig.log.outboxMark(1)).toMatchObject({ position: 1, highestTime: young.stamp.time });
});

it("an entry as old as the horizon is admitted where the log has something of its key", async () => {
  const { rig, a, b } = await directoryWithHorizon();
  rig.submit(a, 1, 1, [rig.entry("k")]);
  rig.commit();
  const old = rig.entry("k", -2 * HORIZON_MS);
  rig.submit(a, 1, 2, [old, burial("gone", old.stamp.time)]);
  expect(b.frames.map(({ header }) => [header.position, header.count])).toEqual([
    [1, 1],
    [2, 2],
  ]);
  const last = b.frames.at(-1)?.bytes ?? new Uint8Array();
  expect(decodeBlock(last.subarray(64), 2)[0]).toEqual(old);
});

it("a horizon waits for what connected nodes have to send, and for who reconciles", async () => {
  const { rig, a, b } = await directoryWithHorizon();
  const pending = stampTimeOf(rig.clock.nowMs());
  for (let passed = 0; passed < 3 * HORIZON_MS; passed += 500) {
    rig.clock.advance(500);
    rig.beat(a, 0, pending);
    rig.beat(b, 0, stampTimeOf(rig.clock.nowMs()));
    rig.commit();
  }
  expect(rig.directory.info().horizon).toBe(pending - 1);
  const c = rig.join("c", 3, { cursor: { logId: 99, epoch: 1, sequence: 5 } });
  tick(rig, HORIZON_MS, a, b, c);
  expect(c.of("welcome")[0]?.resume).toBe("reconcile");
  expect(rig.directory.info().horizon).toBe(pending - 1);
  c.say({ type: "reconcile", nowMs: rig.clock.nowMs() });
  rig.commit();
  c.say({ type: "reconciled", nowMs: rig.clock.nowMs() });
  tick(rig, 2_000, a, b, c);
  expect(rig.directory.info().horizon).toBeGreaterThan(pending);
});

it("a horizon is told only once it is durable, with the place from which it holds", async () => {
  const rig = new DirectoryRig({ horizonMs: HORIZON_MS });
  const a = rig.join("a", 1);
  rig.submit(a, 1, 1, [rig.entry("k")]);
  rig.commit();
  const beat = (): { horizon: number; horizonAt: number } => {
    rig.beat(a, 0, stampTimeOf(rig.clock.nowMs()));
    const { horizon = NaN, horizonAt = NaN } = a.of("echo").at(-1) ?? {};
    return { horizon, horizonAt };
  };
  for (let passed = 0; passed < 3 * HORIZON_MS; passed += 500) {
    rig.clock.advance(500);
    beat();
    if (passed < 2 * HORIZON_MS - 2_000) rig.commit();
  }
  const before = beat();
  expect(rig.log.horizonState.horizon).toBe(before.horizon);
  rig.submit(a, 1, 2, [rig.entry("l")]);
  expect(beat()).toEqual(before);
  rig.commit();
  const after = beat();
  expect(after.horizon).toBeGreaterThan(before.horizon);
  expect(after).toEqual({ horizon: rig.log.horizonState.horizon, horizonAt: 2 });
});

it("a node that never heard of a delete is told of it, although it is as old as the node's horizon", async () => {
  const { rig, a } = await directoryWithHorizon();
  const { stamp } = rig.entry("k");
  rig.submit(a, 1, 1, [{ ...burial("k", stamp.time), stamp }]);
  rig.commit();
  const c = rig.join("c", 3, { cursors: [], home: null, horizon: stamp.time + 1 });
  c.say({ type: "reconcile", nowMs: rig.clock.nowMs() });
  rig.commit();
  expect(c.of("reconcile-begin")).toHaveLength(1);
  const entries: [string, number, number][] = [
    ["k", stamp.time - 1, 3],
    ["l", stamp.time - 1, 3],
  ];
  const nowMs = rig.clock.nowMs();
  c.say({ type: "offer", nowMs, id: 1, from: null, to: null, entries });
  const donation = c.frames.at(-1);
  const donated = decodeBlock(donation?.bytes.subarray(64) ?? new Uint8Array(), 1);
  expect(donated).toMatchObject([{ key: "k", stamp, deleted: true }]);
  expect(c.of("wanted").map(({ keys, donated: count }) => [keys, count])).toEqual([[["l"], 1]]);
});

it("a clock that leaps moves no horizon, and is believed only after as long as a node may be away", async () => {
  const { rig, a, b } = await directoryWithHorizon();
  const { horizon } = rig.directory.info();
  rig.clock.jump(30 * HORIZON_MS);
  tick(rig, HORIZON_MS - 2_000, a, b);
  expect(rig.directory.info().horizon).toBe(horizon);
  rig.clock.jump(-30 * HORIZON_MS);
  tick(rig, 2 * HORIZON_MS, a, b);
  expect(rig.directory.info().horizon).toBeGreaterThan(horizon);
  expect(rig.directory.info().horizon).toBeLessThan(stampTimeOf(rig.clock.nowMs()));
});

it.each([
  ["a quarter", 0.25, false],
  ["three quarters", 0.75, true],
])(
  "a log that was off for %s of the horizon, by clocks that may all have leapt, doubts them if that is over half",
  async (_, part, isFrozen) => {
    const disk = emptyLogDisk(7);
    const { rig } = await directoryWithHorizon(disk);
    rig.clock.jump(part * HORIZON_MS);
    const limits = { horizonMs: HORIZON_MS };
    const started = new DirectoryRig(limits, { clock: rig.clock, disk, epoch: 2 });
    tick(started, 1_500, started.join("a", 1), started.join("b", 2));
    const { horizonFrozenUntilMs } = started.directory.info();
    expect(horizonFrozenUntilMs > started.clock.nowMs()).toBe(isFrozen);
  },
);

it("a node that is ahead of a horizon shows a loss only where its home is this log, and only of what was lost before the start", async () => {
  const disk = emptyLogDisk(7);
  const { rig } = await directoryWithHorizon(disk);
  const { horizon } = rig.directory.info();
  const { logId } = rig.log;
  const [here, elsewhere] = [logId, 99].map((id) => ({ logId: id, epoch: 1, sequence: 0 }));
  const cursors = [here, elsewhere].flatMap((cursor) => cursor ?? []);
  const ahead = { cursors, horizon: horizon + 1 };
  const started = new DirectoryRig({ horizonMs: HORIZON_MS }, { clock: rig.clock, disk, epoch: 2 });
  const nodes = [started.join("a", 1), started.join("b", 2)] as const;
  const frozenMs = (): number =>
    started.directory.info().horizonFrozenUntilMs - started.clock.nowMs();
  const c = started.join("c", 3, { ...ahead, home: elsewhere ?? null });
  started.commit();
  expect(c.of("welcome")[0]?.resume).toBe("reconcile");
  c.close(1000, "");
  expect(frozenMs()).toBeLessThanOrEqual(0);
  tick(started, 1_000, ...nodes);
  started.join("d", 4, { ...ahead, home: here ?? null }).close(1000, "");
  started.commit();
  expect(frozenMs()).toBe(HORIZON_MS - 1_000);
  // One that says so again and again keeps nothing up.
  for (let turn = 0; turn < 20; turn += 1) {
    tick(started, 1_000, ...nodes);
    started.join("d", 4, { ...ahead, home: here ?? null }).close(1000, "");
    started.commit();
  }
  expect(frozenMs()).toBe(HORIZON_MS - 1_000 - 20_000);
  expect(started.directory.info().horizon).toBeGreaterThan(horizon);
});

it.each([
  ["says that it cannot tell what it still sends", {}, 0],
  ["says that it has something old to send, for ever", {}, 1],
  ["reconciles for ever", { cursor: { logId: 99, epoch: 1, sequence: 5 } }, 0],
])("a node that %s does not stop the horizon for ever", async (_, hello, lowestTime) => {
  const { rig, a, b } = await directoryWithHorizon();
  const odd = rig.join("odd", 3, hello);
  const { horizon } = rig.directory.info();
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 500) {
      rig.beat(odd, 0, lowestTime);
      odd.say({ type: "reconcile", nowMs: rig.clock.nowMs() });
      tick(rig, 500, a, b);
    }
  };
  pass(HORIZON_MS);
  expect(rig.directory.info().horizon).toBe(horizon);
  pass(4 * HORIZON_MS);
  expect(rig.directory.info().horizon).toBeGreaterThan(horizon);
  expect(odd.closed).toBeUndefined();
});

it.each([
  ["of the past is taken over", -2 * HORIZON_MS, -2 * HORIZON_MS],
  [
    "that no directory can have reached yet is taken over as far as one can",
    -1_000,
    10_000 - 2 * HORIZON_MS,
  ],
  ["in the future is not believed", 60_000, undefined],
  ["at the end of all time is not believed", Infinity, undefined],
])("the horizon of a node that has reconciled, %s", (_, aheadMs, reachedMs) => {
  const rig = new DirectoryRig({ horizonMs: 2 * HORIZON_MS });
  const a = rig.join("a", 1);
  const nowMs = rig.clock.nowMs() + 1_000;
  const horizon = aheadMs === Infinity ? Number.MAX_SAFE_INTEGER : stampTimeOf(nowMs + aheadMs);
  const odd = rig.join("odd", 666, { cursors: [], home: null, horizon });
  tick(rig, 1_000, a, odd);
  odd.say({ type: "reconcile", nowMs });
  rig.commit();
  odd.say({ type: "offer", nowMs, id: 1, from: null, to: null, entries: [] });
  odd.say({ type: "reconciled", nowMs });
  for (const _ of ["what has come", "the horizon"]) rig.commit();
  expect(odd.closed).toBeUndefined();
  const reached = reachedMs === undefined ? 0 : stampTimeOf(nowMs + reachedMs);
  expect(rig.directory.info().horizon).toBe(reached);
});

it("a node whose cursor lies before a purged entry reconciles, and one that knows of a higher horizon, too", async () => {
  const { rig, a, b } = await directoryWithHorizon();
  rig.submit(a, 1, 1, [{ ...burial("k", rig.entry("k").stamp.time), stamp: rig.entry("k").stamp }]);
  rig.commit();
  tick(rig, 4 * HORIZON_MS, a, b);
  rig.log.sweep(Infinity);
  expect(rig.log.purgedThrough).toBe(1);
  const { logId } = rig.log;
  const at = (sequence: number): { logId: number; epoch: number; sequence: number } => ({
    logId,
    epoch: 1,
    sequence,
  });
  const { horizon } = rig.directory.info();
  const resumes = [
    rig.join("c", 3, { cursor: at(0) }),
    rig.join("d", 4, { cursor: at(1) }),
    rig.join("e", 5, { cursors: [], home: null }),
    rig.join("f", 6, { cursor: at(1), horizon }),
    rig.join("g", 7, { cursor: at(1), horizon: horizon + 1 }),
  ].map((link) => link.of("welcome")[0]?.resume);
  expect(resumes).toEqual(["reconcile", "feed", "reconcile", "feed", "reconcile"]);
});

it("no horizon moves and nothing may be purged while no majority of clocks agrees, and both do once one does", () => {
  const hourMs = 3_600_000;
  const rig = new DirectoryRig({ horizonMs: HORIZON_MS });
  const links = [rig.join("a", 1, { nowMs: 0 }), rig.join("b", 2, { nowMs: 0 })];
  const pass = (offsMs: readonly number[]): void => {
    for (let passed = 0; passed < 4 * HORIZON_MS; passed += 500) {
      rig.clock.advance(500);
      const nowMs = rig.clock.nowMs();
      for (const [index, link] of links.entries()) {
        link.say(
          heartbeatOf({ nowMs: nowMs + (offsMs[index] ?? 0), lowestTime: stampTimeOf(nowMs) }),
        );
      }
      rig.commit();
    }
  };
  pass([hourMs, -hourMs]);
  expect(rig.directory.info()).toMatchObject({ horizon: 0, clocks: { confirmed: false } });
  expect(rig.directory.info().clocks.deviant.map(({ id }) => id)).toEqual(["a", "b"]);
  pass([hourMs, 0]);
  expect(rig.directory.info().horizon).toBeGreaterThan(0);
  expect(rig.directory.info().clocks).toMatchObject({ confirmed: true, deviant: [{ id: "a" }] });
});
