import type { VerifyReport } from "@meridian/doctor";
import { describe, expect, it } from "vitest";

import { ApiProblem } from "../page/api/api-problem.ts";
import { Slots } from "../page/pages/trouble/slots.ts";
import { comparedOf, runVerify, type JsonApi } from "../page/pages/trouble/verify-run.ts";
import { sentencesOf, verdictOf } from "../page/pages/trouble/verify-words.ts";

type PartyReport = VerifyReport["parties"][number];

const PARTY: PartyReport = {
  name: "oslo",
  url: "/nodes/oslo/view",
  kind: "node",
  entries: 3,
  differing: 0,
  failure: null,
  behind: false,
};

const reportOf = (given: Partial<VerifyReport>): VerifyReport => ({
  equal: true,
  tally: { live: 2, expired: 0, deleted: 1 },
  parties: [PARTY],
  differing: 0,
  keys: [],
  ...given,
});

describe("the result of a comparison", () => {
  it.each<[string, Partial<PartyReport>, string, string | undefined]>([
    ["agrees", {}, "same", undefined],
    [
      "differs",
      { differing: 2 },
      "differs",
      "oslo holds nothing, or something older than others, under 2 keys.",
    ],
    ["did not answer", { failure: "silence" }, "unknown", "oslo could not be asked: silence"],
    [
      "is gone",
      { gone: { sinceMs: 0 }, failure: "x" },
      "unknown",
      "oslo is gone, and was not compared.",
    ],
    [
      "was behind",
      { behind: true },
      "same",
      "oslo had not caught up yet; compare again once it has.",
    ],
  ])("says of a party that it %s", (_, given, verdict, sentence) => {
    const party = { ...PARTY, ...given };
    expect(verdictOf(party)).toBe(verdict);
    expect(sentencesOf(reportOf({ parties: [party] }))[1]).toBe(sentence);
  });

  it("begins with what came out for all", () => {
    expect(sentencesOf(reportOf({}))).toEqual(["Everyone holds the same: 2 entries, 1 deleted."]);
    expect(sentencesOf(reportOf({ equal: false, differing: 1 }))[0]).toBe("1 key differs.");
    expect(sentencesOf(reportOf({ equal: false }))[0]).toBe(
      "Those who could be asked hold the same.",
    );
  });
});

const STATUS = { cluster: "shop", logId: 7, head: 2, peers: [] };
const REPLICA = { logId: 7, applied: 2, outboxThrough: 1, outboxPending: 0 };

/** An API whose parties hold these fingerprints of one entry each, by their names. */
function apiOf(fingerprints: Readonly<Record<string, string>>, refuse: (path: string) => boolean) {
  const asked: string[] = [];
  const answerTo = (path: string): unknown => {
    const [, id = ""] = /^\/nodes\/(\w+)\/view/.exec(path) ?? [];
    if (path.endsWith("/status"))
      return id === "" ? STATUS : { id, cluster: "shop", replica: REPLICA };
    const fingerprint = fingerprints[id === "" ? "directory" : id] ?? "";
    if (path.includes("/digest")) return { count: 1, fingerprint, next: null };
    const entry = { key: "k", stamp: `${fingerprint}-1`, state: "live", expiresAtMs: null };
    return { entries: [entry], next: null, horizon: 0 };
  };
  const api = {
    json: (_: string, path: string) => {
      asked.push(path);
      if (refuse(path)) return Promise.reject(new ApiProblem("OVERLOADED", 503, "busy"));
      return Promise.resolve(answerTo(path));
    },
  } as JsonApi;
  return { api, asked };
}

const COMPARED = comparedOf(
  { ...STATUS, store: { entries: 1 } } as unknown as Parameters<typeof comparedOf>[0],
  { nodes: ["oslo", "rome"].map((id) => ({ id, goneSinceMs: null })) } as unknown as Parameters<
    typeof comparedOf
  >[1],
);

describe("a comparison by a page", () => {
  it("asks all parties through the page's own origin, again where there was too much to do, and tells how far it is", async () => {
    let refusals = 1;
    const { api, asked } = apiOf({ directory: "b", oslo: "b", rome: "b" }, (path) => {
      return path.startsWith("/nodes/rome/view/digest") && refusals-- > 0;
    });
    const steps: number[] = [];
    const { signal } = new AbortController();
    const report = await runVerify(api, COMPARED, signal, (entries) => steps.push(entries));
    expect(report).toMatchObject({ equal: true, differing: 0 });
    expect(steps).toEqual([1]);
    expect(new Set(asked.map((path) => path.replace(/\?.*/, "")))).toEqual(
      new Set([
        "/status",
        "/nodes/oslo/view/status",
        "/nodes/rome/view/status",
        "/digest",
        "/nodes/oslo/view/digest",
        "/nodes/rome/view/digest",
        "/entries",
      ]),
    );
  });

  it("names the keys on which parties differ, and who holds the older version", async () => {
    const { api } = apiOf({ directory: "c", oslo: "c", rome: "b" }, () => false);
    const { signal } = new AbortController();
    const report = await runVerify(api, COMPARED, signal, () => {});
    expect(report.keys.map(({ key }) => key)).toEqual(["k"]);
    expect(report.parties.map(({ name, differing }) => [name, differing])).toEqual([
      ["directory", 0],
      ["oslo", 0],
      ["rome", 1],
    ]);
  });

  it("ends at once, with why, when it is stopped", async () => {
    const controller = new AbortController();
    const { api } = apiOf({ directory: "c", oslo: "c", rome: "b" }, (path) => {
      if (path.includes("/digest")) controller.abort(new Error("It was stopped."));
      return true;
    });
    const running = runVerify(api, COMPARED, controller.signal, () => {});
    controller.abort(new Error("It was stopped."));
    await expect(running).rejects.toThrow("It was stopped.");
  });
});

it("no more is under way at once than there are slots, and all of it comes to its turn", async () => {
  const slots = new Slots(2);
  let [now, most] = [0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, (now += 1));
    await Promise.resolve();
    now -= 1;
  };
  const failing = slots.run(() => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  await Promise.all(Array.from({ length: 9 }, () => slots.run(work)));
  expect([most, now]).toEqual([2, 0]);
});
