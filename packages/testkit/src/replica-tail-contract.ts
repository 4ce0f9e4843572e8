import type { ReplicaStore } from "@meridian/ports";
import type { Cursor, ReplicaRecord } from "@meridian/protocol";
import { expect, it } from "vitest";

import { append, entry, remote } from "./replica-records.ts";

type Test = (store: ReplicaStore, reopen: () => Promise<ReplicaStore>) => Promise<void>;

/** The contract tests of the keys that a store remembers after its cursor. */
export function describeTail(withStore: (test: Test) => Promise<void>): void {
  const place = (sequence: number, epoch = 3): Cursor => ({ logId: 7, epoch, sequence });
  const from = (at: Cursor, keys: readonly string[], cursor?: Cursor): ReplicaRecord => ({
    ...remote(
      keys.map((key) => entry(key, at.sequence)),
      cursor,
    ),
    place: at,
  });

  it("knows after a restart the keys of the frames after its cursor, in the order of the frames", () =>
    withStore(async (store, reopen) => {
      expect(store.tail).toEqual([]);
      await append(store, { kind: "progress", cursor: place(0) });
      await append(store, from(place(2), ["a", "b"], place(0)));
      await append(store, from(place(3), ["c"], place(2)));
      await append(store, remote([entry("donated", 9)]));
      await append(store, from(place(5), ["d", "é"], place(2)));
      store = await reopen();
      const tail = [
        { place: place(3), keys: ["c"] },
        { place: place(5), keys: ["d", "é"] },
      ];
      expect(store.tail).toEqual(tail);
      await append(store, { kind: "progress", cursor: place(3) });
      store = await reopen();
      expect(store.tail).toEqual(tail.slice(1));
      await append(store, { kind: "progress", cursor: place(5) });
      store = await reopen();
      expect(store.tail).toEqual([]);
    }));

  it("forgets these keys when the cursor moves to another log or is removed", () =>
    withStore(async (store, reopen) => {
      await append(store, { kind: "progress", cursor: place(0) });
      await append(store, from(place(2), ["a"], place(0)));
      await append(store, from(place(4, 8), ["b"]));
      await append(store, { kind: "progress", cursor: place(3, 8) });
      store = await reopen();
      expect(store.tail).toEqual([{ place: place(4, 8), keys: ["b"] }]);
      await append(store, { kind: "progress", cursor: { logId: 0, epoch: 0, sequence: 0 } });
      store = await reopen();
      expect(store.tail).toEqual([]);
    }));
}
