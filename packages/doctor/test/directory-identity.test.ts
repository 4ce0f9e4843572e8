import { describe, expect, it } from "vitest";

import { identityOf, namedBy } from "../src/directory-identity.ts";

const standing = (logId: number, url: string | null, beside: readonly string[] = []) => ({
  logId,
  url,
  peers: [
    { name: "http://peer/", logId: 8 },
    { name: "http://silent", logId: 0 },
  ],
  beside: beside.map((each) => ({ url: each })),
});

describe("which directory it is", () => {
  it("is told by its log, and over one stream by its URL", () => {
    const one = standing(7, "http://one");
    expect(identityOf(one)).toBe(identityOf(standing(7, "http://one/")));
    expect(identityOf(one)).not.toBe(identityOf(standing(7, "http://two")));
    expect(identityOf(one)).not.toBe(identityOf(standing(8, "http://one")));
    expect(identityOf(standing(7, null))).toBe(identityOf({ logId: 7 }));
  });

  it("names those that it follows and those beside it, but for those that are known", () => {
    const one = standing(7, "http://one", ["http://two/", "http://three"]);
    const others = ["http://peer", "http://silent", "http://two", "http://three"];
    expect(namedBy(one, new Set([identityOf(one)]))).toEqual(others);
    const known = [one, standing(7, "http://two"), standing(8, "http://other-name")];
    expect(namedBy(one, new Set(known.map(identityOf)))).toEqual(["http://silent", "http://three"]);
  });
});
