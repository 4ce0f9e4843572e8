/**
 * The contract test of every `DirectoryLog`, which compares it with a model: the list of everything that was appended.
 *
 * The main property: a reader that starts at any sequence and reads in steps of any size ends with what the model has, whether the log
 * still has the original frames or has compacted them, and whatever is appended meanwhile.
 */
import type { DirectoryLog } from "@meridian/ports";
import {
  CURSORS_MAX,
  decodeBlock,
  stampTimeOf,
  summaryOf,
  tombstone,
  type Cursor,
  type Entry,
} from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { anyLogStep, LogHistory } from "./log-history.ts";
import { numbered, pagesOf } from "./page-walk.ts";
import { describeDoubt } from "./log-doubt-contract.ts";
import { admit, append, frame, member, remember, saveHorizon, settle } from "./log-records.ts";
import { attributed, entry, stamp } from "./replica-records.ts";
import type { StoreHarness } from "./store-harness.ts";

/** Runs the suite for one implementation, which must keep at least the three newest frames uncompacted. `runs` is how many random histories are tried. */
export function directoryLogContract<L extends DirectoryLog>(
  title: string,
  harness: StoreHarness<L>,
  runs: number,
): void {
  describe(`${title} keeps the contract of a directory log`, () => {
    describeBasics(harness);
    describeMarks(harness);
    describeAdmitted(harness);
    describeAttributes(harness);
    describeFollowed(harness);
    describeMembers(harness);
    describeReads(harness);
    describePages(harness);
    describeHorizon(harness);
    describeDoubt(harness, nextName);
    describeHistories(harness, runs);
  });
}

let names = 0;

function nextName(): string {
  names += 1;
  return `log-${names}`;
}

function describeBasics<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("draws its id once and starts an epoch at each opening", async () => {
    const name = nextName();
    const first = await harness.open(name);
    const { logId } = first;
    expect(logId).toBeGreaterThanOrEqual(1);
    expect(logId).toBeLessThan(2 ** 48);
    expect(first.epochs).toEqual([[first.epoch, 0]]);
    await append(first, frame(0, [entry("a", 1), entry("b", 2)], 7, 1));
    await harness.close(first);
    const second = await harness.open(name);
    expect([second.logId, second.committedThrough]).toEqual([logId, 2]);
    await append(second, frame(2, [entry("a", 3)], 7, 2));
    await harness.crash(second);
    const third = await harness.open(name);
    expect(third.logId).toBe(logId);
    expect(third.epochs).toEqual([
      [first.epoch, 0],
      [second.epoch, 2],
      [third.epoch, 3],
    ]);
    expect(new Set([first.epoch, second.epoch, third.epoch]).size).toBe(3);
    await harness.close(third);
  });

  it("says through which sequence its table is complete, and confirms that nobody else writes it", async () => {
    const log = await harness.open(nextName());
    await append(log, frame(0, [entry("a", 1), entry("b", 2)], 7, 1));
    expect(log.mergedThrough).toBeLessThanOrEqual(2);
    await settle(log);
    expect([log.mergedThrough, log.get("b")?.stamp.time]).toEqual([2, 2]);
    const confirmed = await new Promise((resolve) => log.confirm(resolve));
    expect([confirmed, log.committedThrough]).toEqual([undefined, 2]);
    await harness.close(log);
  });

  it("calls back in order, never from inside the call, and shows nothing before", async () => {
    const log = await harness.open(nextName());
    const order: number[] = [];
    const writes = [0, 1, 2, 3].map((after) =>
      append(log, frame(after, [entry(`k${after}`, 1)], 7, after + 1)).then(() => {
        order.push(after);
      }),
    );
    expect(order).toEqual([]);
    expect(log.committedThrough).toBe(0);
    expect(log.read(0, 1_000)).toEqual([]);
    await Promise.all(writes);
    expect(order).toEqual([0, 1, 2, 3]);
    expect(log.committedThrough).toBe(4);
    await harness.close(log);
  });

  it("knows the newest entry of every key once it is settled", async () => {
    const log = await harness.open(nextName());
    await append(log, frame(0, [entry("b", 5), entry("é", 5), entry("a", 5)], 7, 1));
    await append(log, frame(3, [entry("b", 4), tombstone("a", stamp(6))], 7, 2));
    await settle(log);
    expect(log.get("b")).toEqual(entry("b", 5));
    expect(log.get("a")).toEqual(tombstone("a", stamp(6)));
    expect(log.get("c")).toBeUndefined();
    expect(log.summariesAfter(null, 2).map(({ key }) => key)).toEqual(["a", "b"]);
    expect(log.summariesAfter("b", 2)).toEqual([{ key: "é", stamp: stamp(5) }]);
    await harness.close(log);
  });
}

