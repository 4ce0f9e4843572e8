import { MeridianError, type Entry } from "@meridian/protocol";
import { Metrics, seededRandom, silentLogger } from "@meridian/runtime";
import fc from "fast-check";
import { expect, it } from "vitest";

import {
  ChangeFeed,
  type ChangeFeedOptions,
  type Subscription,
} from "../src/service/change-feed.ts";
import { ManualClock } from "./harness.ts";

let runs = 0;

/** A feed as another run of the program makes it. */
function feedOf(bounds: Partial<ChangeFeedOptions> = {}): ChangeFeed {
  runs += 1;
  const random = seededRandom(runs);
  const clock = new ManualClock();
  return new ChangeFeed({ random, clock, logger: silentLogger, metrics: new Metrics(), ...bounds });
}

function entryOf(key: string, time = 1, expiresAtMs = 0): Entry {
  const stamp = { time, origin: 1 };
  return { key, value: new Uint8Array(9), contentType: "", stamp, expiresAtMs, deleted: false };
}

/** What a subscriber reads now: the keys, behind `missed` where it has missed something. */
function keysOf(subscription: Subscription, limit = 100): readonly string[] {
  const { hasMissed, changes } = subscription.read(limit);
  return [...(hasMissed ? ["missed"] : []), ...changes.map(({ key }) => key)];
}

const ignore = (): void => {};

it("a subscriber hears what has changed since it came, without values, in order and once", () => {
  const feed = feedOf();
  feed.changed([entryOf("before")], true);
  const subscription = feed.subscribe(ignore);
  feed.changed([entryOf("a", 5, 99), entryOf("b")], true);
  feed.restamped([entryOf("a", 4)]);
  const { hasMissed, changes } = subscription.read(2);
  expect(hasMissed).toBe(false);
  const stamp = { time: 5, origin: 1 };
  expect(changes[0]).toMatchObject({
    sequence: 2,
    key: "a",
    stamp,
    expiresAtMs: 99,
    deleted: false,
  });
  expect(changes[1]).toMatchObject({ sequence: 3, key: "b" });
  expect(subscription.read(2).changes).toMatchObject([{ sequence: 4, key: "a" }]);
  expect(keysOf(subscription)).toEqual([]);
});

it("an observer is told of each entry at once, with its value", () => {
  const feed = feedOf();
  const heard: unknown[] = [];
  feed.observe({
    changed: (entries, isNew) => heard.push(["changed", entries, isNew]),
    restamped: (entries) => heard.push(["restamped", entries]),
  });
  const [a, b] = [entryOf("a"), entryOf("b")];
  feed.changed([a], true);
  feed.changed([b], false);
  feed.restamped([a]);
  expect(heard).toEqual([
    ["changed", [a], true],
    ["changed", [b], false],
    ["restamped", [a]],
  ]);
});

it("a subscriber that comes back with its token goes on where it was", () => {
  const feed = feedOf();
  const first = feed.subscribe(ignore);
  feed.changed([entryOf("a"), entryOf("b")], true);
  expect(keysOf(first, 1)).toEqual(["a"]);
  const { token } = first;
  first.close();
  feed.changed([entryOf("c")], false);
  expect(keysOf(feed.subscribe(ignore, token))).toEqual(["b", "c"]);
  expect(keysOf(feed.subscribe(ignore, token))).toEqual(["b", "c"]);
});

it("a subscriber that falls behind the ring is told once that it has missed something, and goes on from there", () => {
  const feed = feedOf({ changesMax: 3 });
  const [slow, fast] = [feed.subscribe(ignore), feed.subscribe(ignore)];
  const { token } = slow;
  for (const key of ["a", "b", "c"]) {
    feed.changed([entryOf(key)], true);
    expect(keysOf(fast)).toEqual([key]);
  }
  feed.changed([entryOf("d")], true);
  expect(keysOf(fast)).toEqual(["d"]);
  expect(keysOf(slow)).toEqual(["missed"]);
  expect(keysOf(feed.subscribe(ignore, token))).toEqual(["missed"]);
  feed.changed([entryOf("e")], true);
  expect([keysOf(slow), keysOf(fast)]).toEqual([["e"], ["e"]]);
});

