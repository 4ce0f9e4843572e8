/**
 * The contract test of every `ReplicaStore`, which compares it with a model: a map, a list and a loop.
 *
 * The last test is the strongest: after any sequence of records, with the store idle, reopened or killed
 * anywhere in between, the store has what the model has. After a crash that is the model after some prefix of the
 * records, which includes every record whose `done` was called.
 */
import type { ReplicaStore } from "@meridian/ports";
import {
  burial,
  compareKeys,
  stampTimeOf,
  summaryOf,
  tombstone,
  type Entry,
  type Stamp,
  type ReplicaRecord,
} from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { anyStep, ReplicaHistory } from "./replica-history.ts";
import { numbered, pagesOf } from "./page-walk.ts";
import { ReplicaModel, viewOf } from "./replica-model.ts";
import { append, attributed, entry, frameOf, local, remote, stamp } from "./replica-records.ts";
import { describePeek } from "./replica-peek-contract.ts";
import { describeTail } from "./replica-tail-contract.ts";
import type { StoreHarness } from "./store-harness.ts";

/** Runs the suite for one implementation. `runs` is how many random histories are tried. */
export function replicaStoreContract<S extends ReplicaStore>(
  title: string,
  harness: StoreHarness<S>,
  runs: number,
): void {
  describe(`${title} keeps the contract of a replica store`, () => {
    describeBasics(harness);
    describePeek(harness, (test) => withStore(harness, test));
    describeDurability(harness);
    describeTail((test) => withStore(harness, test));
    describeOutbox(harness);
    describeRestamps(harness);
    describeScans(harness);
    describeHorizon(harness);
    describeQuarantine(harness);
    describeHistories(harness, runs);
  });
}

let names = 0;

async function withStore<S>(
  harness: StoreHarness<S>,
  test: (store: S, reopen: () => Promise<S>) => Promise<void>,
): Promise<void> {
  names += 1;
  const name = `store-${names}`;
  let store = await harness.open(name);
  try {
    await test(store, async () => {
      await harness.close(store);
      store = await harness.open(name);
      return store;
    });
  } finally {
    await harness.close(store);
  }
}

function describeBasics<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  it("starts empty, with an identity", () =>
    withStore(harness, async (store) => {
      expect(store.incarnation).toBeGreaterThanOrEqual(1);
      expect(store.incarnation).toBeLessThan(2 ** 48);
      expect(viewOf(store)).toEqual(new ReplicaModel(store.incarnation).view());
    }));

  it("shows a local write once it is durable, and not before", () =>
    withStore(harness, async (store) => {
      const written = append(store, local(1, [entry("a", 1)]));
      expect(store.get("a")).toBeUndefined();
      expect(store.outboxAfter(0, 1000)).toEqual([]);
      await written;
      expect(store.get("a")).toEqual(entry("a", 1));
      expect(store.outboxThrough).toBe(1);
    }));

  it("shows a remote entry at once", () =>
    withStore(harness, async (store) => {
      const written = append(store, remote([entry("a", 1)]));
      expect(store.get("a")).toEqual(entry("a", 1));
      expect(store.summariesAfter(null, 10)).toEqual([{ key: "a", stamp: stamp(1) }]);
      await written;
      expect(store.get("a")).toEqual(entry("a", 1));
    }));

  it("calls back in order, and never within the call of `append`", () =>
    withStore(harness, async (store) => {
      const order: number[] = [];
      const writes = [1, 2, 3, 4, 5].map((number) => {
        const written = append(store, local(number, [entry(`k${number}`, number)]));
        return written.then(() => order.push(number));
      });
      expect(order).toEqual([]);
      await Promise.all(writes);
      expect(order).toEqual([1, 2, 3, 4, 5]);
    }));

  it("keeps the newest stamp of a key, whatever came first", () =>
    withStore(harness, async (store) => {
      await append(store, remote([entry("a", 5), entry("b", 5), entry("c", 5)]));
      await harness.idle(store);
      await append(store, remote([entry("a", 4), tombstone("b", stamp(6)), entry("c", 5, 2)]));
      const expected = [entry("a", 5), tombstone("b", stamp(6)), entry("c", 5, 2)];
      expect(["a", "b", "c"].map((key) => store.get(key))).toEqual(expected);
      await harness.idle(store);
      expect(["a", "b", "c"].map((key) => store.get(key))).toEqual(expected);
    }));
}