function describeMarks<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("knows the last frame that it has of each outbox", async () => {
    const name = nextName();
    const log = await harness.open(name);
    expect(log.outboxMark(7)).toBeUndefined();
    await append(log, frame(0, [entry("a", 5), entry("b", 2)], 7, 1));
    const second = append(log, frame(2, [entry("a", 3)], 7, 2));
    expect(log.outboxMark(7)).toEqual({ position: 1, sequence: 2, highestTime: 5 });
    await second;
    await append(log, frame(3, [entry("c", 9)], 8, 12));
    await harness.close(log);
    const reopened = await harness.open(name);
    expect(reopened.outboxMark(7)).toEqual({ position: 2, sequence: 3, highestTime: 3 });
    expect(reopened.outboxMark(8)).toEqual({ position: 12, sequence: 4, highestTime: 9 });
    await harness.close(reopened);
  });

  it("keeps no outbox position of a frame before which it may lack something, and finds no sequence for it", async () => {
    const name = nextName();
    const log = await harness.open(name);
    await append(log, frame(0, [entry("a", 5)], 7, 1));
    await append(log, { ...frame(1, [entry("b", 6)], 7, 9), incomplete: true });
    expect(log.outboxMark(7)).toEqual({ position: 9, sequence: 0, highestTime: 6 });
    await harness.crash(log);
    const reopened = await harness.open(name);
    expect(reopened.outboxMark(7)).toEqual({ position: 9, sequence: 0, highestTime: 6 });
    const read = reopened
      .read(0, Infinity)
      .map(({ incarnation, position }) => [incarnation, position]);
    expect(read).toEqual([
      [7, 1],
      [7, 0],
    ]);
    await append(reopened, frame(2, [entry("c", 7)], 7, 10));
    expect(reopened.outboxMark(7)).toEqual({ position: 10, sequence: 3, highestTime: 7 });
    await harness.close(reopened);
  });
}

function describeAdmitted<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("keeps up to which stamp time frames are admitted, in order with the frames, and never lowers it", async () => {
    const name = nextName();
    const log = await harness.open(name);
    expect(log.admittedTime).toBe(0);
    const order: string[] = [];
    const admitted = admit(log, 70).then(() => order.push("admitted"));
    const appended = append(log, frame(0, [entry("a", 1)], 7, 1)).then(() => order.push("frame"));
    expect(log.admittedTime).toBe(0);
    await Promise.all([admitted, appended]);
    expect(order).toEqual(["admitted", "frame"]);
    await admit(log, 60);
    expect(log.admittedTime).toBe(70);
    await harness.crash(log);
    const reopened = await harness.open(name);
    expect(reopened.admittedTime).toBe(70);
    await append(reopened, frame(1, [entry("a", 80)], 7, 2));
    await harness.close(reopened);
    const again = await harness.open(name);
    expect(again.admittedTime).toBe(80);
    await harness.close(again);
  });
}

function describeAttributes<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("keeps attributes with their entries: as they came, compacted, and in its summaries", async () => {
    const name = nextName();
    const log = await harness.open(name);
    const frames = [
      [attributed(entry("a", 1)), entry("b", 1)],
      [attributed(tombstone("b", stamp(2))), entry("c", 1)],
      [entry("a", 3), attributed(entry("c", 3))],
      [attributed(entry("d", 4))],
      [attributed(entry("e", 5))],
    ];
    let after = 0;
    for (const [index, entries] of frames.entries()) {
      await append(log, frame(after, entries, 7, index + 1));
      after += entries.length;
    }
    const newest = [entry("a", 3), attributed(tombstone("b", stamp(2)))].concat(
      [entry("c", 3), entry("d", 4), entry("e", 5)].map(attributed),
    );
    const held = (from: L): unknown => {
      const read = new Map<string, Entry>();
      for (let reached = 0; reached < after;) {
        for (const each of from.read(reached, 1)) {
          for (const found of decodeBlock(each.block, each.count)) read.set(found.key, found);
          reached = each.through;
        }
      }
      return newest.map(({ key }) => read.get(key));
    };
    await settle(log);
    expect(log.summariesAfter(null, 10)).toEqual(newest.map(summaryOf));
    expect(held(log)).toEqual(newest);
    await harness.close(log);
    const reopened = await harness.open(name);
    await settle(reopened);
    expect(reopened.summariesAfter(null, 10)).toEqual(newest.map(summaryOf));
    expect(held(reopened)).toEqual(newest);
    await harness.close(reopened);
  });
}

