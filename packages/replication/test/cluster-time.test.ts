/** The time that most members agree on: a table of clocks that are wrong, and of what may be built on the rest. */
import { BURIAL_ORIGIN, compareStamps, STAMP_EPOCH_MS, stampTimeOf } from "@meridian/protocol";
import { isMajority, vote } from "@meridian/replication/source/time/clock-vote";
import { ClusterClock } from "@meridian/replication/source/time/cluster-clock";
import { HybridClock } from "@meridian/replication/source/time/hybrid-clock";
import { MemberClocks } from "@meridian/replication/source/time/member-clocks";
import { StampCeiling } from "@meridian/replication/source/time/stamp-ceiling";
import { seededRandom } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

const HOUR_MS = 3_600_000;
const DRIFT_MS = 10_000;
/** Before 1970, before stamps, and after them. */
const IN_1965 = Date.UTC(1965, 0, 1);
const IN_2023 = STAMP_EPOCH_MS - 1;
const IN_2094 = Date.UTC(2094, 0, 1);

/** A directory among nodes, whose clocks are off by `offsMs`; the first is its own. `null` is one that is not heard. */
function rigOf(offsMs: readonly (number | null)[]): { clock: ManualClock; members: MemberClocks } {
  const clock = new ManualClock();
  const trueMs = clock.nowMs();
  clock.jump(offsMs[0] ?? 0);
  const ids = offsMs.map((_, index) => `n${index}`);
  const members = new MemberClocks({
    clock,
    own: "n0",
    withinMs: DRIFT_MS,
    counted: () => ids,
    votes: () => true,
  });
  for (const [index, offMs] of offsMs.entries()) {
    if (index > 0 && offMs !== null) members.hear(`n${index}`, trueMs + offMs);
  }
  return { clock, members };
}

/** How far a clock that shows `atMs` is off on the manual clock's first day. */
function offOf(atMs: number): number {
  return atMs - new ManualClock().nowMs();
}

/** What clocks that are off by `offsMs` say together; that is off by `offMs`. */
const CASES = [
  { clocks: "a directory alone", offs: [0], agreeing: 1, confirmed: false, offMs: 0 },
  { clocks: "one and one that agree", offs: [0, 9_000], agreeing: 2, confirmed: true, offMs: 0 },
  {
    clocks: "one and one that do not: the directory's",
    offs: [HOUR_MS, 0],
    agreeing: 1,
    confirmed: false,
    offMs: HOUR_MS,
  },
  {
    clocks: "a directory an hour ahead of three",
    offs: [HOUR_MS, 0, 1, 2],
    agreeing: 3,
    confirmed: true,
    offMs: 1,
  },
  {
    clocks: "a directory an hour behind three",
    offs: [-HOUR_MS, 0, 1, 2],
    agreeing: 3,
    confirmed: true,
    offMs: 1,
  },
  {
    clocks: "half of four",
    offs: [0, 0, HOUR_MS, HOUR_MS],
    agreeing: 2,
    confirmed: false,
    offMs: 0,
  },
  {
    clocks: "three of five, two wrong alike",
    offs: [HOUR_MS, HOUR_MS, 0, 0, 0],
    agreeing: 3,
    confirmed: true,
    offMs: 0,
  },
  {
    clocks: "three heard of six",
    offs: [0, 0, 0, null, null, null],
    agreeing: 3,
    confirmed: false,
    offMs: 0,
  },
  {
    clocks: "four heard of six",
    offs: [0, 0, 0, 0, null, null],
    agreeing: 4,
    confirmed: true,
    offMs: 0,
  },
  {
    clocks: "a directory in 1965",
    offs: [offOf(IN_1965), 0, 0],
    agreeing: 2,
    confirmed: true,
    offMs: 0,
  },
  {
    clocks: "a directory in 2094",
    offs: [offOf(IN_2094), 0, 0],
    agreeing: 2,
    confirmed: true,
    offMs: 0,
  },
  {
    clocks: "two in 2094 against one",
    offs: [offOf(IN_2094), offOf(IN_2094), 0],
    agreeing: 1,
    confirmed: false,
    offMs: 0,
  },
  {
    clocks: "clocks in a row, nine seconds apart",
    offs: [0, 9_000, 18_000, 27_000],
    agreeing: 2,
    confirmed: false,
    offMs: 0,
  },
];

