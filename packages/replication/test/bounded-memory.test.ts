/** What is remembered is bounded: beyond that, a machine says that it does not know, and not that there is nothing. */
import { stampTimeOf, type Entry } from "@meridian/protocol";
import { DIRECTORY_LIMITS, REPLICA_LIMITS } from "@meridian/replication";
import { FollowedEntries } from "@meridian/replication/source/follow/followed-entries";
import { RecentKeys } from "@meridian/replication/source/node/recent-keys";
import { emptyLogDisk, MemoryDirectoryLog } from "@meridian/testkit";
import { expect, it } from "vitest";

/** More than either remembers, in runs of a thousand. */
const RUNS = 40;
const RUN = 1_000;

it("keys of the newest frames are known, and of older ones that they are not", () => {
  const recent = new RecentKeys(0, REPLICA_LIMITS.recentKeysMax);
  const keysOf = (run: number): string[] =>
    Array.from({ length: RUN }, (_, index) => `k${run}-${index}`);
  for (let run = 1; run <= RUNS; run += 1) recent.add(run * RUN, keysOf(run));
  expect(recent.after(0)).toBeUndefined();
  expect(recent.after(RUN)).toBeUndefined();
  expect(recent.after((RUNS - 2) * RUN)).toEqual([...keysOf(RUNS - 1), ...keysOf(RUNS)]);
});

it("what another directory has told is no news again before the log knows it, however much it is", () => {
  const commits: (() => void)[] = [];
  const log = new MemoryDirectoryLog(emptyLogDisk(7), 1, (run) => void commits.push(run));
  const followed = new FollowedEntries(log, DIRECTORY_LIMITS.followedEntriesMax);
  const time = stampTimeOf(Date.UTC(2026, 0, 1));
  const entriesOf = (run: number): Entry[] =>
    Array.from({ length: RUN }, (_, index) => ({
      key: `k${run}-${index}`,
      value: new Uint8Array(1),
      contentType: "a/b",
      stamp: { time, origin: 5 },
      expiresAtMs: 0,
      deleted: false,
    }));
  for (let run = 1; run <= RUNS; run += 1) {
    expect(followed.takeNews(entriesOf(run))).toHaveLength(RUN);
    followed.onDurable();
  }
  for (let run = 1; run <= RUNS; run += 1) {
    expect(followed.takeNews(entriesOf(run))).toHaveLength(0);
  }
});
