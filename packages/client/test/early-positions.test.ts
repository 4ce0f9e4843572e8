/** Positions that name what a node has of its neighbours before the log has it. */
import { formatPosition, parsePosition, type OutboxPlace, type Position } from "@meridian/protocol";
import { expect, test } from "vitest";

import { Session } from "../src/session.ts";

const place = (incarnation: number, outboxPosition: number): OutboxPlace => ({
  incarnation,
  outboxPosition,
});

const at = (sequence: number, ...early: readonly OutboxPlace[]): string => {
  const plain = { logId: 1, epoch: 1, sequence, incarnation: 0, outboxPosition: 0 };
  return formatPosition(early.length === 0 ? plain : { ...plain, early });
};

const presented = (session: Session): readonly Position[] =>
  session.toPresent("other").map(({ token }) => parsePosition(token));

test("what was seen early is asked of other nodes, and of the node's later answers only what they name", () => {
  const session = new Session();
  session.note("near", at(5, place(9, 1)), []);
  expect(presented(session)).toMatchObject([{ sequence: 5, early: [place(9, 1)] }]);
  session.note("near", at(6, place(9, 2)), []);
  session.note("near", at(5, place(8, 7)), []);
  expect(presented(session)).toMatchObject([{ sequence: 6, early: [place(9, 2)] }]);
  session.note("near", at(7), []);
  expect(presented(session)).toEqual([parsePosition(at(7))]);
});

test("of answers at one sequence, all that either names is asked, and no more than a token holds", () => {
  const session = new Session();
  session.note("near", at(5, place(9, 1), place(8, 4)), []);
  session.note("near", at(5, place(9, 3)), []);
  expect(presented(session)).toMatchObject([{ early: [place(8, 4), place(9, 3)] }]);
  for (let outbox = 20; outbox < 60; outbox += 1) session.note("near", at(5, place(outbox, 1)), []);
  expect(presented(session)[0]?.early).toHaveLength(16);
});

test("an answer of the same node at the same sequence does not show that it had what was seen early", () => {
  const session = new Session();
  session.note("near", at(5, place(9, 2)), []);
  const covers = (token: string): boolean => session.isCoveredBy("near", parsePosition(token));
  expect([covers(at(5)), covers(at(5, place(9, 1))), covers(at(5, place(8, 2)))]).toEqual([
    false,
    false,
    false,
  ]);
  expect([covers(at(6)), covers(at(5, place(9, 2)))]).toEqual([true, true]);
});

test("another node that has reached it has it: nothing more is asked for the first one", () => {
  const session = new Session();
  session.note("near", at(5, place(9, 1)), []);
  session.note("other", at(6), session.toPresent("other"));
  expect(session.isAllOf("other")).toBe(true);
});