describe("the time of the members", () => {
  it.each(CASES)("is, with $clocks, what $agreeing say", ({ offs, agreeing, confirmed, offMs }) => {
    const { clock, members } = rigOf(offs);
    const said = members.vote();
    expect(said).toMatchObject({ agreeing, members: offs.length });
    expect(isMajority(said)).toBe(confirmed);
    const trueMs = new ManualClock().nowMs();
    expect((said.offsetMs ?? NaN) + clock.elapsedMs() - trueMs).toBe(offMs);
  });

  it.each([IN_1965, IN_2023, IN_2094])("is nobody's where all show %d", (atMs) => {
    const off = offOf(atMs);
    expect(rigOf([off, off, off]).members.vote()).toMatchObject({
      offsetMs: undefined,
      agreeing: 0,
    });
  });

  it("names who does not agree", () => {
    const { members } = rigOf([0, HOUR_MS, 0, null]);
    expect(members.vote().others.map(({ id }) => id)).toEqual(["n1"]);
  });

  it("is carried on where a member's clock is set, and forgets who was not heard for a minute", () => {
    const { clock, members } = rigOf([0, 0, 0]);
    clock.jump(HOUR_MS);
    expect(members.vote()).toMatchObject({ agreeing: 2, others: [{ id: "n0" }] });
    clock.advance(60_001);
    expect(members.vote()).toMatchObject({ agreeing: 1, members: 3 });
  });

  it("has, whoever a minority of wrong clocks is, never more than the bound between it and a right one", () => {
    const random = seededRandom(7);
    for (let round = 0; round < 2_000; round += 1) {
      const size = 2 + Math.floor(random.next() * 8);
      const right = Math.floor(size / 2) + 1;
      const readings = Array.from({ length: size }, (_, index) => ({
        id: `n${index}`,
        offsetMs:
          new ManualClock().nowMs() +
          (index < right ? (random.next() - 0.5) * DRIFT_MS : (random.next() - 0.5) * 4 * DRIFT_MS),
      }));
      const said = vote(readings, size, DRIFT_MS, { own: "n0", elapsedMs: 0 });
      expect(isMajority(said)).toBe(true);
      const nearest = Math.min(
        ...readings
          .slice(0, right)
          .map(({ offsetMs }) => Math.abs(offsetMs - (said.offsetMs ?? NaN))),
      );
      expect(nearest).toBeLessThanOrEqual(DRIFT_MS);
    }
  });
});

/** A node whose clock is right, and a directory that tells it the true time, whatever its own clock shows. */
function node(): {
  clock: ManualClock;
  time: ClusterClock;
  hear: (aheadMs: number, agreeing: number, members: number) => void;
} {
  const clock = new ManualClock();
  const time = new ClusterClock(clock);
  time.maxDriftMs = DRIFT_MS;
  const trueMs = clock.nowMs() - clock.elapsedMs();
  const hear = (aheadMs: number, agreeing: number, members: number): void => {
    const directoryMs = trueMs + clock.elapsedMs() + aheadMs;
    time.hear(directoryMs, clock.nowMs(), { aheadMs, agreeing, members });
  };
  return { clock, time, hear };
}

describe("a node's time", () => {
  it("is not that of a directory that is wrong, but what that has heard of the others", () => {
    const { clock, time, hear } = node();
    hear(HOUR_MS, 3, 4);
    expect(time.nowMs()).toBe(clock.nowMs());
    expect(time.confirmedMs()).toBe(clock.nowMs());
  });

  it("is the cluster's where its own clock is set, at once, and also while it is cut off", () => {
    const { clock, time, hear } = node();
    hear(0, 3, 4);
    const trueMs = clock.nowMs();
    for (const stepMs of [HOUR_MS, -3 * HOUR_MS, 200 * 365 * 24 * HOUR_MS]) {
      clock.jump(stepMs);
      expect(time.nowMs()).toBe(trueMs);
      expect(time.corrected).toBe(true);
      clock.jump(-stepMs);
    }
    clock.advance(2 * HOUR_MS);
    clock.jump(HOUR_MS);
    expect(time.nowMs()).toBe(trueMs + 2 * HOUR_MS);
    expect(time.confirmedMs()).toBeUndefined();
  });

  it.each([
    { word: "one against one, of two", agreeing: 1, members: 2, follows: true },
    { word: "one against all others of many", agreeing: 1, members: 6, follows: false },
    { word: "two of six", agreeing: 2, members: 6, follows: true },
  ])(
    "of which nothing is confirmed is, by $word, followed: $follows",
    ({ agreeing, members, follows }) => {
      const { clock, time, hear } = node();
      clock.jump(HOUR_MS);
      hear(0, agreeing, members);
      expect(time.nowMs()).toBe(clock.nowMs() - (follows ? HOUR_MS : 0));
      expect(time.confirmedMs()).toBeUndefined();
    },
  );
});

