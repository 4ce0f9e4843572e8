import { expect, it } from "vitest";

import { DirectoryRig, type TestLink } from "./rig.ts";

const LOST = { cursor: { logId: 8, epoch: 1, sequence: 2 } };
const BEAT_MS = 490;

function asks(rig: DirectoryRig, id: string, incarnation: number): TestLink {
  const link = rig.join(id, incarnation, LOST);
  link.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  return link;
}

function hasTurn(link: TestLink): boolean {
  return link.of("reconcile-begin").length > 0;
}

/** Says that the range has one entry, which the log has not. */
function compare(link: TestLink, from: string | null, to: string | null): void {
  const ranges = [{ to, count: 1, fingerprint: "0123456789abcdef" }];
  link.say({ type: "compare", nowMs: 0, id: 1, from, ranges });
}

/** Lets `ms` pass, in which all links stay alive and `each` is called with every heartbeat. */
function pass(
  rig: DirectoryRig,
  links: readonly TestLink[],
  ms: number,
  each = (): void => {},
): void {
  for (let passedMs = 0; passedMs < ms; passedMs += BEAT_MS) {
    rig.clock.advance(BEAT_MS);
    for (const link of links) if (link.closed === undefined) rig.beat(link);
    each();
    rig.commit();
  }
}

it("a node that compares the same keys again and again holds up the next for five seconds", () => {
  const rig = new DirectoryRig();
  const [stuck, next] = [asks(rig, "a", 1), asks(rig, "b", 2)];
  const links = [stuck, next];
  pass(rig, links, 4_000, () => compare(stuck, null, "k"));
  expect(hasTurn(next)).toBe(false);
  pass(rig, links, 3_000, () => compare(stuck, null, "k"));
  expect(hasTurn(next)).toBe(true);
  expect(stuck.closed).toBeUndefined();
});

it("a node that goes on is alone for thirty seconds, and is not broken off after them", () => {
  const rig = new DirectoryRig();
  const [steady, next] = [asks(rig, "a", 1), asks(rig, "b", 2)];
  const links = [steady, next];
  let walked = 0;
  const walk = (): void => {
    const key = (count: number): string => `k${String(count).padStart(6, "0")}`;
    compare(steady, walked === 0 ? null : key(walked), key(walked + 1));
    walked += 1;
  };
  pass(rig, links, 28_000, walk);
  expect(hasTurn(next)).toBe(false);
  pass(rig, links, 4_000, walk);
  expect(hasTurn(next)).toBe(true);
  pass(rig, links, 60_000, () => {
    walk();
    compare(next, null, `n${walked}`);
  });
  expect(steady.of("compared")).toHaveLength(walked);
  expect([steady.closed, next.closed]).toEqual([undefined, undefined]);
});

it("twenty nodes that stand still hold up an honest one for a hundred seconds at most", () => {
  const rig = new DirectoryRig();
  const still = Array.from({ length: 20 }, (_, index) => asks(rig, `still-${index}`, index + 1));
  const honest = asks(rig, "honest", 100);
  pass(rig, [...still, honest], 105_000);
  expect(hasTurn(honest)).toBe(true);
});

it("hundreds of newcomers that stand still hold up a member by one turn", () => {
  const rig = new DirectoryRig({ establishMs: 9_000 });
  const member = rig.join("member", 1_000, LOST);
  pass(rig, [member], 20_000);
  const still = Array.from({ length: 200 }, (_, index) => asks(rig, `still-${index}`, index + 1));
  member.say({ type: "reconcile", nowMs: 0 });
  pass(rig, [...still, member], 6_000);
  expect(hasTurn(member)).toBe(true);
  expect(still.filter(hasTurn).length).toBeLessThan(3);
});

it("a node that asks again waits behind the others", () => {
  const rig = new DirectoryRig();
  const [greedy, next] = [asks(rig, "a", 1), asks(rig, "b", 2)];
  greedy.say({ type: "reconciled", nowMs: 0 });
  greedy.say({ type: "reconcile", nowMs: 0 });
  rig.commit();
  expect([greedy.of("reconcile-begin").length, next.of("reconcile-begin").length]).toEqual([1, 1]);
});
