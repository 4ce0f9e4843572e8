import { describe, expect, it } from "vitest";

import type { Stamp } from "@meridian/protocol";

import { Ledger, type Attempt } from "../src/ledger.ts";

const NOW = 1_000_000;

/** A ledger in which writes of the key `k` have come about, and its last promise. */
function ledgerOf(
  ...writes: readonly (readonly [Attempt["kind"], Attempt["outcome"], ttlMs?: number])[]
): {
  readonly ledger: Ledger;
  readonly judge: (got?: number, nowMs?: number) => string | undefined;
} {
  const ledger = new Ledger();
  for (const [kind, outcome, ttlMs = 0] of writes) {
    const attempt = ledger.attempt("k", kind, ttlMs, NOW);
    if (outcome === "acknowledged") {
      ledger.acknowledge(attempt, { expiresAtMs: ttlMs === 0 ? 0 : NOW + ttlMs });
    } else attempt.outcome = outcome;
  }
  const judge = (got?: number, nowMs = NOW): string | undefined =>
    ledger.broken("k", got === undefined ? got : { number: got }, ledger.floor("k"), nowMs);
  return { ledger, judge };
}

describe("a ledger of keys with one writer", () => {
  it("takes the last acknowledged write, and nothing before it", () => {
    const { judge } = ledgerOf(["set", "acknowledged"], ["set", "acknowledged"]);
    expect(judge(1)).toBeUndefined();
    expect(judge(0)).toBe("k: write 0 is there again after write 1");
    expect(judge(undefined)).toBe("k: write 1 is gone");
    expect(judge(7)).toBe("k holds what nobody wrote");
  });

  it("takes no deleted value back", () => {
    const { judge } = ledgerOf(["set", "acknowledged"], ["delete", "acknowledged"]);
    expect(judge(undefined)).toBeUndefined();
    expect(judge(0)).toBe("k was deleted, and write 0 is there again after write 1");
  });

  it("takes a write of which nobody knows what became of it as done or not, now or later", () => {
    const { judge } = ledgerOf(["set", "unknown"], ["set", "acknowledged"], ["delete", "unknown"]);
    for (const got of [0, 1, undefined]) expect(judge(got)).toBeUndefined();
  });

  it("takes a refused write for one that was never made", () => {
    const { judge } = ledgerOf(["set", "acknowledged"], ["delete", "refused"]);
    expect(judge(0)).toBeUndefined();
    expect(judge(undefined)).toBe("k: write 0 is gone");
    expect(ledgerOf(["set", "refused"]).judge(0)).toBe("k holds write 0, which was refused");
  });

  it("takes an absence once the value may have expired, and its presence no longer then", () => {
    const { judge } = ledgerOf(["set", "acknowledged", 10_000]);
    expect(judge(undefined, NOW + 5_000)).toBe("k: write 0 is gone");
    expect(judge(undefined, NOW + 10_000)).toBeUndefined();
    expect(judge(0, NOW + 10_000)).toBeUndefined();
    expect(judge(0, NOW + 13_000)).toBe("k is served 3000 ms after it expired");
  });

  it("counts writes by what became of them", () => {
    const { ledger } = ledgerOf(
      ["set", "acknowledged"],
      ["delete", "acknowledged"],
      ["set", "refused"],
    );
    expect(ledger.count("acknowledged")).toBe(2);
    expect(ledger.count("acknowledged", "delete")).toBe(1);
    expect(ledger.count("unknown")).toBe(0);
    expect(ledger.keys).toEqual(["k"]);
  });
});

const at = (time: number): Stamp => ({ time, origin: 1 });

/** A ledger in which writes of the key `k` were acknowledged with these stamps, in this order. */
function stamped(...writes: readonly (readonly [Attempt["kind"], time: number])[]): {
  readonly ledger: Ledger;
  readonly judge: (got?: readonly [number: number, time: number]) => string | undefined;
} {
  const ledger = new Ledger("stamp");
  for (const [kind, time] of writes) {
    ledger.acknowledge(ledger.attempt("k", kind, 0, NOW), { expiresAtMs: 0, stamp: at(time) });
  }
  const judge = (got?: readonly [number: number, time: number]): string | undefined => {
    const [number = 0, time = 0] = got ?? [];
    const read = got === undefined ? undefined : { number, stamp: at(time) };
    return ledger.broken("k", read, ledger.floor("k"), NOW);
  };
  return { ledger, judge };
}

describe("a ledger of keys that many write", () => {
  it("takes the write with the newest stamp, in whatever order they were acknowledged", () => {
    const { judge } = stamped(["set", 2], ["set", 1]);
    expect(judge([0, 2])).toBeUndefined();
    expect(judge([1, 1])).toBe("k: write 1 is there again after write 0");
    expect(judge()).toBe("k: write 0 is gone");
    expect(judge([1, 2])).toBe("k: write 1 has another stamp than it was acknowledged with");
    expect(judge([0, 3])).toBe("k: write 0 has another stamp than it was acknowledged with");
  });

  it("takes no deleted value back", () => {
    const { judge } = stamped(["delete", 2], ["set", 1]);
    expect(judge()).toBeUndefined();
    expect(judge([1, 1])).toBe("k was deleted, and write 1 is there again after write 0");
  });

  it("takes a write without an answer as made or not, but never one that is older than what was acknowledged", () => {
    const { ledger, judge } = stamped(["set", 5]);
    ledger.attempt("k", "set", 0, NOW).outcome = "unknown";
    expect(judge([0, 5])).toBeUndefined();
    expect(judge([1, 6])).toBeUndefined();
    expect(judge([1, 4])).toBe("k: write 1 is there again after write 0");
    expect(judge()).toBe("k: write 0 is gone");
    ledger.attempt("k", "delete", 0, NOW).outcome = "unknown";
    expect(judge()).toBeUndefined();
  });
});
