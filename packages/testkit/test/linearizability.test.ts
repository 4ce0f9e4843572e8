import { wrongOrder, type RegisterOperation } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

type Span = readonly [beganAt: number, endedAt?: number];

const timed = ([beganAt, endedAt = Infinity]: Span): Pick<
  RegisterOperation,
  "beganAt" | "endedAt" | "by"
> => ({
  beganAt,
  endedAt,
  by: "a client",
});
const read = (version: string | null, span: Span): RegisterOperation => ({
  kind: "read",
  version,
  ...timed(span),
});
const change =
  (isDone: boolean | undefined) =>
  (over: string | null, version: string | null, span: Span): RegisterOperation => ({
    kind: "change",
    over,
    version,
    isDone,
    ...timed(span),
  });
const [done, refused, lost] = [change(true), change(false), change(undefined)];

describe("a history that has an order", () => {
  it.each<readonly [string, readonly RegisterOperation[]]>([
    ["nothing happens", []],
    ["one after the other", [done(null, "a", [0, 1]), read("a", [2, 3]), done("a", "b", [4, 5])]],
    [
      "one winner among many that overlap",
      [refused(null, "b", [0, 9]), done(null, "a", [1, 8]), refused(null, "c", [2, 7])],
    ],
    [
      "reads that see a change before it is answered, and one that does not",
      [done(null, "a", [0, 9]), read("a", [1, 3]), read(null, [0, 2]), read("a", [4, 5])],
    ],
    [
      "a change without an answer that took effect late",
      [lost(null, "a", [0]), read(null, [1, 2]), read("a", [3, 4])],
    ],
    ["one that never did", [lost(null, "a", [0]), done(null, "b", [1, 2]), read("b", [3, 4])]],
    [
      "one that took effect, was replaced, and refused another one",
      [lost(null, "a", [0]), refused(null, "b", [1, 2]), done("a", "c", [3, 4]), read("c", [5, 6])],
    ],
    [
      "deletes, and a key that is won again",
      [
        done(null, "a", [0, 1]),
        done("a", null, [2, 5]),
        done(null, "b", [3, 6]),
        read("b", [7, 8]),
      ],
    ],
    ["touching instants", [done(null, "a", [0, 1]), read(null, [1, 2])]],
  ])("%s", (_, history) => {
    expect(wrongOrder(history)).toBeUndefined();
  });

  it("of hundreds of operations is found, unanswered ones among them", () => {
    const history: RegisterOperation[] = [];
    let version: string | null = null;
    for (let turn = 0; turn < 400; turn += 1) {
      const at = 10 * turn;
      const next: string = `v${turn}`;
      history.push(
        done(version, next, [at, at + 12]),
        refused(version, `r${turn}`, [at + 12, at + 19]),
      );
      history.push(lost("none", `l${turn}`, [at]), read(next, [at + 12, at + 15]));
      version = next;
    }
    expect(wrongOrder(history)).toBeUndefined();
  });
});

describe("a history that has none", () => {
  it.each<readonly [string, readonly RegisterOperation[]]>([
    ["two winners", [done(null, "a", [0, 5]), done(null, "b", [1, 6])]],
    [
      "two winners over one version",
      [done(null, "a", [0, 1]), done("a", "b", [2, 9]), done("a", "c", [3, 8])],
    ],
    [
      "a read of what was replaced before it began",
      [done(null, "a", [0, 1]), done("a", "b", [2, 3]), read("a", [4, 5])],
    ],
    [
      "a read of what a later read no longer has",
      [done(null, "a", [0, 9]), read("a", [1, 2]), read(null, [3, 4])],
    ],
    [
      "an unanswered change that takes effect twice",
      [lost(null, "a", [0]), done("a", null, [1, 2]), read(null, [3, 4]), done("a", "b", [5, 6])],
    ],
    ["a refusal where the condition held", [refused(null, "a", [0, 1])]],
    ["a read of what nobody wrote", [read("x", [0, 1])]],
    [
      "a refusal for what a lost change may have written, which is gone",
      [lost(null, "a", [0]), refused(null, "b", [1, 2]), read(null, [3, 4])],
    ],
    ["a lost write", [done(null, "a", [0, 1]), read(null, [2, 3])]],
  ])("%s", (_, history) => {
    expect(wrongOrder(history)).toMatch(/operations are left where the register holds/);
  });

  it("begins with what the register held", () => {
    expect(wrongOrder([read("a", [0, 1])], "a")).toBeUndefined();
    expect(wrongOrder([read(null, [0, 1])], "a")).toBeDefined();
  });
});