function describeDurability<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  it("keeps the attributes of the newest stamp, of tombstones too, and shows them in its summaries", () =>
    withStore(harness, async (store, reopen) => {
      const older = [attributed(entry("a", 5)), attributed(entry("b", 5)), entry("c", 5)];
      const newer = [
        entry("a", 6),
        attributed(tombstone("b", stamp(6))),
        attributed(entry("c", 6)),
      ];
      const expected = newer.map(summaryOf);
      expect(expected.map(({ attributes }) => attributes !== undefined)).toEqual([
        false,
        true,
        true,
      ]);
      await append(store, remote(older));
      await harness.idle(store);
      expect(store.summariesAfter(null, 10)).toEqual(older.map(summaryOf));
      await append(store, local(1, newer));
      await append(store, remote(older));
      expect(store.summariesAfter(null, 10)).toEqual(expected);
      await harness.idle(store);
      const reopened = await reopen();
      expect(reopened.summariesAfter(null, 10)).toEqual(expected);
      expect(newer.map(({ key }) => reopened.get(key))).toEqual(newer);
      expect(reopened.outboxAfter(0, 1_000)).toEqual([local(1, newer).frame]);
    }));

  it("keeps values, content types and expiry byte for byte", () =>
    withStore(harness, async (store, reopen) => {
      const value = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
      const odd = {
        ...attributed(entry("\u0000\ufeff ключ 🔑", 3)),
        value,
        contentType: "a/b; c=\u00e9",
      };
      const expiring = {
        ...entry("e", 4),
        expiresAtMs: 1_900_000_000_123,
        value: new Uint8Array(0),
      };
      await append(store, local(1, [odd, expiring]));
      expect([store.get(odd.key), store.get("e")]).toEqual([odd, expiring]);
      await harness.idle(store);
      const reopened = await reopen();
      expect([reopened.get(odd.key), reopened.get("e")]).toEqual([odd, expiring]);
    }));

  it("keeps the cursor, the clock floors and a new incarnation", () =>
    withStore(harness, async (store, reopen) => {
      const cursor = { logId: 2 ** 48 - 1, epoch: 3, sequence: 2 ** 53 - 1 };
      await append(store, local(1, [entry("mine", 2 ** 53 - 1)]));
      await append(store, remote([entry("theirs", 20)], { ...cursor, sequence: 1 }));
      expect(store.admittedTime).toBe(20);
      const moved = append(store, { kind: "progress", cursor });
      expect(store.cursor).toEqual(cursor);
      await moved;
      await append(store, { kind: "adopt", incarnation: 42 });
      const reopened = await reopen();
      expect(reopened.cursor).toEqual(cursor);
      expect(reopened.incarnation).toBe(42);
      expect(reopened.highestTime).toBe(2 ** 53 - 1);
      expect(reopened.admittedTime).toBe(20);
      expect(reopened.outboxAfter(0, 1000)).toHaveLength(1);
    }));
}

function describeOutbox<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  it("returns the outbox frames unchanged, as many as fit, at least one", () =>
    withStore(harness, async (store) => {
      const records = [1, 2, 3].map((at) => local(at, [entry("a", at), entry(`k${at}`, at)]));
      for (const record of records) await append(store, record);
      const frames = records.map(({ frame }) => frame);
      const bytes = frames[0]?.block.byteLength ?? 0;
      expect(store.outboxAfter(0, 1)).toEqual(frames.slice(0, 1));
      expect(store.outboxAfter(0, bytes * 2)).toEqual(frames.slice(0, 2));
      expect(store.outboxAfter(1, 1_000_000)).toEqual(frames.slice(1));
      expect(store.outboxAfter(3, 1_000_000)).toEqual([]);
      await harness.idle(store);
      expect(store.outboxAfter(0, 1_000_000)).toEqual(frames);
    }));

  it("keeps a frame until it is acknowledged, folded or not", () =>
    withStore(harness, async (store, reopen) => {
      for (const at of [1, 2, 3]) await append(store, local(at, [entry("a", at)]));
      await append(store, { kind: "progress", outboxThrough: 2 });
      expect(store.outboxAcknowledged).toBe(2);
      expect(store.admittedTime).toBe(2);
      await harness.idle(store);
      const reopened = await reopen();
      expect(reopened.outboxThrough).toBe(3);
      expect(reopened.outboxAcknowledged).toBe(2);
      expect(reopened.admittedTime).toBe(2);
      expect(reopened.outboxAfter(2, 1000).map(({ position }) => position)).toEqual([3]);
      expect(reopened.get("a")).toEqual(entry("a", 3));
    }));
}