describe("a node's time that was confirmed", () => {
  it("is not given up for one that is not, unless a stamp is refused", () => {
    const { clock, time, hear } = node();
    hear(0, 3, 4);
    const trueMs = clock.nowMs();
    time.hear(trueMs - HOUR_MS, trueMs, { aheadMs: 0, agreeing: 2, members: 4 });
    expect(time.nowMs()).toBe(trueMs);
    expect(time.confirmedMs()).toBeUndefined();
    time.obey();
    expect(time.nowMs()).toBe(trueMs - HOUR_MS);
  });

  it("lets nothing be undone before a majority has agreed for a while, and after it has leapt", () => {
    const { clock, time, hear } = node();
    for (let passedMs = 0; passedMs < 60_000; passedMs += 500) {
      hear(0, 3, 4);
      expect(time.confirmedMs(60_000)).toBeUndefined();
      clock.advance(500);
    }
    hear(0, 3, 4);
    expect(time.confirmedMs(60_000)).toBe(clock.nowMs());
    time.hear(clock.nowMs() + HOUR_MS, clock.nowMs(), { aheadMs: 0, agreeing: 3, members: 4 });
    expect(time.confirmedMs(60_000)).toBeUndefined();
  });
});

function ceilingOf(
  highestTime: number,
  admittedTime = highestTime,
): { clock: ManualClock; ceiling: StampCeiling } {
  const clock = new ManualClock();
  const time = {
    nowMs: () => clock.nowMs(),
    elapsedMs: () => clock.elapsedMs(),
    maxDriftMs: DRIFT_MS,
  };
  return { clock, ceiling: new StampCeiling({ highestTime, admittedTime }, time) };
}

describe("the ceiling of stamps", () => {
  it("cannot be pushed along by sending stamps just below it", () => {
    const { clock, ceiling } = ceilingOf(0);
    for (let frame = 0; frame < 20_000; frame += 1) ceiling.admit(ceiling.timeMax);
    expect(ceiling.timeMax).toBeLessThanOrEqual(stampTimeOf(clock.nowMs() + DRIFT_MS + 200));
    clock.jump(-HOUR_MS);
    const before = ceiling.timeMax;
    for (let frame = 0; frame < 20_000; frame += 1) ceiling.admit(ceiling.timeMax);
    expect(ceiling.timeMax).toBe(before);
  });

  it.each([-HOUR_MS, -60 * 365 * 24 * HOUR_MS, 100 * 365 * 24 * HOUR_MS])(
    "goes on from what was admitted where the clock is then off by %d ms",
    (offMs) => {
      const { clock, ceiling } = ceilingOf(0);
      const admitted = stampTimeOf(clock.nowMs());
      ceiling.admit(admitted);
      clock.jump(offMs);
      for (let second = 0; second < 10; second += 1) {
        clock.advance(1_000);
        expect(ceiling.timeMax).toBeGreaterThan(
          admitted + stampTimeOf(STAMP_EPOCH_MS + 1_000 * second),
        );
        expect(ceiling.timeMax).toBeLessThan(admitted + stampTimeOf(STAMP_EPOCH_MS + HOUR_MS));
      }
    },
  );

  it("is the log's highest stamp where a directory starts with a clock that is behind", () => {
    const highestTime = stampTimeOf(new ManualClock().nowMs() + HOUR_MS);
    expect(ceilingOf(highestTime).ceiling.timeMax).toBeGreaterThan(highestTime);
  });

  it("is claimed to be higher by a day at most", () => {
    const { clock, ceiling } = ceilingOf(0);
    expect(ceiling.claimMax).toBe(stampTimeOf(clock.nowMs() + 24 * HOUR_MS));
  });
});

