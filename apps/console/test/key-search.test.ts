import { describe, expect, it } from "vitest";

import { countText, findKeys, type KeyPage, type ReadKeys } from "../page/pages/keys/key-search.ts";

const ALL = Array.from({ length: 30_000 }, (_, index) => `user:${String(index).padStart(5, "0")}`);

/** Reads keys as a region does, and counts the requests. */
function readerOf(all: readonly string[]): { readonly read: ReadKeys; asked: number } {
  const reader = {
    asked: 0,
    read: async (after: string | undefined, limit: number): Promise<KeyPage> => {
      reader.asked += 1;
      const from = after === undefined ? 0 : all.indexOf(after) + 1;
      const keys = all.slice(from, from + limit).map((key) => ({ key }));
      const next = from + limit < all.length ? keys.at(-1)?.key : null;
      return { keys, next } as unknown as KeyPage;
    },
  };
  return reader;
}

const names = ({ keys }: Pick<KeyPage, "keys">): readonly string[] => keys.map(({ key }) => key);

describe("keys", () => {
  it("are read a page at a time where nothing is searched for in them", async () => {
    const reader = readerOf(ALL);
    const found = await findKeys(reader.read, { part: "" }, undefined);
    expect([names(found), found.next, reader.asked]).toEqual([ALL.slice(0, 100), "user:00099", 1]);
  });

  it("are found by what they contain, in upper and lower case, until there are enough", async () => {
    const reader = readerOf(ALL);
    const part = "R:0";
    const found = await findKeys(reader.read, { part }, undefined);
    expect([found.keys.length, found.looked, found.next]).toEqual([1_000, 1_000, "user:00999"]);
    expect(reader.asked).toBe(1);
  });

  it("are searched up to a bound, from which one goes on", async () => {
    const reader = readerOf(ALL);
    const first = await findKeys(reader.read, { part: "29999" }, undefined);
    expect([names(first), first.looked, reader.asked]).toEqual([[], 20_000, 20]);
    const second = await findKeys(reader.read, { part: "29999" }, first.next ?? undefined);
    expect([names(second), second.looked, second.next]).toEqual([["user:29999"], 10_000, null]);
  });

  it("are counted in words that say how far the search went", async () => {
    const none = { keys: [], next: null, looked: 0 };
    expect(countText(none, { prefix: "", part: "" })).toBe("There are no keys.");
    expect(countText(none, { prefix: "a", part: "" })).toBe("No key begins like that.");
    expect(countText({ ...none, looked: 7 }, { prefix: "", part: "a" })).toBe(
      "No key contains that.",
    );
    const some = await findKeys(readerOf(ALL.slice(0, 1_500)).read, { part: "0149" }, undefined);
    expect(countText(some, { prefix: "", part: "0149" })).toBe(
      "11 keys of the 1,500 that were looked at",
    );
    const part = await findKeys(readerOf(ALL).read, { part: "29999" }, undefined);
    expect(countText(part, { prefix: "", part: "29999" })).toBe(
      "No key of the first 20,000 that were looked at contains that.",
    );
    const page = await findKeys(readerOf(ALL).read, { part: "" }, undefined);
    expect(countText(page, { prefix: "", part: "" })).toBe("100 and more keys");
    expect(countText({ ...page, keys: page.keys.slice(0, 1), next: null }, PLAIN)).toBe("1 key");
  });
});

const PLAIN = { prefix: "", part: "" };