function describeRestamps<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  const restampOf = (
    entries: readonly Entry[],
    replaced: readonly Stamp[],
    takenBack = replaced,
  ): ReplicaRecord => ({ ...local(1, entries), kind: "restamp", replaced, takenBack });
  const cases = [
    { when: "right away", idleFirst: false },
    { when: "after it was folded", idleFirst: true },
  ];
  for (const { when, idleFirst } of cases) {
    it(`replaces what a frame wrote by lower stamps, ${when}`, () =>
      withStore(harness, async (store, reopen) => {
        await append(store, remote([entry("b", 10)]));
        await append(store, local(1, [entry("a", 90), entry("b", 91)]));
        if (idleFirst) await harness.idle(store);
        const lower = [entry("a", 20), entry("b", 21)];
        const record = restampOf(lower, [stamp(90), stamp(91)]);
        await append(store, record);
        expect([store.get("a"), store.get("b")]).toEqual(lower);
        expect(store.outboxAfter(0, 1000)).toEqual([frameOf(1, lower)]);
        const reopened = await reopen();
        expect([reopened.get("a"), reopened.get("b")]).toEqual(lower);
        await harness.idle(reopened);
        expect([reopened.get("a"), reopened.get("b")]).toEqual(lower);
        expect(reopened.outboxAfter(0, 1000)).toEqual([frameOf(1, lower)]);
        expect(reopened.highestTime).toBe(91);
      }));

    it(`merges a restamp if the key has a newer entry, ${when}`, () =>
      withStore(harness, async (store, reopen) => {
        await append(store, local(1, [entry("newer", 50), entry("older", 51)]));
        await append(store, remote([entry("newer", 60), entry("older", 40)]));
        if (idleFirst) await harness.idle(store);
        const restamped = [entry("newer", 45), entry("older", 46)];
        await append(store, restampOf(restamped, [stamp(50), stamp(51)]));
        const expected = [entry("newer", 60), entry("older", 46)];
        expect([store.get("newer"), store.get("older")]).toEqual(expected);
        await append(store, remote([entry("older", 47)]));
        expect(store.get("older")).toEqual(entry("older", 47));
        await harness.idle(store);
        const reopened = await reopen();
        expect([reopened.get("newer"), reopened.get("older")]).toEqual([
          entry("newer", 60),
          entry("older", 47),
        ]);
      }));
  }

  it("remembers the stamps that it has taken back, and no others", () =>
    withStore(harness, async (store, reopen) => {
      await append(store, local(1, [entry("a", 90), entry("b", 10)]));
      expect(store.takenBack.isEmpty).toBe(true);
      const entries = [entry("a", 20), entry("b", 10)];
      await append(store, restampOf(entries, [stamp(90), stamp(10)], [stamp(90)]));
      for (const opened of [store, await reopen()]) {
        const found = [90, 20, 10].filter((time) => opened.takenBack.has(stamp(time)));
        expect(found).toEqual([90]);
      }
    }));
}

function describeScans<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  it("walks the keys in the order of their code points, whether folded or not", () =>
    withStore(harness, async (store) => {
      const keys = ["a", "a/b", "ab", "z", "é", "\ufffd", "😀", "😀x"];
      await append(store, remote(keys.filter((_, at) => at % 2 === 0).map((key) => entry(key, 1))));
      await harness.idle(store);
      await append(store, remote(keys.filter((_, at) => at % 2 === 1).map((key) => entry(key, 2))));
      await append(store, remote([tombstone("z", stamp(9)), entry("a", 7)]));
      expect(keys.toSorted(compareKeys)).toEqual(keys);
      for (const limit of [1, 2, 3, 8, 100]) {
        const walked: string[] = [];
        for (let after: string | null = null, pages = 0; pages < 20; pages += 1) {
          const page = store.summariesAfter(after, limit);
          expect(page.length).toBeLessThanOrEqual(limit);
          for (const { key, stamp: found } of page) {
            expect(found).toEqual(store.get(key)?.stamp);
            walked.push(key);
          }
          const last = page.at(-1);
          if (last === undefined) break;
          after = last.key;
        }
        expect(walked).toEqual(keys);
      }
    }));
}