it("a token of another run of the program, or of its future, has missed something, as long as nobody has read that", () => {
  const before = feedOf();
  const old = before.subscribe(ignore);
  before.changed([entryOf("a")], true);
  old.read(1);
  const feed = feedOf();
  feed.changed([entryOf("b"), entryOf("c")], true);
  const back = feed.subscribe(ignore, old.token);
  const again = feed.subscribe(ignore, back.token);
  expect(keysOf(back)).toEqual(["missed"]);
  expect(keysOf(again)).toEqual(["missed"]);
  expect(keysOf(feed.subscribe(ignore, back.token))).toEqual([]);
  const future = back.token.replace(/\d+$/, "99");
  expect(keysOf(feed.subscribe(ignore, future))).toEqual(["missed"]);
});

it.each(["", "c1", "c1.1", "c1.1.-1", "c1.x.1", "c2.1.1", "c1.1.1.1", `c1.1.${"9".repeat(40)}`])(
  "%j is no token",
  (token) => {
    expect(() => feedOf().subscribe(ignore, token)).toThrow("token of a place");
  },
);

it("the ring is bounded in bytes, whatever the keys, and by nobody's reading", () => {
  const metrics = new Metrics();
  const feed = feedOf({ changesMax: 1_000, bytesMax: 10_000, metrics });
  const subscription = feed.subscribe(ignore);
  for (let turn = 0; turn < 300; turn += 1) {
    feed.changed([entryOf("k".repeat(1 + (turn % 900)))], true);
    for (const { now, max } of metrics.levels()) expect(now).toBeLessThanOrEqual(max);
  }
  expect(keysOf(subscription)).toEqual(["missed"]);
});

it("nothing is kept for a feed that nobody has subscribed to", () => {
  const metrics = new Metrics();
  const feed = feedOf({ metrics });
  feed.changed(
    Array.from({ length: 100 }, (_, at) => entryOf(`k${at}`)),
    true,
  );
  expect(metrics.levels().map(({ now }) => now)).toEqual([0, 0, 0]);
});

