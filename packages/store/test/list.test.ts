import { openReplicaStore } from "@meridian/store";
import { afterAll, expect, it } from "vitest";
import { entry, outcome, remote } from "./records.ts";
import { folded, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

const keyAt = (at: number): string => `k${String(at).padStart(5, "0")}`;

it.each(["folded", "not folded"])(
  "a page over expired keys reads a bounded number of them: %s",
  async (how) => {
    const store = await openReplicaStore(folder.options(how));
    const expired = Array.from({ length: 3_000 }, (_, at) => ({
      ...entry(keyAt(at), at + 1),
      expiresAtMs: 1,
    }));
    await outcome(store, remote([...expired, entry("live", 9_999)]));
    if (how === "folded") await folded(store);
    const pages: (string | null)[] = [];
    let after: string | undefined;
    for (;;) {
      const query = { limit: 10, liveAtMs: 2, ...(after !== undefined && { after }) };
      const { entries, next } = store.list(query);
      pages.push(entries[0]?.key ?? null);
      if (next === null) break;
      after = next;
    }
    expect(pages).toEqual([null, null, null, "live"]);
    await store.close();
  },
);
