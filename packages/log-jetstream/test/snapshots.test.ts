/** Snapshots of a log, and its stream trimmed behind them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { openDirectoryLog } from "@meridian/store";
import { describe, expect, it } from "vitest";

import type { FollowedLog, StandbyServer } from "../src/standby.ts";
import type { StreamLog } from "../src/stream-log.ts";
import {
  append,
  entry,
  folder,
  open,
  promised,
  serverOf,
  storeOptions,
  told,
} from "./memory-logs.ts";

const SMALL = { snapshotBytes: 2_000 };

/** Appends entries until the stream has been trimmed once more. */
async function appendUntilTrimmed(log: StreamLog, stream: string): Promise<void> {
  const { first } = serverOf(stream);
  while (serverOf(stream).first === first) {
    const { committedThrough: after } = log;
    await append(log, after, [entry(`key/${after % 7}`, after + 1, 200)]);
  }
}

/** Appends entries until no snapshot could be kept. Resolves to why. */
async function appendUntilFailed(log: StreamLog): Promise<string> {
  for (;;) {
    const { committedThrough: after, snapshots } = log;
    if (snapshots.failure !== null) return snapshots.failure;
    await append(log, after, [entry(`key/${after % 7}`, after + 1, 200)]);
  }
}

describe("a stream that was trimmed behind a snapshot", () => {
  it("gives an empty disk the same log, from the snapshot and the rest of the stream", async () => {
    const first = await open("kept", "kept-1", SMALL);
    await promised((done) => first.admit(9_000, done));
    await appendUntilTrimmed(first, "kept");
    await append(first, first.committedThrough, [entry("last", first.committedThrough + 1)]);
    const before = await told(first);
    await first.close();
    const second = await open("kept", "kept-2");
    expect(await told(second)).toEqual(before);
    expect(second.epochs.slice(0, -1)).toEqual(first.epochs);
    await second.close();
  });

  it("has one snapshot, and goes on being trimmed as it grows", async () => {
    const log = await open("grown", "grown", SMALL);
    for (let each = 0; each < 3; each += 1) await appendUntilTrimmed(log, "grown");
    await log.close();
    const { first, messages } = serverOf("grown-snapshots");
    const wholes = messages.slice(first - 1).filter(({ subject }) => subject === "epoch");
    // The older snapshots go after the log is trimmed, so the last may still be on its way.
    expect(wholes.length).toBeLessThanOrEqual(2);
    expect(readdirSync(join(folder, "grown"))).not.toContain("directory.db-snapshot");
    const again = await open("grown", "grown");
    expect(again.committedThrough).toBe(log.committedThrough);
    await again.close();
  });

  it("fills a directory again that was away meanwhile, and whose database is set aside", async () => {
    const away = await open("away", "away-1");
    await append(away, 0, [entry("a", 1)]);
    await away.close();
    const other = await open("away", "away-2", SMALL);
    await promised((done) => other.admit(9_000, done));
    await appendUntilTrimmed(other, "away");
    const before = await told(other);
    await other.close();
    const back = await open("away", "away-1");
    expect(await told(back)).toEqual(before);
    expect(readdirSync(join(folder, "away-1"))).toContain("directory.db.set-aside");
    await back.close();
  });
});

describe("the standby of a stream that is trimmed", () => {
  it("takes over soon although it lagged behind the trimming when the writer was lost", async () => {
    const server = serverOf("lagging");
    const first = await open("lagging", "lagging-1", SMALL);
    await append(first, 0, [entry("a", 1)]);
    const serveBeside = async ({ state }: FollowedLog): Promise<StandbyServer> => ({
      head: state.committedThrough,
      onFrame: () => {},
      end: async () => {},
    });
    const opening = open("lagging", "lagging-2", { serveBeside });
    await expect.poll(() => server.followed).toBe(1);
    server.isSlow = true;
    await appendUntilTrimmed(first, "lagging");
    const before = await told(first);
    await first.abort();
    server.isSlow = false;
    await expect.poll(() => server.writers.size, { timeout: 5_000 }).toBe(1);
    const second = await opening;
    expect(await told(second)).toMatchObject({
      ...Object(before),
      admittedTime: second.admittedTime,
    });
    await second.close();
  });

  it("does not take over from the writer of which its database is a copy", async () => {
    const lost: string[] = [];
    const options = { ...SMALL, onLost: () => void lost.push("first") };
    const first = await open("standing", "standing-1", options);
    await appendUntilTrimmed(first, "standing");
    const { asked } = serverOf("standing");
    const opening = open("standing", "standing-2", { silenceMs: 100 });
    await expect.poll(() => serverOf("standing").asked).toBeGreaterThan(asked);
    expect([lost, existsSync(join(folder, "standing-2", "directory.db"))]).toEqual([[], true]);
    await append(first, first.committedThrough, [entry("b", first.committedThrough + 1)]);
    await first.close();
    const second = await opening;
    expect(second.committedThrough).toBe(first.committedThrough);
    await second.close();
  });
});

