/** What a client keeps of positions in two epochs of one log: their ids have no order. */
import { formatPosition, type Position } from "@meridian/protocol";
import { expect, it } from "vitest";

import { Session } from "../src/session.ts";

const at = (epoch: number, sequence: number, more: Partial<Position> = {}): Position => ({
  logId: 7,
  epoch,
  sequence,
  incarnation: 0,
  outboxPosition: 0,
  ...more,
});

/** A node answers a request that carried what had to be carried to it. */
function answer(session: Session, node: string, position: Position): void {
  session.note(node, formatPosition(position), session.toPresent(node));
}

const tokensTo = (session: Session, node: string): readonly string[] =>
  session.toPresent(node).map(({ token }) => token);

const ORDERS = [
  ["a higher id", 5, 9],
  ["a lower id", 9, 5],
] as const;

it.each(ORDERS)("goes on in the next epoch of its node, which has %s", (_, first, second) => {
  const session = new Session();
  answer(session, "a", at(first, 51, { incarnation: 3, outboxPosition: 22 }));
  for (const sequence of [49, 60]) {
    answer(session, "a", at(second, sequence));
    expect(tokensTo(session, "b")).toEqual([formatPosition(at(second, sequence))]);
  }
});

it.each(ORDERS)(
  "keeps both where a late answer is of an epoch with %s than the one that is known",
  (_, late, known) => {
    const session = new Session();
    const asked = session.toPresent("a");
    answer(session, "a", at(known, 10));
    session.note("a", formatPosition(at(late, 51)), asked);
    const [own] = tokensTo(session, "a");
    expect(new Set(tokensTo(session, "b"))).toEqual(
      new Set([formatPosition(at(late, 51)), formatPosition(at(known, 10))]),
    );
    answer(session, "a", at(known, 12));
    expect(own).toBe(formatPosition(at(late, 51)));
    expect(tokensTo(session, "b")).toEqual([formatPosition(at(known, 12))]);
  },
);

it.each(ORDERS)("covers nothing of an epoch by one that has %s", (_, seen, told) => {
  const session = new Session();
  answer(session, "a", at(seen, 5));
  expect(session.isCoveredBy("a", at(seen, 6))).toBe(true);
  expect(session.isCoveredBy("a", at(told, 6))).toBe(false);
});

it("keeps its node's own position where what two others have written is known beside it", () => {
  const session = new Session();
  const elsewhere = { logId: 8, epoch: 2 };
  // Both others are seen in the first log, and reached by a node that stands in the second one.
  for (const [node, incarnation] of [
    ["b", 3],
    ["c", 4],
  ] as const) {
    const seen = at(5, 10, { incarnation, outboxPosition: 1 });
    session.note(node, formatPosition(seen), []);
  }
  answer(session, "a", at(2, 1, elsewhere));
  expect(tokensTo(session, "a")).toEqual([formatPosition(at(2, 1, elsewhere))]);
  answer(session, "a", at(5, 20));
  const told = tokensTo(session, "d");
  expect(told).toContain(formatPosition(at(2, 1, elsewhere)));
  expect(told).toContain(formatPosition(at(5, 20, { incarnation: 3, outboxPosition: 1 })));
  expect(told).toContain(formatPosition(at(5, 10, { incarnation: 4, outboxPosition: 1 })));
});
