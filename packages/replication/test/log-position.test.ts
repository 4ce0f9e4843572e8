import { FRAME_KIND, type FrameHeader } from "@meridian/protocol";
import { LogPosition } from "@meridian/replication/source/intake/log-position";
import { expect, it } from "vitest";

const CURSOR = { logId: 7, epoch: 1, sequence: 50 };

function frame(after: number, through: number, readAt = 0): FrameHeader {
  return {
    kind: FRAME_KIND.entries,
    reportApplied: false,
    incomplete: false,
    count: through - after,
    after,
    through,
    committedThrough: through,
    highestTime: 0,
    sentAtMs: 0,
    incarnation: readAt > 0 ? 0 : 3,
    position: readAt > 0 ? readAt : through,
  };
}

/** Takes in a frame, and stores it. */
function take(position: LogPosition, header: FrameHeader): void {
  position.observe(header.through, header.committedThrough);
  position.advance(header);
  position.stored(position.append(header.through));
}

it("is whole in a compacted part only where it was before, until it has all that the part was read from", () => {
  const position = new LogPosition(CURSOR);
  take(position, frame(50, 60, 90));
  const within = [position.applied, position.wholeThrough, position.durableThrough];
  expect([...within, position.takeCursor()?.sequence]).toEqual([60, 50, 50, 50]);
  take(position, frame(60, 89));
  expect(position.wholeThrough).toBe(50);
  take(position, frame(89, 90));
  const after = [position.applied, position.wholeThrough, position.durableThrough];
  expect([...after, position.takeCursor()?.sequence]).toEqual([90, 90, 90, 90]);
});

it("goes on within a compacted part only where the log has kept what it was read from", () => {
  const position = new LogPosition(CURSOR);
  take(position, { ...frame(50, 60, 90), committedThrough: 90 });
  const goesOn = (epochs: [number, number][], resumeAfter = 60): boolean =>
    !position.hasLost({ logId: 7, epochs, resumeAfter });
  // The same process, one that lost nothing, a restored backup, a log that knows nothing of the epoch.
  const same: [number, number] = [1, 0];
  expect([goesOn([same]), goesOn([same, [2, 90]])]).toEqual([true, true]);
  expect([goesOn([same, [2, 89]]), goesOn([[2, 0]])]).toEqual([false, false]);
  expect(goesOn([same, [2, 89]], 50), "from before it").toBe(true);
  take(position, frame(60, 90));
  expect(goesOn([same, [2, 89]], 90), "from behind it").toBe(true);
});

it("has a cursor only while it is settled", () => {
  expect(new LogPosition(undefined).cursor).toBeUndefined();
  const position = new LogPosition(CURSOR);
  expect(position.cursor).toEqual(CURSOR);
  position.unsettle();
  expect([position.cursor, position.durableThrough]).toEqual([undefined, 0]);
  position.becomeSettled();
  expect(position.cursor).toEqual(CURSOR);
  position.becomeReconciling(8, 2, 100);
  position.unsettle();
  expect([position.cursor, position.wholeThrough, position.applied]).toEqual([undefined, 0, 100]);
  position.becomeSettled();
  expect(position.cursor).toEqual({ logId: 8, epoch: 2, sequence: 100 });
});

it("has no cursor beyond what is committed where a comparison goes on from what is not", () => {
  const position = new LogPosition(CURSOR);
  position.becomeReconciling(8, 2, 100, 80);
  position.becomeSettled();
  expect(position.cursor).toEqual({ logId: 8, epoch: 2, sequence: 80 });
  position.observe(120, 110);
  expect(position.cursor).toEqual({ logId: 8, epoch: 2, sequence: 100 });
});

it("counts what was donated as durable only once all of it is stored", () => {
  const position = new LogPosition(CURSOR);
  position.becomeReconciling(8, 2, 100);
  const donated = position.append(100);
  position.becomeSettled();
  expect(position.durableThrough).toBe(0);
  position.stored(donated);
  expect(position.durableThrough).toBe(100);
});

it("believes no record of a place that it has left", () => {
  const position = new LogPosition(CURSOR);
  const left = position.append(60);
  position.returnTo({ logId: 9, epoch: 4, sequence: 5 });
  expect(position.durableThrough).toBe(0);
  expect(position.stored(left)).toBe(false);
  expect(position.durableThrough).toBe(5);
});

it("keeps its cursor before what is held until that is offered", () => {
  const position = new LogPosition(CURSOR);
  const release = position.hold(50);
  take(position, frame(50, 70));
  expect([position.applied, position.cursor?.sequence, position.isLevel]).toEqual([70, 50, false]);
  release();
  expect([position.cursor?.sequence, position.isLevel]).toEqual([70, true]);
});
