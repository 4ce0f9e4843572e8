import { describe, expect, it } from "vitest";

import type { SummaryPage } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";

import { LogDigester } from "../src/log-digest.ts";

/** A log of so many keys; each reading of it moves it on by `growth`. */
class GrowingLog {
  committedThrough = 10;
  readings = 0;
  readonly #keys: number;
  readonly #growth: (reading: number) => number;
  readonly #failure: MeridianError | undefined;

  constructor(keys: number, growth: (reading: number) => number, failure?: MeridianError) {
    this.#keys = keys;
    this.#growth = growth;
    this.#failure = failure;
  }

  settle(done: (failure?: MeridianError) => void): void {
    queueMicrotask(() => done(this.#failure));
  }

  summaryPage(key: string | null, limit: number): SummaryPage {
    if (key === null) {
      this.readings += 1;
      this.committedThrough += this.#growth(this.readings);
    }
    const first = key === null ? 0 : Number(key) + 1;
    const count = Math.max(0, Math.min(limit, this.#keys - first));
    const summaries = Array.from({ length: count }, (_, index) => ({
      key: String(first + index),
      stamp: { time: 5, origin: 6 },
    }));
    return { summaries, next: count < limit ? null : (summaries.at(-1)?.key ?? null) };
  }
}

const CLOCK = { nowMs: () => 1_000 };

describe("LogDigester", () => {
  it("tells what was emptied before it had expired from what was not", async () => {
    const fingerprint = async (emptiedUntilMs?: number): Promise<string> => {
      const log = new GrowingLog(1, () => 0);
      const { summaries } = log.summaryPage(null, 1);
      const emptied = emptiedUntilMs === undefined ? {} : { emptiedUntilMs };
      log.summaryPage = () => ({
        summaries: summaries.map((each) => ({ ...each, ...emptied })),
        next: null,
      });
      return (await new LogDigester(log, CLOCK).take()).fingerprint;
    };
    expect(await fingerprint(999)).toBe(await fingerprint());
    expect(await fingerprint(1_001)).not.toBe(await fingerprint());
  });

  it("counts every key and says through which sequence", async () => {
    const digest = await new LogDigester(new GrowingLog(4_500, () => 0), CLOCK).take();
    expect(digest).toMatchObject({ count: 4_500, sequence: 10 });
  });

  it("reads again when the log has grown meanwhile", async () => {
    const log = new GrowingLog(3, (reading) => (reading <= 2 ? 5 : 0));
    expect(await new LogDigester(log, CLOCK).take()).toMatchObject({ count: 3, sequence: 20 });
    expect(log.readings).toBe(3);
  });

  it("gives up on a log that never rests rather than answer with no one moment's digest", async () => {
    const log = new GrowingLog(3, () => 1);
    await expect(new LogDigester(log, CLOCK).take()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(log.readings).toBe(5);
  });

  it("reads once for all who ask meanwhile, and anew for who asks after", async () => {
    const log = new GrowingLog(3, () => 0);
    const digester = new LogDigester(log, CLOCK);
    const [one, two] = await Promise.all([digester.take(), digester.take()]);
    expect(one).toBe(two);
    expect(log.readings).toBe(1);
    await digester.take();
    expect(log.readings).toBe(2);
  });

  it("fails with the log, and only once", async () => {
    const failure = new MeridianError("STORE_FAILED", "The disk is gone");
    const digester = new LogDigester(new GrowingLog(3, () => 0, failure), CLOCK);
    await expect(digester.take()).rejects.toBe(failure);
    await expect(digester.take()).rejects.toBe(failure);
  });
});
