import type { ReplicaStore } from "@meridian/ports";
import { tombstone } from "@meridian/protocol";
import { expect, it } from "vitest";

import { markOf } from "./replica-model.ts";
import { append, entry, remote, stamp } from "./replica-records.ts";
import type { StoreHarness } from "./store-harness.ts";

/** Runs `test` on a store of its own. */
type WithStore<S> = (test: (store: S, reopen: () => Promise<S>) => Promise<void>) => Promise<void>;

/** Describes what `peek` tells. */
export function describePeek<S extends ReplicaStore>(
  harness: StoreHarness<S>,
  withStore: WithStore<S>,
): void {
  it("peeks at what it would get: durable or not, newer or older than what it had before", () =>
    withStore(async (store, reopen) => {
      const keys = ["newer", "older", "deleted", "alone", "none"];
      const mark = { deleted: false, expiresAtMs: 1_900_000_000_123 };
      await append(store, remote(["newer", "older", "deleted"].map((key) => entry(key, 5))));
      await harness.idle(store);
      const written = append(
        store,
        remote([
          { ...entry("newer", 6), expiresAtMs: mark.expiresAtMs },
          entry("older", 4),
          tombstone("deleted", stamp(6)),
          entry("alone", 1),
        ]),
      );
      const expected = [
        { key: "newer", stamp: stamp(6), ...mark },
        { key: "older", stamp: stamp(5), deleted: false, expiresAtMs: 0 },
        { key: "deleted", stamp: stamp(6), deleted: true, expiresAtMs: 0 },
        { key: "alone", stamp: stamp(1), deleted: false, expiresAtMs: 0 },
        undefined,
      ];
      const peeked = (from: S): unknown => keys.map((key) => markOf(from.peek(key)));
      expect(peeked(store)).toEqual(expected);
      await written;
      expect(peeked(store)).toEqual(expected);
      expect(keys.map((key) => markOf(store.get(key)))).toEqual(expected);
      await harness.idle(store);
      expect(peeked(store)).toEqual(expected);
      expect(peeked(await reopen())).toEqual(expected);
    }));
}