it("a subscriber is woken once for all that comes after it has read everything, and one that fails keeps nobody else waiting", async () => {
  const metrics = new Metrics();
  const feed = feedOf({ metrics });
  let woken = 0;
  const failing = feed.subscribe(() => {
    throw new Error("Expected no news");
  });
  const subscription = feed.subscribe(() => {
    woken += 1;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  feed.changed([entryOf("early")], true);
  await turn();
  expect(woken).toBe(0);
  failing.read(9);
  subscription.read(9);
  feed.changed([entryOf("a")], true);
  feed.changed([entryOf("b")], true);
  expect(woken).toBe(0);
  await turn();
  feed.changed([entryOf("c")], true);
  await turn();
  expect(woken).toBe(1);
  expect(keysOf(subscription)).toEqual(["a", "b", "c"]);
  expect(metrics.levels().at(-1)?.now).toBe(1);
});

it("one subscriber more than there is room for is refused", () => {
  const feed = feedOf({ subscribersMax: 1 });
  const subscription = feed.subscribe(ignore);
  expect(() => feed.subscribe(ignore)).toThrow(MeridianError);
  subscription.close();
  feed.subscribe(ignore);
});

it("whoever reads as they like hears every change in order, or that it has missed some", () => {
  const step = fc.record({
    keys: fc.integer({ min: 0, max: 5 }),
    reader: fc.nat({ max: 2 }),
    limit: fc.nat({ max: 4 }),
    returns: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      (steps, size) => {
        const feed = feedOf({ changesMax: size });
        const readers = [0, 1, 2].map(() => ({ subscription: feed.subscribe(ignore), through: 0 }));
        let made = 0;
        for (const { keys, reader: index, limit, returns } of steps) {
          const entries = Array.from({ length: keys }, (_, at) => entryOf(`k${made + at + 1}`));
          made += keys;
          feed.changed(entries, true);
          const reader = readers[index];
          if (reader === undefined) continue;
          if (returns) reader.subscription = feed.subscribe(ignore, reader.subscription.token);
          const { hasMissed, changes } = reader.subscription.read(limit);
          expect(hasMissed).toBe(reader.through < made - size);
          if (hasMissed) reader.through = made;
          for (const { sequence, key } of changes) {
            reader.through += 1;
            expect([sequence, key]).toEqual([reader.through, `k${reader.through}`]);
          }
          expect(changes.length).toBe(hasMissed ? 0 : Math.min(limit, changes.length));
        }
      },
    ),
    { numRuns: 200 },
  );
});

it("few subscribers are told in one turn, and all are told of all there is", async () => {
  const feed = feedOf();
  const SUBSCRIBERS = 1_000;
  let toldThisTurn = 0;
  let mostInATurn = 0;
  const told = new Set<number>();
  const subscriptions = Array.from({ length: SUBSCRIBERS }, (_, index) => {
    const subscription = feed.subscribe(() => {
      if (toldThisTurn === 0) setImmediate(() => (toldThisTurn = 0));
      toldThisTurn += 1;
      mostInATurn = Math.max(mostInATurn, toldThisTurn);
      // What comes while some have been told and others have not.
      if (index === 500 && !told.has(index)) feed.changed([entryOf("late")], true);
      told.add(index);
      keysOf(subscription);
    });
    return subscription;
  });
  for (const subscription of subscriptions) subscription.read(1);
  feed.changed([entryOf("a"), entryOf("b")], true);
  for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(told.size).toBe(SUBSCRIBERS);
  expect(mostInATurn).toBeLessThanOrEqual(64);
  expect(subscriptions.flatMap((subscription) => keysOf(subscription))).toEqual([]);
});

it("nothing is kept a minute after the last subscriber has left, and who comes back before has missed nothing", () => {
  const [clock, metrics] = [new ManualClock(), new Metrics()];
  const feed = feedOf({ clock, metrics });
  const kept = (): readonly number[] =>
    metrics
      .levels()
      .filter(({ name }) => name === "changes" || name === "changeBytes")
      .map(({ now }) => now);
  const first = feed.subscribe(ignore);
  feed.changed([entryOf("a")], true);
  expect(keysOf(first)).toEqual(["a"]);
  first.close();
  clock.advance(59_000);
  feed.changed([entryOf("b")], true);
  const second = feed.subscribe(ignore, first.token);
  clock.advance(59_000);
  expect(keysOf(second)).toEqual(["b"]);
  second.close();
  second.close();
  feed.changed([entryOf("c")], true);
  clock.advance(60_000);
  feed.changed([entryOf("d")], true);
  expect(kept()).toEqual([0, 0]);
  const third = feed.subscribe(ignore, second.token);
  expect(keysOf(third)).toEqual(["missed"]);
  feed.changed([entryOf("e")], true);
  expect(keysOf(third)).toEqual(["e"]);
});

it("the last changes of a key are looked for among so many that no turn is long", () => {
  const feed = feedOf();
  expect(feed.lastOf("k", 20)).toBeUndefined();
  feed.changed([entryOf("k", 1)], true);
  const others = Array.from({ length: 8_191 }, (_, n) => entryOf(`other ${n}`));
  feed.changed(others, true);
  expect(feed.lastOf("k", 20)).toMatchObject([{ stamp: { time: 1, origin: 1 } }]);
  feed.changed([entryOf("other")], true);
  expect(feed.lastOf("k", 20)).toEqual([]);
  feed.changed([entryOf("k", 2)], true);
  expect(feed.lastOf("k", 20)).toMatchObject([{ stamp: { time: 2, origin: 1 } }]);
});