function describeHorizon<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  it("keeps the highest horizon that it has got", () =>
    withStore(harness, async (store, reopen) => {
      expect(store.horizon).toBe(0);
      const raised = append(store, { kind: "progress", horizon: 2 ** 53 - 1 });
      expect(store.horizon).toBe(0);
      await raised;
      await append(store, { kind: "progress", horizon: 5 });
      await append(store, { kind: "progress", outboxThrough: 0 });
      expect(store.horizon).toBe(2 ** 53 - 1);
      expect((await reopen()).horizon).toBe(2 ** 53 - 1);
    }));

  it("leaves purgeable entries out of its summaries, and counts them towards no limit", () =>
    withStore(harness, async (store, reopen) => {
      const horizon = stampTimeOf(1_750_000_000_000);
      const expired = { ...entry("b", 2), expiresAtMs: 1_750_000_000_000 };
      const later = { ...entry("c", 3), expiresAtMs: 1_750_000_000_001 };
      await append(store, remote([tombstone("a", stamp(1)), expired, entry("e", 1)]));
      await harness.idle(store);
      await append(store, local(1, [later, tombstone("d", stamp(horizon + 1))]));
      const keys = (from: S, given?: number): string[] =>
        from.summariesAfter(null, 3, given).map(({ key }) => key);
      expect(keys(store)).toEqual(["a", "b", "c"]);
      expect(keys(store, horizon)).toEqual(["c", "d", "e"]);
      await append(store, { kind: "progress", horizon });
      expect(keys(store)).toEqual(["c", "d", "e"]);
      await harness.idle(store);
      const reopened = await reopen();
      expect(keys(reopened)).toEqual(["c", "d", "e"]);
      expect([reopened.get("a"), reopened.get("b")]).toEqual([undefined, undefined]);
      expect(reopened.get("e")).toEqual(entry("e", 1));
    }));

  it("reads no more keys for a page than its limit, however many are purgeable", () =>
    withStore(harness, async (store) => {
      const keys = numbered(40);
      const [folded, other] = [keys.slice(0, 20), keys.slice(20)];
      const dead = (key: string): Entry => tombstone(key, stamp(1));
      await append(store, remote([...folded.map(dead), entry("k05", 9)]));
      await harness.idle(store);
      await append(store, remote([...other.map(dead), entry("k35", 9)]));
      // At first what came last is not folded: a page then has keys of both parts.
      for (const limit of [7, 1, 4, 100]) {
        expect(pagesOf(store, keys, limit, 5)).toEqual(["k05", "k35"]);
        expect(pagesOf(store, keys, limit, 0)).toEqual(keys);
      }
    }));

  it("purges a tombstone only once everything that came before the horizon is folded", () =>
    withStore(harness, async (store) => {
      await append(store, remote([tombstone("a", stamp(5))]));
      await harness.idle(store);
      await Promise.all([
        append(store, remote([entry("a", 4)])),
        append(store, { kind: "progress", horizon: 6 }),
      ]);
      await harness.idle(store);
      expect(store.get("a")).toBeUndefined();
      expect(store.summariesAfter(null, 10)).toEqual([]);
    }));
}

function describeQuarantine<S extends ReplicaStore>(harness: StoreHarness<S>): void {
  const taken = (held: Entry, atMs: number): ReplicaRecord => ({
    ...remote([burial(held.key, held.stamp.time)]),
    quarantined: { entries: [held], atMs },
  });

  it("keeps an entry that a burial replaces, byte for byte, under an id that is never used again", () =>
    withStore(harness, async (store, reopen) => {
      const odd = { ...attributed(entry("\u0000 🔑", 3, 9)), expiresAtMs: 1_900_000_000_123 };
      await append(store, local(1, [odd, entry("b", 4)]));
      const record = append(store, taken(odd, 77));
      expect([store.quarantined, store.quarantinedAfter(0, 10)]).toEqual([0, []]);
      await record;
      await append(store, taken(entry("b", 4), 78));
      const expected = [
        { id: 1, entry: odd, atMs: 77 },
        { id: 2, entry: entry("b", 4), atMs: 78 },
      ];
      expect(store.quarantined).toBe(2);
      expect(store.quarantinedAfter(0, 10)).toEqual(expected);
      expect(store.quarantinedAfter(0, 1)).toEqual(expected.slice(0, 1));
      expect(store.quarantinedAfter(1, 10)).toEqual(expected.slice(1));
      expect(store.get("b")).toEqual(burial("b", 4));
      await append(store, { kind: "release", ids: [2, 9] });
      expect(store.quarantinedEntry(2)).toBeUndefined();
      await harness.idle(store);
      const reopened = await reopen();
      expect(reopened.quarantined).toBe(1);
      expect(reopened.quarantinedEntry(1)).toEqual(expected[0]);
      await append(reopened, taken(entry("c", 5), 79));
      expect(reopened.quarantinedAfter(1, 10)).toEqual([{ id: 3, entry: entry("c", 5), atMs: 79 }]);
    }));

  it("releases a quarantined entry together with the write that replays it", () =>
    withStore(harness, async (store, reopen) => {
      await append(store, taken(entry("a", 3), 77));
      const written = append(store, { ...local(1, [entry("a", 9)]), released: [1] });
      expect(store.quarantined).toBe(1);
      await written;
      expect(store.quarantined).toBe(0);
      const reopened = await reopen();
      expect([reopened.quarantined, reopened.get("a")]).toEqual([0, entry("a", 9)]);
    }));
}

function describeHistories<S extends ReplicaStore>(harness: StoreHarness<S>, runs: number): void {
  it("has what the model has after any history of records, folds and crashes", async () => {
    const checked = fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 40 }), async (steps) => {
        names += 1;
        const history = new ReplicaHistory(harness, `history-${names}`);
        await history.start();
        try {
          for (const each of steps) await history.take(each);
          await history.take({ do: "idle" });
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
