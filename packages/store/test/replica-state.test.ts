import { describe, expect, it } from "vitest";

import { applyRecord, type ReplicaFacts } from "../src/replica-state.ts";
import type { ReplicaWrite } from "../src/writer-messages.ts";

const cursor = { logId: 7, epoch: 1, sequence: 40 };
const facts: ReplicaFacts = {
  incarnation: 5,
  cursor,
  others: [],
  outboxThrough: 10,
  outboxAcknowledged: 4,
  highestTime: 1_000,
  journalThrough: 20,
  horizon: 300,
  quarantineThrough: 2,
};

type Entries = Extract<ReplicaWrite, { kind: "entries" }>;

const entries = (given: Partial<Entries>): Entries => ({
  kind: "entries",
  id: 21,
  count: 1,
  highestTime: 900,
  block: new Uint8Array(1),
  claim: "set",
  outboxPosition: 0,
  replaced: null,
  takenBack: null,
  cursor: null,
  run: null,
  quarantined: null,
  released: [],
  ...given,
});

const progress = (given: Partial<Extract<ReplicaWrite, { kind: "progress" }>>): ReplicaWrite => ({
  kind: "progress",
  cursor: null,
  others: null,
  outboxThrough: 0,
  horizon: 0,
  ...given,
});

const moved = { ...cursor, sequence: 41 };
const quarantined = { atMs: 1, count: 3, block: new Uint8Array() };

describe("the facts of a store after a record", () => {
  it.each<[string, ReplicaWrite, Partial<ReplicaFacts>]>([
    ["an own write", entries({ outboxPosition: 11 }), { outboxThrough: 11, journalThrough: 21 }],
    [
      "a restamp",
      entries({ outboxPosition: 8, highestTime: 2_000 }),
      { highestTime: 2_000, journalThrough: 21 },
    ],
    ["others' entries", entries({ cursor: moved }), { cursor: moved, journalThrough: 21 }],
    ["a frame without entries", entries({ id: 0, count: 0, cursor: moved }), { cursor: moved }],
    ["quarantined entries", entries({ id: 0, quarantined }), { quarantineThrough: 5 }],
    ["an acknowledgement", progress({ outboxThrough: 9 }), { outboxAcknowledged: 9 }],
    ["one of what was never sent", progress({ outboxThrough: 12 }), { outboxAcknowledged: 10 }],
    ["an old one", progress({ outboxThrough: 3 }), {}],
    ["a horizon", progress({ horizon: 400 }), { horizon: 400 }],
    ["an old horizon", progress({ horizon: 200 }), {}],
    ["cursors in other logs", progress({ others: [moved] }), { others: [moved] }],
    ["a new incarnation", { kind: "adopt", incarnation: 6 }, { incarnation: 6 }],
    ["a release", { kind: "release", ids: [1] }, {}],
  ])("%s", (_, write, changed) => {
    const before = structuredClone(facts);
    expect(applyRecord(facts, write)).toEqual({ ...facts, ...changed });
    expect(facts).toEqual(before);
  });
});