function describeFollowed<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("keeps its cursors in other logs together with the frames that move them, one for each epoch", async () => {
    const name = nextName();
    const log = await harness.open(name);
    const place = (logId: number, epoch: number, sequence: number): Cursor => ({
      logId,
      epoch,
      sequence,
    });
    expect(log.followed).toEqual([]);
    await append(log, { ...frame(0, [entry("a", 5)], 7, 0), followed: place(9, 1, 10) });
    await append(log, { ...frame(1, [], 0, 0), followed: place(9, 2, 4) });
    const last = append(log, { ...frame(1, [], 0, 0), followed: place(9, 1, 12) });
    expect(log.followed).toEqual([place(9, 1, 10), place(9, 2, 4)]);
    await last;
    expect(log.followed).toEqual([place(9, 2, 4), place(9, 1, 12)]);
    expect([log.committedThrough, log.read(0, 1_000).length]).toEqual([1, 1]);
    const compared = place(9, 2, 5);
    await append(log, { ...frame(1, [], 0, 0), followed: place(9, 2, 6), compared });
    expect(log.compared).toEqual([compared]);
    await harness.crash(log);
    const again = await harness.open(name);
    expect([again.followed.at(-1), again.compared]).toEqual([place(9, 2, 6), [compared]]);
    for (let epoch = 10; epoch < 10 + CURSORS_MAX; epoch += 1) {
      await append(again, { ...frame(1, [], 0, 0), followed: place(8, epoch, epoch) });
    }
    expect(again.compared).toEqual([]);
    await harness.close(again);
    const reopened = await harness.open(name);
    expect(reopened.followed).toHaveLength(CURSORS_MAX);
    expect(reopened.followed[0]).toEqual(place(8, 10, 10));
    expect(reopened.compared).toEqual([]);
    await harness.close(reopened);
  });
}

function describeMembers<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("remembers the newest record of each node until the node is dropped", async () => {
    const name = nextName();
    const log = await harness.open(name);
    expect(log.members).toEqual([]);
    await remember(log, [member("berlin", 1), member("tokyo", 1)]);
    await remember(log, [member("berlin", 2)], ["tokyo", "nobody"]);
    expect(log.members).toEqual([member("berlin", 2)]);
    await remember(log, [member("lima", 3)]);
    await harness.crash(log);
    const reopened = await harness.open(name);
    const byId = reopened.members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId).toEqual([member("berlin", 2), member("lima", 3)]);
    await harness.close(reopened);
  });
}

function describeReads<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("returns the newest frame uncompacted, and its tail to a reader within it", async () => {
    const log = await harness.open(nextName());
    const entries = [entry("a", 9), entry("b", 2), entry("c", 3)];
    const whole = frame(0, entries, 7, 1);
    await append(log, whole);
    expect(log.read(0, 1)).toEqual([whole]);
    expect(log.read(1, 1)).toEqual([frame(1, entries.slice(1), 7, 0)]);
    expect(log.read(3, 1_000)).toEqual([]);
    await harness.close(log);
  });

  it("returns as many frames as fit, at least one", async () => {
    const log = await harness.open(nextName());
    const frames = [0, 1, 2].map((after) => frame(after, [entry(`k${after}`, 1)], 7, after + 1));
    for (const each of frames) await append(log, each);
    const bytes = frames[0]?.block.byteLength ?? 0;
    expect(log.read(0, 1)).toEqual(frames.slice(0, 1));
    expect(log.read(0, bytes * 2)).toEqual(frames.slice(0, 2));
    expect(log.read(1, 1_000_000)).toEqual(frames.slice(1));
    await harness.close(log);
  });
}

function describePages<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  it("reads no more keys for a page than its limit, however many are purgeable", async () => {
    const log = await harness.open(nextName());
    const keys = numbered(40);
    await append(
      log,
      frame(
        0,
        keys.map((key) => (key === "k05" ? entry(key, 9) : tombstone(key, stamp(1)))),
        7,
        1,
      ),
    );
    await settle(log);
    for (const limit of [1, 4, 7, 100]) {
      expect(pagesOf(log, keys, limit, 5)).toEqual(["k05"]);
      expect(pagesOf(log, keys, limit, 0)).toEqual(keys);
    }
    await harness.close(log);
  });
}

