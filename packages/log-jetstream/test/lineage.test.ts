import { describe, expect, it } from "vitest";

import { Lineage, messageId, parseMessageId } from "../src/lineage.ts";

/** Which of these ids count, from the start of a stream or behind the id `last`. */
function counted(ids: readonly string[], last?: string): readonly string[] {
  const lineage = new Lineage(last);
  return ids.filter((id) => lineage.counts({ subject: id.includes("-0-") ? "epoch" : "log", id }));
}

describe("a message of the stream", () => {
  it("counts if it is the next one of the epoch that began last", () => {
    expect(counted(["a-0-1", "a-1-2", "a-2-3", "b-0-4", "b-1-5"])).toHaveLength(5);
  });

  it("does not count behind the begin of another epoch", () => {
    expect(counted(["a-0-1", "a-1-2", "b-0-3", "a-3-4", "b-1-5"])).toEqual([
      "a-0-1",
      "a-1-2",
      "b-0-3",
      "b-1-5",
    ]);
  });

  it("does not count before the one that its writer sent before it, nor a second time", () => {
    expect(counted(["a-0-1", "a-2-2", "a-1-3", "a-2-4", "a-1-5"])).toEqual([
      "a-0-1",
      "a-1-3",
      "a-2-4",
    ]);
  });

  it("does not count if no directory has written it, or no epoch has begun", () => {
    expect(counted(["a-1-1", "", "hello", "a-0-2x"])).toEqual([]);
  });

  it("counts behind the last one that did", () => {
    expect(counted(["a-4-9", "a-3-10", "a-5-11"], "a-3-8")).toEqual(["a-4-9", "a-5-11"]);
  });

  it("counts if it says the begin of its epoch again, as the next one", () => {
    const lineage = new Lineage("a-3-8");
    const again = (id: string): boolean => lineage.counts({ subject: "epoch", id });
    expect([again("a-5-9"), again("b-4-9"), again("a-4-9"), again("a-4-9")]).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  it("has an id that tells its epoch, number and place", () => {
    const id = { epoch: 2 ** 48 - 1, number: 7, sequence: 2 ** 52 };
    expect(parseMessageId(messageId(id))).toEqual(id);
  });
});
