import { describe, expect, it } from "vitest";

import {
  afterAnswer,
  compareStampTexts,
  groupsOf,
  leftText,
  newestOf,
  toldOf,
  wayOf,
  type AskedRegion,
  type Report,
} from "../page/pages/keys/entries.ts";

const ABSENT: Report = {
  key: "k",
  state: "absent",
  tier: null,
  nowMs: 0,
  stamp: null,
  writtenAtMs: null,
  etag: null,
  contentType: null,
  bytes: null,
  expiresAtMs: null,
  changes: null,
};
const asked = (name: string, given: Partial<Report>): AskedRegion => ({
  name,
  id: name,
  aheadMs: 0,
  report: { ...ABSENT, ...given },
});
const change = (stamp: string, atMs: number, writtenHere = false) => ({
  event: "set" as const,
  stamp,
  writtenAtMs: 1_000,
  atMs,
  writtenHere,
});

describe("a key in every region", () => {
  it("is not what a region told that is gone", () => {
    const told = new Map([["oslo", asked("oslo", { state: "live" })]]);
    const there = { name: "oslo", id: "oslo", isThere: true };
    expect(toldOf([there], told)[0]?.report?.state).toBe("live");
    const [gone] = toldOf([{ ...there, isThere: false }], told);
    expect([gone?.report, gone?.failure]).toEqual([undefined, "The region is gone."]);
    expect(toldOf([{ name: "rome", id: "rome", isThere: true }], told)).toEqual([
      { name: "rome", id: "rome", aheadMs: 0 },
    ]);
  });

  it("stays as it was told, and says so, where an answer says nothing of it, but not where there is a failure", () => {
    const first = asked("oslo", { state: "live" });
    const told = new Map([["oslo", first]]);
    const busy = { name: "oslo", id: "oslo", aheadMs: 0, failure: "overloaded", isSilent: true };
    expect(afterAnswer(told, busy).get("oslo")).toEqual({ ...first, failure: "overloaded" });
    expect(afterAnswer(told, { ...busy, isSilent: false }).get("oslo")?.report).toBeUndefined();
    expect(afterAnswer(new Map(), busy).get("oslo")?.failure).toBe("overloaded");
    const newer = asked("oslo", { state: "deleted" });
    expect(afterAnswer(told, newer).get("oslo")).toBe(newer);
  });

  it("has a newest version, by time and then by origin, whatever the length of the text", () => {
    expect(compareStampTexts("zz-1", "100-1")).toBeLessThan(0);
    expect(compareStampTexts("10-2", "10-10")).toBeLessThan(0);
    const regions = [asked("a", { stamp: "zz-1" }), asked("b", { stamp: "100-1" }), asked("c", {})];
    expect(newestOf(regions)).toBe("100-1");
    expect(newestOf([asked("c", {})])).toBe(undefined);
  });

  it("has a way as far as regions know it", () => {
    const regions = [
      asked("oslo", { stamp: "b-1", changes: [change("b-1", 1_030), change("a-1", 500)] }),
      asked("rome", { stamp: "b-1", changes: [change("b-1", 1_000, true)] }),
      asked("lima", { stamp: "b-1" }),
    ];
    expect(wayOf(regions, "b-1")).toEqual({
      writer: "rome",
      writtenAtMs: 1_000,
      arrivals: [
        { name: "rome", atMs: 1_000, isWriter: true },
        { name: "oslo", atMs: 1_030, isWriter: false },
        { name: "lima", atMs: undefined, isWriter: false },
      ],
    });
    expect(wayOf(regions, "c-1")).toBe(undefined);
    expect(wayOf(regions, undefined)).toBe(undefined);
  });

  it("counts down what is left of its life", () => {
    expect([0, 1, 61_000, 3_600_000, 90 * 86_400_000].map(leftText)).toEqual([
      "expired",
      "in 00:00:01",
      "in 00:01:01",
      "in 01:00:00",
      "in 90 days",
    ]);
  });
});

it("keys are narrowed down by beginnings that several share", () => {
  const keys = ["user:1:a", "user:1:b", "user:2:a", "x:1", "plain"];
  expect(groupsOf(keys, "")).toEqual([["user:", 3]]);
  expect(groupsOf(keys, "user:")).toEqual([["user:1:", 2]]);
  expect(groupsOf(keys, "user:1:")).toEqual([]);
});