function describeHorizon<L extends DirectoryLog>(harness: StoreHarness<L>): void {
  const none = { horizon: 0, frozenUntilMs: 0, marks: [] };

  it("keeps the state of the horizon, in order with the frames", async () => {
    const name = nextName();
    const log = await harness.open(name);
    expect([log.horizonState, log.purgedThrough]).toEqual([none, 0]);
    const marks: [number, number][] = [
      [1_700_000_000_000, 0],
      [1_700_000_000_500, 2 ** 53 - 1],
    ];
    const state = { horizon: 2 ** 53 - 1, frozenUntilMs: 1_800_000_000_000, marks };
    const order: string[] = [];
    const appended = append(log, frame(0, [entry("a", 1)], 7, 1)).then(() => order.push("frame"));
    const saved = saveHorizon(log, state).then(() => order.push("horizon"));
    expect(log.horizonState).toEqual(none);
    await Promise.all([appended, saved]);
    expect(order).toEqual(["frame", "horizon"]);
    expect(log.horizonState).toEqual(state);
    await harness.close(log);
    const reopened = await harness.open(name);
    expect(reopened.horizonState).toEqual(state);
    await harness.close(reopened);
  });

  it("leaves purgeable entries out of its summaries, and counts them towards no limit", async () => {
    const horizon = stampTimeOf(1_750_000_000_000);
    const expired = { ...entry("b", 2), expiresAtMs: 1_750_000_000_000 };
    const later = { ...entry("c", 3), expiresAtMs: 1_750_000_000_001 };
    const log = await harness.open(nextName());
    const entries = [tombstone("a", stamp(1)), expired, later, tombstone("d", stamp(horizon + 1))];
    await append(log, frame(0, [...entries, entry("e", 1)], 7, 1));
    await settle(log);
    const keys = (horizonGiven?: number): string[] =>
      log.summariesAfter(null, 3, horizonGiven).map(({ key }) => key);
    expect(keys()).toEqual(["a", "b", "c"]);
    expect(keys(horizon)).toEqual(["c", "d", "e"]);
    await saveHorizon(log, { ...none, horizon });
    expect(keys()).toEqual(["c", "d", "e"]);
    await harness.close(log);
  });

  it("purges only entries at or behind the horizon and through the sequence, once all earlier frames are folded", async () => {
    const name = nextName();
    const log = await harness.open(name);
    const gone = tombstone("gone", stamp(5));
    const late = tombstone("late", stamp(6));
    await append(log, frame(0, [gone, entry("kept", 4)], 7, 1));
    await append(log, frame(2, [late], 7, 2));
    await settle(log);
    await harness.idle(log);
    expect(log.get("gone")).toEqual(gone);
    await saveHorizon(log, { ...none, horizon: 10 });
    await harness.idle(log);
    expect([log.get("gone"), log.purgedThrough]).toEqual([gone, 0]);
    // This entry was ordered before the horizon moved, and is older than the tombstone that may be purged now.
    const appended = append(log, frame(3, [entry("gone", 3)], 8, 1));
    log.purge(10, 2);
    await appended;
    await settle(log);
    await harness.idle(log);
    expect([log.get("gone"), log.get("late"), log.get("kept")]).toEqual([
      undefined,
      late,
      entry("kept", 4),
    ]);
    expect(log.purgedThrough).toBe(1);
    await harness.close(log);
    const reopened = await harness.open(name);
    expect(reopened.purgedThrough).toBe(1);
    await harness.close(reopened);
  });
}

function describeHistories<L extends DirectoryLog>(harness: StoreHarness<L>, runs: number): void {
  it("gives every reader the entries of the model, after any history", async () => {
    const checked = fc.assert(
      fc.asyncProperty(fc.array(anyLogStep, { maxLength: 40 }), async (steps) => {
        const history = new LogHistory(harness, nextName());
        await history.start();
        try {
          for (const each of steps) await history.take(each);
          await history.take({ do: "idle" });
          for (const after of [0, 1, 2, 5, 11]) {
            await history.take({ do: "read", after, bytes: 100 });
          }
          await history.take({ do: "reopen" });
        } finally {
          await history.end();
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
    await expect(checked).resolves.toBeUndefined();
  }, 120_000);
}