describe("a stream without much room", () => {
  it("is trimmed before it reaches its own limit, however large a snapshot is", async () => {
    serverOf("bounded").bytesMax = 8_000;
    const log = await open("bounded", "bounded", { snapshotBytes: 1_000_000_000 });
    await appendUntilTrimmed(log, "bounded");
    expect(serverOf("bounded").first).toBeGreaterThan(1);
    await log.close();
  });

  it("of snapshots is told, and nothing is put there that does not fit", async () => {
    serverOf("tight-snapshots").bytesMax = 5_000;
    const log = await open("tight", "tight", SMALL);
    const failure = await appendUntilFailed(log);
    expect(failure).toMatch(/Expected room for a snapshot of \d+ bytes .* got 5000 .*max_bytes/);
    expect(log.snapshots.keptAtMs).toBeNull();
    expect(serverOf("tight-snapshots").messages).toEqual([]);
    await log.close();
  });

  it("of snapshots keeps nothing of a snapshot that did not become whole", async () => {
    const server = serverOf("cut");
    const other = serverOf("cut-snapshots");
    other.room = 1;
    const log = await open("cut", "cut", SMALL);
    // So large that a snapshot has several parts.
    await append(log, 0, [entry("large", 1, 300_000)]);
    expect(await appendUntilFailed(log)).toMatch(/insufficient resources/);
    expect(other.messages.map(({ data }) => data.byteLength)).toEqual([0]);
    expect(server.first).toBe(1);
    await log.close();
    other.room = Infinity;
    const again = await open("cut", "cut", SMALL);
    await appendUntilTrimmed(again, "cut");
    expect(again.snapshots).toMatchObject({ failure: null });
    await again.close();
    const filled = await open("cut", "cut-elsewhere");
    expect(filled.committedThrough).toBe(again.committedThrough);
    await filled.close();
  });
});

describe("a directory that dies", () => {
  const cases = (["snapshots", "log"] as const).flatMap((stream) =>
    (["publish log", "publish epoch", "trim"] as const).flatMap((call) =>
      [false, true].map((isDone) => ({ stream, call, isDone })),
    ),
  );
  // Records are in the log's stream whether a snapshot is kept or not.
  const steps = cases.filter(
    ({ stream, call }) => stream === "snapshots" || call !== "publish log",
  );

  it.each(steps)(
    "at `$call` in the stream of the $stream (done: $isDone) loses nothing, on its disk or on an empty one",
    async ({ stream, call, isDone }) => {
      const name = `dies-${stream}-${call.replace(" ", "-")}-${isDone}`;
      const [server, other] = [serverOf(name), serverOf(`${name}-snapshots`)];
      const first = await open(name, `${name}-1`, SMALL);
      const isBroken = new Promise<boolean>((resolve) => {
        const onBroken = (): void => resolve(true);
        (stream === "log" ? server : other).breaksAt = { call, isDone, onBroken };
      });
      let acknowledged = 0;
      for (let isOver = false; !isOver;) {
        const next = [entry(`key/${acknowledged % 7}`, acknowledged + 1, 200)];
        const stored = append(first, acknowledged, next).then(() => {
          acknowledged += 1;
          return false;
        });
        isOver = await Promise.race([isBroken, stored]);
      }
      await first.abort();
      [server.isDown, other.isDown] = [false, false];
      server.writers.clear();
      for (const database of [`${name}-1`, `${name}-2`]) {
        const again = await open(name, database, SMALL);
        expect(again.committedThrough).toBeGreaterThanOrEqual(acknowledged);
        await appendUntilTrimmed(again, name);
        acknowledged = again.committedThrough;
        await again.close();
      }
    },
  );
});

describe("a snapshot that is whole in its stream, and was not acknowledged", () => {
  it("has all its parts, and fills an empty disk", async () => {
    const first = await open("unheard", "unheard-1", SMALL);
    await appendUntilTrimmed(first, "unheard");
    const other = serverOf("unheard-snapshots");
    const onBroken = (): void => void (other.isDown = false);
    other.breaksAt = { call: "publish epoch", isDone: true, onBroken };
    expect(await appendUntilFailed(first)).toContain("timeout");
    await first.close();
    const second = await open("unheard", "unheard-2");
    expect(second.committedThrough).toBe(first.committedThrough);
    await second.close();
  });
});

