/** Where the newest version of a key is found: in the table of a log, in what the table lacks, and in what is not durable. */
import {
  decodeBlock,
  encodeBlock,
  stampTimeOf,
  type Entry,
  type LogFrame,
} from "@meridian/protocol";
import { ALL_RULES } from "@meridian/replication/source/rules";
import { describe, expect, it } from "vitest";

import { NewestVersions, type FrameSource } from "../src/order/newest-versions.ts";
import { assembled } from "./assembled.ts";

const START = stampTimeOf(1_767_225_600_000);

/** A log of frames of one entry each, of which the table, the disk and the memory have more or less. */
class Log implements FrameSource {
  readonly frames: LogFrame[] = [];
  mergedThrough = 0;
  committedThrough = 0;
  keptFrom = 0;
  reads = 0;

  get ordered(): number {
    return this.frames.length;
  }

  append(key: string, at: number): void {
    const stamp = { time: START + at, origin: 5 };
    const entry: Entry = {
      key,
      value: new Uint8Array(100),
      contentType: "a/b",
      stamp,
      expiresAtMs: 0,
      deleted: false,
    };
    const after = this.ordered;
    const place = { after, through: after + 1, count: 1, incarnation: 1, position: after + 1 };
    this.frames.push({ ...place, highestTime: stamp.time, block: encodeBlock([entry]) });
  }

  *framesAfter(sequence: number): Generator<ReturnType<typeof assembled>> {
    for (const frame of this.frames) {
      if (frame.through > Math.max(sequence, this.keptFrom)) yield assembled(frame);
    }
  }

  read(after: number): readonly LogFrame[] {
    this.reads += 1;
    const next = this.frames.find((frame) => frame.after === after);
    return next === undefined || next.through > this.committedThrough ? [] : [next];
  }

  get(key: string): Entry | undefined {
    const merged = this.frames.filter(({ through }) => through <= this.mergedThrough);
    const entries = merged.flatMap(({ block, count }) => decodeBlock(block, count));
    const own = entries.filter((entry) => entry.key === key);
    return own.toSorted((a, b) => b.stamp.time - a.stamp.time)[0];
  }
}

function timeOf(newest: NewestVersions, key: string): number | null | undefined {
  const version = newest.of(key);
  return version && version.stamp.time - START;
}

describe("the newest version of a key", () => {
  it("is found wherever it is, and is that of the greatest stamp", () => {
    const log = new Log();
    for (const [index, key] of ["table", "log", "memory", "unstored"].entries()) {
      log.append(key, index + 1);
    }
    log.append("log", 1);
    [log.mergedThrough, log.keptFrom, log.committedThrough] = [1, 2, 3];
    const newest = new NewestVersions(log, log, ALL_RULES);
    const keys = ["table", "log", "memory", "unstored", "none"];
    expect(keys.map((key) => timeOf(newest, key))).toEqual([1, 2, 3, 4, null]);
    const unseeing = new NewestVersions(log, log, { ...ALL_RULES, unstoredIsLookedAt: false });
    expect(keys.map((key) => timeOf(unseeing, key))).toEqual([1, 2, 3, null, null]);
  });

  it("is looked for where the last look ended", () => {
    const log = new Log();
    for (let at = 1; at <= 5; at += 1) log.append("k", at);
    [log.mergedThrough, log.keptFrom, log.committedThrough] = [0, 5, 5];
    const newest = new NewestVersions(log, log, ALL_RULES);
    expect([timeOf(newest, "k"), log.reads]).toEqual([5, 5]);
    log.append("k", 9);
    expect([timeOf(newest, "k"), log.reads]).toEqual([9, 5]);
    log.append("k", 7);
    expect(timeOf(newest, "k")).toBe(9);
  });

  it("is looked for in the table where that is ahead of the last look, and the log has lost the frames between", () => {
    const log = new Log();
    log.append("k", 1);
    [log.mergedThrough, log.committedThrough] = [1, 1];
    const newest = new NewestVersions(
      {
        get: (key) => log.get(key),
        get mergedThrough() {
          return log.mergedThrough;
        },
        read: () => [],
      },
      log,
      ALL_RULES,
    );
    expect(timeOf(newest, "k")).toBe(1);
    log.append("k", 2);
    log.append("other", 3);
    [log.mergedThrough, log.keptFrom, log.committedThrough] = [3, 3, 3];
    expect(timeOf(newest, "k")).toBe(2);
  });

  it("is not known where the log has to settle first", () => {
    const log = new Log();
    for (let at = 1; at <= 3; at += 1) log.append("k", at);
    [log.mergedThrough, log.keptFrom, log.committedThrough] = [1, 3, 3];
    const newest = new NewestVersions(
      { mergedThrough: 1, get: () => undefined, read: () => [] },
      log,
      ALL_RULES,
    );
    expect(newest.of("k")).toBeUndefined();
  });
});