describe("the ceiling of stamps that a log has", () => {
  it("admits what may have been forwarded before a restart, and is pushed no further by that", () => {
    const forwarded = stampTimeOf(new ManualClock().nowMs() + HOUR_MS);
    const { clock, ceiling } = ceilingOf(0, forwarded);
    expect(ceiling.timeMax).toBe(forwarded);
    clock.advance(60_000);
    expect(ceiling.timeMax).toBe(forwarded);
    ceiling.admit(forwarded);
    expect(ceiling.timeMax).toBeLessThanOrEqual(forwarded + stampTimeOf(STAMP_EPOCH_MS + 200));
  });

  it("is made durable ahead of the confirmed time, and no further than that admits", () => {
    const { clock, ceiling } = ceilingOf(0);
    const bound = ceiling.boundAhead(0, clock.nowMs()) ?? 0;
    expect(bound).toBe(stampTimeOf(clock.nowMs() + DRIFT_MS));
    expect(ceiling.boundAhead(bound, clock.nowMs() + DRIFT_MS / 2)).toBeUndefined();
    expect(ceiling.boundAhead(bound, clock.nowMs() + DRIFT_MS / 2 + 1)).toBeGreaterThan(bound);
  });

  it.each([-HOUR_MS, HOUR_MS, 60 * 365 * 24 * HOUR_MS])(
    "is made durable little above a frame, where the clock is off by %d ms",
    (offMs) => {
      const { clock, ceiling } = ceilingOf(0);
      const time = stampTimeOf(clock.nowMs());
      clock.jump(offMs);
      const bound = ceiling.boundFor(time);
      expect(bound).toBeGreaterThan(time);
      expect(bound).toBeLessThanOrEqual(time + stampTimeOf(STAMP_EPOCH_MS + DRIFT_MS));
    },
  );
});

describe("a clock that goes back", () => {
  it("does not issue a stamp twice, and knows which are its own", () => {
    const stamps = new HybridClock(seededRandom(1), 5);
    const issued = [stamps.next(0), stamps.next(0)];
    stamps.lower(5);
    const again = [stamps.next(0), stamps.next(0)];
    expect(again.map(({ time }) => time)).toEqual(issued.map(({ time }) => time));
    const names = [...issued, ...again].map(({ time, origin }) => `${time} ${origin}`);
    expect(new Set(names).size).toBe(4);
    for (const stamp of [...issued, ...again]) expect(stamps.hasIssued(stamp)).toBe(true);
    expect(stamps.hasIssued({ time: 6, origin: 1 })).toBe(false);
  });

  it.each([1, 2 ** 47, BURIAL_ORIGIN - 2, BURIAL_ORIGIN - 1, BURIAL_ORIGIN])(
    "finds a stamp just above one of origin %d, below those of a later time or at the first of them",
    (origin) => {
      const stamps = new HybridClock(seededRandom(1), 5);
      const [below, above] = [{ time: 9, origin }, stamps.above({ time: 9, origin })];
      expect(compareStamps(above, below)).toBeGreaterThan(0);
      expect(above.time).toBeLessThanOrEqual(10);
      expect(above.time === 9 || origin >= BURIAL_ORIGIN - 1).toBe(true);
      expect(above.origin).toBeLessThan(BURIAL_ORIGIN);
    },
  );
});

describe("a clock that no stamp can hold", () => {
  it.each([IN_1965, IN_2023, IN_2094, -1e15, 8e15])(
    "refuses to stamp at %d, with a code",
    (atMs) => {
      const stamps = new HybridClock(seededRandom(1), 5);
      expect(() => stamps.check(atMs, 1)).toThrow(
        expect.objectContaining({ code: "CLOCK_OUT_OF_RANGE" }),
      );
      expect(stamps.next(atMs).time).toBe(6);
    },
  );

  it("refuses to go on from a stamp that is the last", () => {
    const stamps = new HybridClock(seededRandom(1), 5);
    stamps.observe(Number.MAX_SAFE_INTEGER);
    const nowMs = new ManualClock().nowMs();
    expect(() => stamps.check(nowMs, 1)).toThrow(
      expect.objectContaining({ code: "CLOCK_OUT_OF_RANGE" }),
    );
  });
});