describe("a snapshot, while its stream changes", () => {
  it("takes the place of no other one if the stream is set back", async () => {
    const [server, other] = [serverOf("back"), serverOf("back-snapshots")];
    const first = await open("back", "back-1", SMALL);
    await appendUntilTrimmed(first, "back");
    const { length } = server.messages;
    other.onCall = (call) => {
      if (call === "publish log") server.cut(length);
    };
    await appendUntilFailed(first).catch(() => {});
    await first.abort();
    other.onCall = () => {};
    const second = await open("back", "back-2");
    expect(second.epochs.slice(0, -1)).toEqual(first.epochs);
    await second.close();
  });

  it("is looked for anew if another directory began the log while this one looked", async () => {
    const [server, other] = [serverOf("begun"), serverOf("begun-snapshots")];
    const first = await open("begun", "begun-1", SMALL);
    await appendUntilTrimmed(first, "begun");
    await first.close();
    const { messages, first: kept } = server;
    [server.messages, server.first] = [[], 1];
    other.onCall = (call) => {
      if (call === "newest") [server.messages, server.first] = [messages, kept];
    };
    const second = await open("begun", "begun-2");
    expect([second.logId, second.committedThrough]).toEqual([first.logId, first.committedThrough]);
    await second.close();
  });

  it("is fetched again if the stream is trimmed behind it, and the database that was set aside stays", async () => {
    const before = await open("ahead-before", "ahead-2");
    await append(before, 0, [entry("only-here", 1)]);
    await before.close();
    const [server, other] = [serverOf("ahead"), serverOf("ahead-snapshots")];
    const first = await open("ahead", "ahead-1", SMALL);
    await appendUntilTrimmed(first, "ahead");
    await first.close();
    const { first: kept } = server;
    const begin = server.messages.findLast(({ subject }) => subject === "epoch")?.sequence ?? 0;
    let isRead = false;
    other.onCall = (call) => {
      if (call === "read" && !isRead) server.first = begin;
      if (call === "newest" && isRead) server.first = kept;
      isRead ||= call === "read";
    };
    const second = await open("ahead", "ahead-2");
    expect(second.committedThrough).toBe(first.committedThrough);
    await second.close();
    const path = join(folder, "ahead-2", "directory.db.set-aside");
    const aside = await openDirectoryLog({ ...storeOptions("ahead-2"), path });
    await promised((done) => aside.settle(done));
    expect(aside.get("only-here")).toEqual(entry("only-here", 1));
    await aside.close();
  });
});

describe("a snapshot that is not as it was kept", () => {
  it("is refused, and the folder is left empty", async () => {
    const first = await open("damaged", "damaged-1", SMALL);
    await appendUntilTrimmed(first, "damaged");
    await first.close();
    for (const { subject, data } of serverOf("damaged-snapshots").messages) {
      if (subject === "log") data[0] = 1 + (data[0] ?? 0);
    }
    await expect(open("damaged", "damaged-2")).rejects.toThrow("Expected a snapshot of");
    await expect(open("damaged", "damaged-2")).rejects.toThrow("Expected a snapshot of");
  });

  it("that a server does not know yet is waited for", async () => {
    const first = await open("unknown", "unknown-1", SMALL);
    await appendUntilTrimmed(first, "unknown");
    await first.close();
    serverOf("unknown-snapshots").epochless = 3;
    const second = await open("unknown", "unknown-2");
    expect(second.committedThrough).toBe(first.committedThrough);
    await second.close();
  });

  it("that is missing makes a trimmed stream refuse an empty disk, in words", async () => {
    const first = await open("without", "without-1", SMALL);
    await appendUntilTrimmed(first, "without");
    await first.close();
    serverOf("without-snapshots").cut(0);
    await expect(open("without", "without-2")).rejects.toThrow("has what was before");
    const again = await open("without", "without-1");
    expect(again.committedThrough).toBe(first.committedThrough);
    // It keeps the snapshot that is missing, however little is written.
    await expect.poll(() => again.snapshots.keptAtMs).not.toBeNull();
    await again.close();
    const filled = await open("without", "without-2");
    expect(filled.committedThrough).toBe(first.committedThrough);
    await filled.close();
  });
});
