import fc from "fast-check";
import { expect, it } from "vitest";

import type { JournalRow } from "../src/journal.ts";
import { UnfoldedRows } from "../src/unfolded-rows.ts";

const BYTES_MAX = 1_000;

function row(id: number, bytes: number): JournalRow {
  return { id, count: 1, replaced: null, block: new Uint8Array(bytes) };
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.nat(400).map((bytes) => ({ kind: "add", bytes }) as const) },
  { weight: 2, arbitrary: fc.nat(3).map((left) => ({ kind: "folded", left }) as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "forget" } as const) },
);

it("gives all rows behind one, or says that it does not know them", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const unfolded = new UnfoldedRows(0, BYTES_MAX);
      const all: JournalRow[] = [];
      for (const each of steps) {
        if (each.kind === "add") {
          all.push(row(all.length + 1, each.bytes));
          unfolded.add(all.at(-1) ?? row(0, 0));
        } else if (each.kind === "folded") unfolded.folded(all.length - each.left);
        else unfolded.forget(all.length);
        for (let id = 0; id <= all.length; id += 1) {
          expect([undefined, all.slice(id)]).toContainEqual(unfolded.rowsAfter(id));
        }
        expect(unfolded.rowsAfter(all.length)).toEqual([]);
      }
    }),
  );
});

it("knows the rows that are not folded, as long as they are few", () => {
  const unfolded = new UnfoldedRows(7, BYTES_MAX);
  for (let id = 8; id <= 12; id += 1) unfolded.add(row(id, 200));
  unfolded.folded(9);
  const ids = unfolded.rowsAfter(9)?.map(({ id }) => id);
  expect(ids).toEqual([10, 11, 12]);
  expect(unfolded.rowsAfter(8)).toBeUndefined();
  for (let id = 13; id <= 15; id += 1) unfolded.add(row(id, 200));
  expect(unfolded.rowsAfter(9)).toBeUndefined();
});
