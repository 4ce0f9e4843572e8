import { describe, expect, it } from "vitest";

import { agreementOf, type Holding } from "../page/pages/try/agreement.ts";

function holdingOf(stamp: string | null, given: Partial<Holding> = {}): Holding {
  const report = { state: stamp === null ? "absent" : "live", stamp } as Holding["report"];
  const digest = { count: 3, fingerprint: "00ff" };
  return { report, value: undefined, digest, isLinked: true, pending: 0, ...given };
}

const sideOf = (name: string, holding?: Holding) => ({ name, holding });

describe("two regions", () => {
  it("are not compared before both have said what they hold", () => {
    const left = sideOf("oslo", holdingOf("1-1"));
    expect(agreementOf(left, sideOf("rome"))).toEqual({ isSame: undefined, sentences: [] });
  });

  it("agree if version and digest are equal", () => {
    const told = agreementOf(sideOf("oslo", holdingOf("1-1")), sideOf("rome", holdingOf("1-1")));
    expect(told.isSame).toBe(true);
    expect(told.sentences).toEqual([
      "Both have the same version of the key, 1-1.",
      "The digests of everything that they hold are equal: 00ff of 3 entries.",
    ]);
    const none = agreementOf(sideOf("oslo", holdingOf(null)), sideOf("rome", holdingOf(null)));
    expect(none.sentences[0]).toBe("Neither has the key.");
  });

  it("differ in other keys although they have the same version of this one", () => {
    const other = { digest: { count: 1, fingerprint: "ab" } };
    const told = agreementOf(
      sideOf("oslo", holdingOf("1-1")),
      sideOf("rome", holdingOf("1-1", other)),
    );
    expect(told.isSame).toBe(false);
    expect(told.sentences[1]).toMatch(/differ: 00ff of 3 entries, and ab of 1 entry\.$/);
  });

  it.each([
    ["2-1", "1-9", true, /That of oslo is the newer one\. It is on its way\.$/],
    ["1-1", "1-2", false, /That of rome is the newer one\. Healed, both will have it\.$/],
    [null, "1-1", false, /That of rome/],
    ["1-1", null, false, /That of oslo/],
  ])("with the versions %s and %s are told which holds", (a, b, isLinked, sentence) => {
    const told = agreementOf(
      sideOf("oslo", holdingOf(a)),
      sideOf("rome", holdingOf(b, { isLinked })),
    );
    expect(told.isSame).toBe(false);
    expect(told.sentences[0]).toMatch(sentence);
  });
});
