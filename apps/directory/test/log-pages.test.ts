import { describe, expect, it } from "vitest";

import { MeridianError, type Entry } from "@meridian/protocol";
import { digestOf } from "@meridian/replication";

import { LogPages, type PagedLog } from "../src/log-pages.ts";
import { manualClock } from "./members.ts";
import { fetchJson, FakeNode, start } from "./running.ts";

const stamp = { time: 5, origin: 6 };

/** A log of three keys, which has folded them only once it has settled. */
function logOf(failure?: MeridianError, horizon = 0): PagedLog {
  const facts = ["a", "b", "c"].map((key) => ({
    key,
    stamp,
    expiresAtMs: key === "c" ? 1 : 0,
    deleted: key !== "a",
    contentType: "text/plain",
    bytes: key === "a" ? 4 : 0,
  }));
  let folded: readonly (typeof facts)[number][] = [];
  const after = (key: string | null, limit: number): typeof facts =>
    folded.filter((each) => key === null || each.key > key).slice(0, limit);
  return {
    committedThrough: 9,
    horizonState: { horizon, frozenUntilMs: 0, marks: [] },
    settle: (done) =>
      queueMicrotask(() => {
        folded = facts;
        done(failure);
      }),
    summaryPage: (key, limit) => {
      const summaries = after(key, limit);
      return { summaries, next: summaries.length < limit ? null : (summaries.at(-1)?.key ?? null) };
    },
    factsAfter: after,
  };
}

const ALL = { after: null, through: null };

describe("parts of the log", () => {
  it("are read once everything that is committed can be", async () => {
    const pages = new LogPages(logOf(), manualClock());
    const summaries = ["a", "b"].map((key) => ({ key, stamp }));
    expect(await pages.digest({ ...ALL, limit: 2 })).toEqual({
      ...digestOf(summaries),
      next: "b",
      horizon: 0,
      sequence: 9,
    });
  });

  it("list live, deleted and expired entries for what they are", async () => {
    const pages = new LogPages(logOf(), manualClock());
    const page = await pages.entries({ ...ALL, limit: 10 });
    expect(page).toEqual({
      entries: [
        { key: "a", stamp: "5-6", state: "live", expiresAtMs: null, bytes: 4 },
        { key: "b", stamp: "5-6", state: "deleted", expiresAtMs: null, bytes: 0 },
        { key: "c", stamp: "5-6", state: "expired", expiresAtMs: 1, bytes: 0 },
      ],
      next: null,
      horizon: 0,
      sequence: 9,
    });
    const part = await pages.entries({ after: "a", through: "b", limit: 1 });
    expect(part.entries.map(({ key }) => key)).toEqual(["b"]);
    expect(part.next).toBeNull();
    expect(await pages.entries({ ...ALL, limit: 2 })).toMatchObject({ next: "b" });
  });

  it("leave out what is purgeable under the log's horizon", async () => {
    const pages = new LogPages(logOf(undefined, 5), manualClock());
    const { entries, horizon } = await pages.entries({ ...ALL, limit: 10 });
    expect([horizon, ...entries.map(({ key }) => key)]).toEqual([5, "a"]);
  });

  it("fail with the log", async () => {
    const failure = new MeridianError("STORE_FAILED", "The disk is gone");
    const pages = new LogPages(logOf(failure), manualClock());
    await expect(pages.digest({ ...ALL, limit: 1 })).rejects.toBe(failure);
    await expect(pages.entries({ ...ALL, limit: 1 })).rejects.toBe(failure);
  });
});

describe("a started directory", () => {
  it("answers digests and entries of a part of its keys, and refuses more at once than is bounded", async () => {
    const { url } = await start();
    const node = new FakeNode(url, "paris");
    await node.received("welcome");
    node.write("greeting");
    await node.received("acknowledge");
    const whole = await fetchJson(`${url}/digest`);
    expect(await fetchJson(`${url}/digest?limit=10`)).toEqual({ ...whole, horizon: 0, next: null });
    expect(await fetchJson(`${url}/digest?after=greeting`)).toMatchObject({ count: 0 });
    const { entries } = await fetchJson(`${url}/entries?through=z`);
    const listed: Partial<Entry> & { state: string } = { key: "greeting", state: "live" };
    expect(entries).toEqual([expect.objectContaining({ ...listed, bytes: 5 })]);
    const refused = [`${url}/digest?limit=65537`, `${url}/entries?limit=1001`];
    for (const path of refused) {
      expect(await fetchJson(path)).toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    expect(await fetchJson(`${url}/entries?prefix=a`)).toMatchObject({ code: "UNKNOWN_OPTION" });
    node.close();
  });
});
