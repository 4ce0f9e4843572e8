/** The log over a stream in memory: the contract of every directory's log, and what only a log in a stream does. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { tombstone } from "@meridian/protocol";
import { directoryLogContract, ManualClock } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import type { FollowedLog, StandbyServer } from "../src/standby.ts";
import type { StreamLog } from "../src/stream-log.ts";
import {
  append,
  clock,
  entry,
  folder,
  idle,
  open,
  promised,
  serverOf,
  told,
} from "./memory-logs.ts";

directoryLogContract<StreamLog>(
  "StreamLog over a stream in memory",
  { open, close: (log) => log.close(), crash: (log) => log.abort(), idle },
  5,
);

describe("a log in a stream", () => {
  it("is the same on an empty disk, with a value of many parts", async () => {
    const first = await open("moved");
    await append(first, 0, [entry("a", 5), entry("big", 6, 1_000_000)]);
    await promised((done) => first.admit(900, done));
    await append(first, 2, [tombstone("a", { time: 8, origin: 2 })]);
    const horizonState = { horizon: 3, frozenUntilMs: 4, marks: [[1, 2]] as const };
    await promised((done) => first.saveHorizon(horizonState, done));
    const before = await told(first);
    await first.abort();
    const second = await open("moved", "moved-elsewhere");
    expect(await told(second)).toEqual(before);
    expect(second.epochs).toEqual([...first.epochs, [second.epoch, 3]]);
    await second.close();
  });

  it("has one writer: the older one fails at once, and its frames are not in the stream", async () => {
    const lost: string[] = [];
    const first = await open("fenced", "fenced-1", { onLost: () => lost.push("first") });
    await append(first, 0, [entry("a", 1)]);
    serverOf("fenced").unanswered = 1;
    const second = await open("fenced", "fenced-2");
    // Of messages that are on their way together, the condition of the second one becomes true by the other's epoch.
    const tried = [1, 2, 3].map((after) => append(first, after, [entry("b", after)]));
    const said = (await Promise.allSettled(tried)).map(({ status }) => status);
    expect([said, lost]).toEqual([["rejected", "rejected", "rejected"], ["first"]]);
    await append(second, 1, [entry("c", 3)]);
    await promised((done) => second.admit(900, done));
    const held = await told(second);
    expect([second.get("b"), second.get("c")]).toEqual([undefined, entry("c", 3)]);
    await Promise.all([first.abort(), second.close()]);
    const third = await open("fenced", "fenced-3");
    expect(await told(third)).toEqual(held);
    await third.close();
  });
});

describe("a standby", () => {
  it("does not take one request without an answer for silence, however long its opening took", async () => {
    const lost: string[] = [];
    const first = await open("silent", "silent-1", { onLost: () => lost.push("first") });
    const server = serverOf("silent");
    server.unanswered = 1;
    let aheadMs = 0;
    const ownClock = { ...clock, elapsedMs: () => clock.elapsedMs() + aheadMs };
    const opening = open("silent", "silent-2", { silenceMs: 5_000, ownClock });
    aheadMs += 8_000;
    await expect.poll(() => server.asked).toBeGreaterThan(1);
    expect(lost).toEqual([]);
    await first.close();
    await expect.poll(() => ((aheadMs += 1_000), server.writers.size)).toBe(1);
    await (await opening).close();
  });
});

describe("a directory beside the one that writes", () => {
  it("takes over at once when that one is stopped in order", async () => {
    const first = await open("orderly", "orderly-1");
    const opening = open("orderly", "orderly-2", { silenceMs: 600_000 });
    await expect.poll(() => serverOf("orderly").followed).toBe(1);
    await append(first, 0, [entry("last", 1)]);
    await first.close();
    const second = await opening;
    expect(second.committedThrough).toBe(1);
    expect(second.epoch).not.toBe(first.epoch);
    await second.close();
  });

  it("follows the stream with one consumer, and hears of each frame, until it takes over with its nodes", async () => {
    const server = serverOf("beside");
    const first = await open("beside", "beside-1");
    const heard: number[] = [];
    const ends: boolean[] = [];
    const serveBeside = async ({ state }: FollowedLog): Promise<StandbyServer> => ({
      head: state.committedThrough,
      onFrame: ({ through }) => void heard.push(through),
      end: async (isWriter) => void ends.push(isWriter),
    });
    await append(first, 0, [entry("before", 1)]);
    const opening = open("beside", "beside-2", { silenceMs: 5_000, serveBeside });
    await expect.poll(() => server.followed).toBe(1);
    for (let each = 1; each <= 30; each += 1) await append(first, each, [entry("k", each + 1)]);
    await expect.poll(() => heard.at(-1)).toBe(31);
    expect(heard).toEqual(Array.from({ length: 30 }, (_, each) => each + 2));
    expect([server.followed, ends]).toEqual([1, []]);
    const before = await told(first);
    await first.close();
    const second = await opening;
    // It admits at least what it has read.
    expect(await told(second)).toMatchObject({ ...Object(before), admittedTime: 31 });
    expect(ends).toEqual([true]);
    await second.close();
  });

  it("begins anew at once when the stream is trimmed before it has read it, and lets its nodes go", async () => {
    const server = serverOf("trimmed");
    const first = await open("trimmed", "trimmed-1");
    const ends: boolean[] = [];
    const serveBeside = async ({ state }: FollowedLog): Promise<StandbyServer> => ({
      head: state.committedThrough,
      onFrame: () => {},
      end: async (isWriter) => void ends.push(isWriter),
    });
    await append(first, 0, [entry("a", 1)]);
    const opening = open("trimmed", "trimmed-2", { silenceMs: 600_000, serveBeside });
    opening.catch(() => {});
    await expect.poll(() => server.followed).toBe(1);
    server.first = server.messages.length + 2;
    await append(first, 1, [entry("b", 2)]);
    await append(first, 2, [entry("c", 3)]);
    await expect.poll(() => ends, { timeout: 5_000 }).toEqual([false]);
    await first.abort();
    await expect(opening).rejects.toThrow("has what was before");
  });
});

describe("a directory beside the one that writes, which gets no answer from the stream", () => {
  it("serves on, for however long, lets its nodes go, and goes on with it", async () => {
    const server = serverOf("unreached");
    const first = await open("unreached", "unreached-1");
    const ends: boolean[] = [];
    const said: string[] = [];
    const serveBeside = async ({ state }: FollowedLog): Promise<StandbyServer> => ({
      head: state.committedThrough,
      onFrame: () => {},
      end: async (isWriter) => void ends.push(isWriter),
    });
    const ownClock = new ManualClock();
    const onCutOff = (): void => void said.push("away");
    const options = { silenceMs: 5_000, serveBeside, onCutOff, ownClock };
    const opening = open("unreached", "unreached-2", options);
    const pass = async (seconds: number): Promise<void> => {
      for (let step = 0; step < 4 * seconds; step += 1) {
        ownClock.advance(250);
        for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
      }
    };
    await expect.poll(() => pass(1).then(() => server.followed)).toBe(1);
    server.isDown = true;
    await pass(130);
    expect([ends, said.length]).toEqual([[], 6]);
    server.isDown = false;
    await first.abort();
    await pass(10);
    const second = await opening;
    expect(ends).toEqual([true]);
    await second.close();
  });
});

describe("a writer that gets no answer from the stream", () => {
  it.each([
    ["sends nodes away, if a directory stood by", true],
    ["keeps its nodes, if none did", false],
  ])("%s", async (what, hasStandby) => {
    const name = `cut-off-${hasStandby}`;
    const server = serverOf(name);
    const said: string[] = [];
    const ownClock = new ManualClock();
    const options = { ownClock, onCutOff: () => void said.push("away") };
    const first = await open(name, `${name}-1`, options);
    const standsBy = new Promise<void>((onStandby) => {
      if (!hasStandby) return onStandby();
      void open(name, `${name}-2`, { silenceMs: 600_000, onStandby }).then(
        (log) => log.abort(),
        String,
      );
    });
    await standsBy;
    server.isDown = true;
    for (let second = 0; second < 30; second += 1) {
      ownClock.advance(1_000);
      for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
    }
    expect(said).toEqual(hasStandby ? ["away"] : []);
    await first.abort();
  });
});

describe("a stream that is not as the database knows it", () => {
  it("that was set back is found, and goes on in a new epoch with what the stream has", async () => {
    const first = await open("restored");
    await append(first, 0, [entry("a", 1)]);
    const kept = serverOf("restored").messages.length;
    await append(first, 1, [entry("b", 2)]);
    await first.close();
    serverOf("restored").cut(kept);
    const second = await open("restored");
    expect([second.logId, second.committedThrough]).toEqual([first.logId, 1]);
    expect(second.epochs).toEqual([...first.epochs, [second.epoch, 1]]);
    expect(second.get("b")).toBeUndefined();
    expect(readdirSync(join(folder, "restored"))).toContain("directory.db.set-aside");
    await second.close();
  });

  it("that was set back and went on elsewhere is found, although it is as long as before", async () => {
    const first = await open("branched", "branched-1");
    await append(first, 0, [entry("a", 1)]);
    await append(first, 1, [entry("b", 2)]);
    await first.close();
    serverOf("branched").cut(2);
    const other = await open("branched", "branched-2");
    await append(other, 1, [entry("c", 3)]);
    await append(other, 2, [entry("d", 4)]);
    await other.close();
    const again = await open("branched", "branched-1");
    await promised((done) => again.settle(done));
    expect([again.get("b"), again.get("d")]).toEqual([undefined, entry("d", 4)]);
    await again.close();
  });

  it("that was deleted is begun anew, as another log", async () => {
    const first = await open("deleted");
    await append(first, 0, [entry("a", 1)]);
    await first.close();
    serverOf("deleted").cut(0);
    const second = await open("deleted");
    expect([second.logId === first.logId, second.committedThrough]).toEqual([false, 0]);
    await second.close();
  });

  it("of another cluster is refused", async () => {
    const log = await open("ours");
    await log.close();
    await expect(open("ours", "theirs", { cluster: "d" })).rejects.toThrow("of the cluster `d`");
  });
});

describe("a stream of which less is known than before", () => {
  it("because it was set back, and has gone on elsewhere while this one stood by, is found before it takes over", async () => {
    const server = serverOf("aside");
    const heard: number[] = [];
    const serveBeside = async ({ state }: FollowedLog): Promise<StandbyServer> => ({
      head: state.committedThrough,
      onFrame: ({ through }) => void heard.push(through),
      end: async () => {},
    });
    const first = await open("aside", "aside-1");
    await append(first, 0, [entry("a", 1)]);
    const opening = open("aside", "aside-2", { silenceMs: 600_000, serveBeside });
    await expect.poll(() => server.followed).toBe(1);
    await append(first, 1, [entry("lost", 2)]);
    await expect.poll(() => heard).toEqual([2]);
    await first.abort();
    server.cut(2);
    const other = await open("aside", "aside-3");
    for (const after of [1, 2, 3]) await append(other, after, [entry(`kept-${after}`, after + 1)]);
    const before = await told(other);
    await other.close();
    const second = await opening;
    expect(await told(second)).toMatchObject({ ...Object(before), admittedTime: 4 });
    expect(second.get("lost")).toBeUndefined();
    await second.close();
  });

  it("because a server does not know its epoch is asked again, and no database is set aside", async () => {
    const first = await open("epochless");
    await append(first, 0, [entry("a", 1)]);
    await first.close();
    serverOf("epochless").epochless = 1;
    const second = await open("epochless");
    expect([second.logId, second.committedThrough]).toEqual([first.logId, 1]);
    expect(readdirSync(join(folder, "epochless"))).not.toContain("directory.db.set-aside");
    await second.close();
  });

  it("because a server lags behind is waited for, and no database is set aside", async () => {
    const first = await open("unknowing");
    await append(first, 0, [entry("a", 1)]);
    await first.close();
    serverOf("unknowing").unknowing = 3;
    const second = await open("unknowing");
    expect([second.committedThrough, serverOf("unknowing").unknowing]).toEqual([1, 0]);
    expect(readdirSync(join(folder, "unknowing"))).not.toContain("directory.db.set-aside");
    await second.close();
  });
});
