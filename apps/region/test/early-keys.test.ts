/** Keys of which a region has something that is not ordered yet, among those that its store lists. */
import type { Entry } from "@meridian/protocol";
import { expect, it } from "vitest";

import { withEarly } from "../src/service/early-keys.ts";
import type { KeyPage, ListedKey } from "../src/service/key-listing.ts";

const NOW = Date.UTC(2026, 0, 1);

function entry(key: string, time: number, more: Partial<Entry> = {}): Entry {
  const value = new Uint8Array(time);
  return {
    key,
    value,
    contentType: "",
    stamp: { time, origin: 1 },
    expiresAtMs: 0,
    deleted: false,
    ...more,
  };
}

const row = ({ key, contentType, stamp, expiresAtMs, value }: Entry): ListedKey => ({
  key,
  contentType,
  stamp,
  expiresAtMs,
  bytes: value.byteLength,
});

/** What is listed of a page of the store, and of entries that came early. */
function list(
  stored: readonly Entry[],
  early: readonly Entry[],
  {
    next = null,
    limit = 10,
    ...more
  }: { next?: string | null; limit?: number; after?: string } = {},
): KeyPage {
  const newest = new Map([...stored, ...early].map((each) => [each.key, each]));
  const source = withEarly(
    { list: () => ({ entries: stored.map(row), next }) },
    {
      get: (key) => newest.get(key),
      early: { isEmpty: early.length === 0, keys: early.map(({ key }) => key) },
    },
  );
  return source.list({ prefix: "p", from: "\u0001", limit, liveAtMs: NOW, ...more });
}

it("new keys stand in their place, newer entries in that of older ones, and deleted keys are not there", () => {
  const stored = [entry("pa", 1), entry("pc", 1), entry("pd", 1)];
  const early = [entry("pb", 2), entry("pc", 2), entry("pd", 2, { deleted: true }), entry("q", 2)];
  expect(list(stored, early)).toEqual({
    entries: [entry("pa", 1), entry("pb", 2), entry("pc", 2)].map(row),
    next: null,
  });
  expect(list(stored, [])).toEqual({ entries: stored.map(row), next: null });
});

it("a page has as many keys as were asked for, and goes on behind the last of them", () => {
  const stored = [entry("pa", 1), entry("pc", 1)];
  expect(list(stored, [entry("pb", 2), entry("px", 2)], { limit: 2, next: "pc" })).toEqual({
    entries: [entry("pa", 1), entry("pb", 2)].map(row),
    next: "pb",
  });
});

it("keys before the page, and behind it while there are more, are those of other pages", () => {
  const early = [entry("pa", 2), entry("pz", 2)];
  const page = list([entry("pc", 1)], early, { after: "pb", next: "pc" });
  expect(page).toEqual({ entries: [row(entry("pc", 1))], next: "pc" });
  expect(list([], [entry("pz", 2, { expiresAtMs: NOW })])).toEqual({ entries: [], next: null });
});
