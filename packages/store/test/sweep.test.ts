import { tombstone } from "@meridian/protocol";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { PurgePermits } from "../src/purge-permits.ts";
import { SCHEMAS } from "../src/schema.ts";
import { Sweep } from "../src/sweep.ts";

const everything = Number.MAX_SAFE_INTEGER;

const EMPTY = { horizon: 0, through: 0 };
const never = (): boolean => false;

function table(): { sweep: Sweep; insert: (time: number, expiresAtMs?: number) => void } {
  const database = new Database(":memory:");
  database.exec(SCHEMAS.directory.migrations.join(""));
  const statement = database.prepare(
    `INSERT INTO entries (key, time, origin, expires_at, deleted, sequence, content_type, value)
     VALUES (?, ?, 1, ?, ?, ?, '', x'')`,
  );
  const insert = (time: number, expiresAtMs = 0): void =>
    void statement.run(`k${time}`, time, expiresAtMs, expiresAtMs === 0 ? 1 : 0, time);
  return { sweep: new Sweep(database, "directory", 1_000), insert };
}

function walk(sweep: Sweep, scope: { horizon: number; through: number }, atMs: number): number {
  sweep.consider(scope, atMs);
  let steps = 0;
  for (; sweep.pending; steps += 1) sweep.step(scope, () => atMs, never);
  return steps;
}

describe("the walk over the table", () => {
  it("does not start while nothing can be purgeable, however far the horizon moves", () => {
    const { sweep, insert } = table();
    for (const time of [5, 10, 20]) insert(time);
    expect(walk(sweep, EMPTY, 1)).toBe(0);
    expect(walk(sweep, { horizon: 5, through: everything }, 2)).toBe(1);
    expect(walk(sweep, { horizon: 9, through: everything }, 3)).toBe(0);
    expect(walk(sweep, { horizon: 10, through: everything }, 4)).toBe(1);
    expect(walk(sweep, { horizon: 20, through: 3 }, 5)).toBe(1);
    expect(walk(sweep, { horizon: 30, through: 19 }, 6)).toBe(0);
    expect(walk(sweep, { horizon: 30, through: 20 }, 7)).toBe(1);
    expect(walk(sweep, { horizon: everything, through: everything }, 8)).toBe(0);
    sweep.expects(tombstone("new", { time: 40, origin: 1 }));
    insert(40);
    expect(walk(sweep, { horizon: 39, through: everything }, 9)).toBe(0);
    expect(walk(sweep, { horizon: 40, through: everything }, 10)).toBe(1);
  });

  it("stops when its time is over, and goes on from there", () => {
    const { sweep, insert } = table();
    for (let time = 1; time <= 100; time += 1) insert(time);
    const scope = { horizon: 1_000, through: everything };
    sweep.consider(scope, 0);
    const removed: number[] = [];
    while (sweep.pending)
      removed.push(
        sweep.step(
          scope,
          () => 0,
          () => true,
        ).through,
      );
    expect(removed.length).toBeGreaterThan(10);
    expect(removed).toEqual(removed.toSorted((a, b) => a - b));
    expect(removed.at(-1)).toBe(100);
  });

  it("removes no more than is permitted, also if the permit changes during the walk", () => {
    const { sweep, insert } = table();
    for (let time = 1; time <= 100; time += 1) insert(time);
    const scope = { horizon: 1_000, through: everything };
    sweep.consider(scope, 0);
    expect(
      sweep.step(
        scope,
        () => 0,
        () => true,
      ).through,
    ).toBeLessThan(20);
    while (sweep.pending) expect(sweep.step(EMPTY, () => 0, never).through).toBe(0);
    expect(walk(sweep, scope, 1)).toBe(1);
    expect(sweep.isDone(scope)).toBe(true);
  });
});

describe("a permit to remove", () => {
  it("takes effect once the journal is folded through its row, and is not delayed by later permits", () => {
    const permits = new PurgePermits();
    permits.give({ horizon: 10, through: 100 }, 5);
    permits.give({ horizon: 11, through: 101 }, 7);
    permits.give({ horizon: 12, through: 102 }, 9);
    permits.advance(4);
    expect(permits.inForce.horizon).toBe(0);
    permits.advance(5);
    expect(permits.inForce).toEqual({ horizon: 10, through: 100 });
    permits.advance(8);
    expect(permits.inForce).toEqual({ horizon: 10, through: 100 });
    permits.advance(9);
    expect(permits.inForce).toEqual({ horizon: 12, through: 102 });
  });

  it("narrows earlier permits at once", () => {
    const permits = new PurgePermits();
    permits.give({ horizon: 10, through: 100 }, 0);
    permits.advance(0);
    permits.give({ horizon: 20, through: 50 }, 9);
    expect(permits.inForce).toEqual({ horizon: 10, through: 50 });
    permits.give({ horizon: 20, through: 40 }, 12);
    permits.advance(9);
    expect(permits.inForce).toEqual({ horizon: 20, through: 40 });
  });
});
