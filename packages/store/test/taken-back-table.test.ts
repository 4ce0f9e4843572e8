import Database from "better-sqlite3";
import { TAKEN_BACK_MAX } from "@meridian/protocol";
import { afterAll, expect, it } from "vitest";

import { SCHEMAS } from "../src/schema.ts";
import { readTakenBack, TakenBackWriter } from "../src/taken-back-table.ts";

const database = new Database(":memory:");
database.exec(SCHEMAS.replica.additions);
afterAll(() => database.close());

/** Pairs of time and origin, for the times from `first` on. */
function pairs(first: number, count: number): Float64Array {
  return Float64Array.from({ length: 2 * count }, (_, at) => (at % 2 === 0 ? first + at / 2 : 7));
}

it("a table that is full forgets the oldest stamps", () => {
  const writer = new TakenBackWriter(database);
  writer.add(pairs(1, 3));
  database.transaction(() => writer.add(pairs(4, TAKEN_BACK_MAX - 1)))();
  const rows = Number(database.prepare("SELECT count(*) FROM taken_back").pluck().get());
  expect(rows).toBe(TAKEN_BACK_MAX);
  const read = readTakenBack(database);
  const has = (time: number): boolean => read.has({ time, origin: 7 });
  expect([1, 2, 3, TAKEN_BACK_MAX + 2].map(has)).toEqual([false, false, true, true]);
});
