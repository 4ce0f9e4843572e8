import { describe, expect, it } from "vitest";

import { amountText } from "../page/pages/region/amounts.ts";
import { chartsOf } from "../page/pages/region/charts.ts";
import { extentOf, historyAfter, shareOf, type KeptHistory } from "../page/pages/region/history.ts";

const event = (name: string, data: object) => ({ name, data: JSON.stringify(data) });
const FIRST: KeptHistory = {
  everyMs: 10_000,
  atMs: [1, 2],
  lines: { lagMs: [5, null] },
};

describe("the history of a program", () => {
  it("goes on point by point, and never has more than an hour", () => {
    let history = historyAfter(undefined, event("point", { atMs: 1, values: {} }));
    expect(history).toBe(undefined);
    history = historyAfter(history, event("history", FIRST));
    history = historyAfter(history, event("point", { atMs: 3, values: { lagMs: 7, other: 1 } }));
    expect(history).toEqual({ everyMs: 10_000, atMs: [1, 2, 3], lines: { lagMs: [5, null, 7] } });
    for (let atMs = 4; atMs < 400; atMs += 1) {
      history = historyAfter(history, event("point", { atMs, values: { lagMs: atMs } }));
    }
    expect([history?.atMs.length, history?.lines["lagMs"]?.length]).toEqual([360, 360]);
    expect(historyAfter(history, event("problem", {}))).toBe(history);
  });

  it("has an extent of what is known", () => {
    expect(extentOf([3, null, 1])).toEqual({ now: 1, lowest: 1, highest: 3 });
    expect(extentOf([null])).toEqual({ now: null, lowest: null, highest: null });
  });

  it("tells hits as shares of all reads, and of none where nothing was read", () => {
    expect(
      shareOf(
        [[3, 0, null]],
        [
          [3, 0, null],
          [1, 0, null],
        ],
      ),
    ).toEqual([75, null, null]);
  });

  it("has charts for what its program tells", () => {
    expect(chartsOf(FIRST).map(({ title }) => title)).toEqual([]);
    const region = { ...FIRST, lines: { writesPerSecond: [1], memoryReadsPerSecond: [1] } };
    expect(chartsOf(region).map(({ title }) => title)).toEqual(["Reads", "Hits", "Writes"]);
  });
});

it("amounts are for people", () => {
  expect(amountText(null, "rate")).toBe("–");
  expect(amountText(1_234, "rate")).toBe("1.23 k/s");
  expect(amountText(0.126, "ms")).toBe("0.13 ms");
  expect(amountText(61_000, "ms")).toBe("1.02 min");
  expect(amountText(5_120_000_000, "bytes")).toBe("5.12 GB");
  expect(amountText(99.95, "percent")).toBe("100.0 %");
});
