/** Makes backups of a store while it is written, checks the files, and restores them. */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { asMeridianError, tombstone } from "@meridian/protocol";
import {
  lineLogger,
  seededRandom,
  silentLogger,
  systemClock,
  type Logger,
} from "@meridian/runtime";
import {
  DATABASE_NAMES,
  encodeBackupHead,
  LiveBackup,
  openDirectoryLog,
  openReplicaStore,
  restoreBackup,
  takeSnapshot,
  verifyBackup,
  type BackupFacts,
  type StoreKind,
} from "@meridian/store";
import { ManualClock } from "@meridian/testkit";
import Database from "better-sqlite3";
import { afterAll, expect, it } from "vitest";

import { entry, frame, local, outcome } from "./records.ts";
import { StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

/** Makes a backup of the database `name`, and returns its path. */
async function backupOf(name: string, kind: StoreKind): Promise<string> {
  const to = folder.file(name).replace("store.db", "copy");
  const copied = await takeSnapshot({ path: folder.file(name), kind, to }, systemClock);
  const facts = { id: "1", version: "1.2.3", takenAtMs: 1, ...copied };
  const file = `${to}.backup`;
  writeFileSync(file, Buffer.concat([encodeBackupHead(facts), readFileSync(to)]));
  return file;
}

/** Restores the backup into a folder of its own, and returns the path of the database. */
async function restored(file: string, name: string): Promise<string> {
  const into = join(folder.path, name);
  const { kind } = await restoreBackup({ file, folder: into });
  return join(into, DATABASE_NAMES[kind]);
}

it("is not restored beside the redo files of another database", async () => {
  await (await openReplicaStore(folder.options("backed"))).close();
  const file = await backupOf("backed", "replica");
  const into = join(folder.path, "backed");
  writeFileSync(`${into}/region.db-redo-b`, "left");
  await expect(restoreBackup({ file, folder: into })).rejects.toThrow("redo-b");
});

it("holds what was durable at one moment, however much is written meanwhile", async () => {
  const store = await openReplicaStore(folder.options("written"));
  let position = 0;
  const write = async (): Promise<void> => {
    position += 1;
    // The backup must have both entries of a pair, or neither.
    const pair = [entry("left", position, 3_000), entry("right", position, 3_000)];
    const filling = entry(`k${position % 500}`, position, 4_000);
    await outcome(store, local(position, [...pair, filling]));
  };
  for (let index = 0; index < 150; index += 1) await write();
  const before = position;
  let isTaken = false;
  const taken = backupOf("written", "replica").finally(() => (isTaken = true));
  while (!isTaken) await write();
  const file = await taken;
  const after = position;
  await store.close();

  const copy = await openReplicaStore({
    ...folder.options("x"),
    path: await restored(file, "of-written"),
  });
  const { outboxThrough } = copy;
  expect(outboxThrough).toBeGreaterThanOrEqual(before);
  expect(outboxThrough).toBeLessThan(after);
  expect([copy.get("left"), copy.get("right")].map((each) => each?.stamp.time)).toEqual([
    outboxThrough,
    outboxThrough,
  ]);
  expect(copy.outboxAfter(outboxThrough - 1, 1e9)).toHaveLength(1);
  await copy.close();
});

it("gives a restored node another incarnation once, and says that it is a copy", async () => {
  const store = await openReplicaStore(folder.options("node"));
  const { incarnation } = store;
  await outcome(store, local(1, [entry("kept", 1), tombstone("gone", { time: 2, origin: 1 })]));
  expect(store.isCopy).toBe(false);
  const file = await backupOf("node", "replica");
  await store.close();
  const options = { ...folder.options("x"), path: await restored(file, "of-node") };
  const copy = await openReplicaStore(options);
  expect([copy.isCopy, copy.incarnation > 0]).toEqual([true, true]);
  expect(copy.incarnation).not.toBe(incarnation);
  expect(copy.get("kept")).toEqual(entry("kept", 1));
  expect(copy.get("gone")?.deleted).toBe(true);
  const taken = copy.incarnation;
  await copy.close();
  const again = await openReplicaStore(options);
  expect([again.isCopy, again.incarnation]).toEqual([false, taken]);
  await again.close();
});

it("gives a restored directory the same log, and an epoch of its own", async () => {
  const log = await openDirectoryLog(folder.options("log"));
  await outcome(log, frame(0, [entry("a", 1), entry("b", 2)], 1));
  const file = await backupOf("log", "directory");
  await outcome(log, frame(2, [entry("c", 3)], 2));
  await log.close();
  const path = await restored(file, "of-log");
  const copy = await openDirectoryLog({ ...folder.options("y"), path });
  expect([copy.logId, copy.committedThrough]).toEqual([log.logId, 2]);
  expect(copy.epoch).not.toBe(log.epoch);
  expect(copy.epochs.at(-1)).toEqual([copy.epoch, 2]);
  await copy.close();
});

/** A logger, and what it was told. */
function heard(): { readonly logger: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const write = (line: string): void =>
    void lines.push(JSON.parse(line) as Record<string, unknown>);
  return {
    lines,
    logger: lineLogger({ clock: systemClock, level: "info", format: "json", write }),
  };
}

it.each(["replica", "directory"] as const)(
  "a restored %s says at its first start, and only then, what it was restored from",
  async (kind) => {
    const open = kind === "replica" ? openReplicaStore : openDirectoryLog;
    const name = `marked-${kind}`;
    await (await open(folder.options(name))).close();
    const file = await backupOf(name, kind);
    const { sha256 } = await verifyBackup(file);
    const into = join(folder.path, `of-${name}`);
    const path = join(into, DATABASE_NAMES[kind]);
    const restoredAt = "2026-11-29T06:00:00.000Z";
    const clock = { nowMs: () => Date.parse(restoredAt) };
    await restoreBackup({ file, folder: into, clock });
    const { lines, logger } = heard();
    for (const start of ["first", "second"]) {
      await (await open({ ...folder.options(start), path, logger })).close();
    }
    const message = "the data was restored from a backup";
    const takenAt = "1970-01-01T00:00:00.001Z";
    expect(lines.filter((line) => line["message"] === message)).toMatchObject([
      { level: "warn", file, sha256, version: "1.2.3", takenAt, restoredAt },
    ]);
    expect(existsSync(`${path}-restored`)).toBe(false);
  },
);

it("a restored database that was removed before any start leaves no word of it for the next one", async () => {
  await (await openReplicaStore(folder.options("unused"))).close();
  const path = await restored(await backupOf("unused", "replica"), "of-unused");
  expect(existsSync(`${path}-restored`)).toBe(true);
  rmSync(path);
  const { lines, logger } = heard();
  await (await openReplicaStore({ ...folder.options("new"), path, logger })).close();
  expect(lines.filter((line) => String(line["message"]).includes("restored"))).toEqual([]);
  expect(existsSync(`${path}-restored`)).toBe(false);
});

it("detects every change of a backup file, and restores nothing from a changed one", async () => {
  const store = await openReplicaStore(folder.options("flipped"));
  await outcome(store, local(1, [entry("k", 1)]));
  const file = await backupOf("flipped", "replica");
  await store.close();
  expect(await verifyBackup(file)).toMatchObject({ kind: "replica" });
  const bytes = readFileSync(file);
  const random = seededRandom(7);
  const places = [
    ...Array(150).keys(),
    ...Array.from({ length: 50 }, () => random.next() * bytes.length),
  ];
  const changed = `${file}.changed`;
  const into = join(folder.path, "of-changed");
  const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
    attempt.then(
      () => "none",
      (failure: unknown) => asMeridianError(failure).code,
    );
  const expectNothing = async (what: string): Promise<void> => {
    expect([what, await codeOf(verifyBackup(changed))]).toEqual([what, "BACKUP_DAMAGED"]);
    const restoring = restoreBackup({ file: changed, folder: into });
    expect([what, await codeOf(restoring)]).toEqual([what, "BACKUP_DAMAGED"]);
  };
  for (const place of places.map(Math.floor)) {
    const flipped = Buffer.from(bytes);
    flipped[place] = (flipped[place] ?? 0) ^ (1 << Math.floor(random.next() * 8));
    writeFileSync(changed, flipped);
    await expectNothing(`bit of byte ${place}`);
  }
  for (const length of [0, 1, 90, 300, bytes.length - 1]) {
    copyFileSync(file, changed);
    truncateSync(changed, length);
    await expectNothing(`the first ${length} bytes`);
  }
  writeFileSync(changed, Buffer.concat([bytes, Buffer.of(0)]));
  await expectNothing("a byte more");
  expect(existsSync(into)).toBe(false);
});

it("restores into no folder that has data, or that a program uses", async () => {
  const store = await openReplicaStore(folder.options("used"));
  await outcome(store, local(1, [entry("k", 1)]));
  const file = await backupOf("used", "replica");
  await store.close();
  const path = await restored(file, "of-used");
  const before = readFileSync(path);
  const again = { file, folder: join(folder.path, "of-used") };
  await expect(restoreBackup(again)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const running = await openReplicaStore({ ...folder.options("z"), path });
  await expect(restoreBackup(again)).rejects.toMatchObject({ code: "STORE_IN_USE" });
  await running.close();
  expect(readFileSync(path).length).toBeGreaterThanOrEqual(before.length);
  const newer = new Database(folder.file("used"));
  newer.pragma("user_version = 99");
  newer.close();
  await expect(backupOf("used", "replica")).rejects.toMatchObject({ code: "STORE_SCHEMA_TOO_NEW" });
  await expect(backupOf("used", "directory")).rejects.toMatchObject({ code: "STORE_WRONG_KIND" });
  expect(existsSync(folder.file("used").replace("store.db", "copy"))).toBe(false);
});

it("makes one backup of a program at a time, and drops a backup that nobody fetches", async () => {
  const store = await openReplicaStore(folder.options("live"));
  await outcome(store, local(1, [entry("k", 1, 100_000)]));
  const clock = new ManualClock();
  const backups = new LiveBackup({
    path: folder.file("live"),
    kind: "replica",
    version: "1.2.3",
    clock,
    random: seededRandom(3),
    logger: silentLogger,
  });
  const left = `${folder.file("live")}-backup`;
  expect(() => backups.report()).toThrow(expect.objectContaining({ code: "BACKUP_NOT_FOUND" }));
  const { id, state } = await backups.start();
  expect(state).toBe("copying");
  await expect(backups.start()).rejects.toMatchObject({ code: "OVERLOADED" });
  await expect(backups.read(id, 0)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
  await until(() => backups.report().state === "ready");
  const { bytes } = backups.report();
  expect((await backups.read(id, 0)).subarray(0, 15).toString()).toBe("SQLite format 3");
  expect(await backups.read(id, Number(bytes) + 5)).toHaveLength(0);
  await expect(backups.read("other", 0)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
  await expect(backups.start()).rejects.toMatchObject({ code: "OVERLOADED" });
  clock.advance(61_000);
  expect((await backups.start()).id).not.toBe(id);
  await until(() => backups.report().state === "ready");
  clock.advance(600_001);
  await until(() => !existsSync(left));
  expect(() => backups.report()).toThrow(expect.objectContaining({ code: "BACKUP_NOT_FOUND" }));
  await backups.start();
  await backups.stop();
  expect(existsSync(left)).toBe(false);
  await store.close();
});

it("begins another backup at once when nobody holds the one before any more, whether that was ready or not", async () => {
  const store = await openReplicaStore(folder.options("held"));
  await outcome(store, local(1, [entry("k", 1, 100_000)]));
  const clock = new ManualClock();
  const given = { kind: "replica", version: "1.2.3", random: seededRandom(7) } as const;
  const path = folder.file("held");
  const backups = new LiveBackup({ ...given, path, clock, logger: silentLogger });
  const ids = new Set<string>();
  for (const isReady of [true, false, true]) {
    const { id } = await backups.start();
    ids.add(id);
    const [leave, leaveToo] = [backups.hold(id), backups.hold(id)];
    if (isReady) await until(() => backups.report().state === "ready");
    leave();
    leave();
    // It may be fetched very slowly.
    if (isReady) clock.advance(61_000);
    await expect(backups.start()).rejects.toMatchObject({ code: "OVERLOADED" });
    leaveToo();
  }
  expect(ids.size).toBe(3);
  expect(() => backups.hold("other")).toThrow(
    expect.objectContaining({ code: "BACKUP_NOT_FOUND" }),
  );
  expect(() => backups.check("other")).toThrow(
    expect.objectContaining({ code: "BACKUP_NOT_FOUND" }),
  );
  await backups.stop();
  await store.close();
});

it("begins and drops backups in any order, and goes on with one that is whole", async () => {
  const store = await openReplicaStore(folder.options("restless"));
  await outcome(store, local(1, [entry("k", 1, 4e6)]));
  const path = folder.file("restless");
  const backups = new LiveBackup({
    path,
    kind: "replica",
    version: "1.2.3",
    clock: new ManualClock(),
    random: seededRandom(5),
    logger: silentLogger,
  });
  for (const isRunning of [false, false, true]) {
    const begun = backups.start();
    if (isRunning) await begun;
    // It is dropped before its thread runs, or while it copies; the next one begins without waiting for that.
    const dropped = backups.drop();
    const { id } = await backups.start();
    expect(id).not.toBe((await begun).id);
    await until(() => backups.report().state !== "copying");
    const { state, bytes, failure } = backups.report();
    expect([state, failure]).toEqual(["ready", null]);
    const read = [backups.read(id, 0), backups.read(id, Number(bytes) - 1)];
    expect((await Promise.all(read)).map((piece) => piece.byteLength)).toEqual([1_048_576, 1]);
    await Promise.all([dropped, backups.drop()]);
  }
  await backups.stop();
  expect(readdirSync(join(path, "..")).filter((name) => name.includes("-backup"))).toEqual([]);
  await store.close();
});

it("refuses crafted files with right checksums and wrong facts or pages, and leaves the folder as it was", async () => {
  const store = await openReplicaStore(folder.options("crafted"));
  for (let at = 1; at < 40; at += 1) await outcome(store, local(at, [entry(`k${at}`, at, 2_000)]));
  const good = readFileSync(await backupOf("crafted", "replica"));
  await store.close();
  const [start, end] = [good.indexOf(10), good.indexOf(10, good.indexOf(10) + 1)];
  const facts = JSON.parse(good.toString("utf8", start + 1, end)) as BackupFacts;
  const database = good.subarray(end + 1);
  const sum = (bytes: Uint8Array | string): string =>
    createHash("sha256").update(bytes).digest("hex");
  /** A backup file with the header `line` and right checksums. */
  const crafted = (line: string, pages: Uint8Array = database): Buffer =>
    Buffer.concat([Buffer.from(`meridian-backup 1 ${sum(line)}\n${line}\n`), pages]);
  const saying = (said: object, pages?: Uint8Array): Buffer =>
    crafted(JSON.stringify({ ...facts, ...said }), pages);
  const holding = (pages: Uint8Array, said: object = {}): Buffer =>
    saying({ bytes: pages.byteLength, sha256: sum(pages), ...said }, pages);
  const scribbled = Buffer.from(database);
  scribbled.fill(0x5a, 4_096, 8_192);
  const cases: Readonly<Record<string, readonly [code: string, file: Buffer]>> = {
    "no JSON": ["BACKUP_DAMAGED", crafted("{")],
    null: ["BACKUP_DAMAGED", crafted("null")],
    "a list": ["BACKUP_DAMAGED", crafted("[]")],
    "no facts": ["BACKUP_DAMAGED", crafted("{}")],
    "a later form": ["BACKUP_DAMAGED", Buffer.from("meridian-backup 12 \n\n")],
    "a later schema": ["STORE_SCHEMA_TOO_NEW", saying({ schema: 99 })],
    "another schema than its pages": ["BACKUP_DAMAGED", saying({ schema: 1 })],
    "another kind than its pages": ["STORE_WRONG_KIND", saying({ kind: "directory" })],
    "half of its pages": ["BACKUP_DAMAGED", holding(database.subarray(0, database.length / 2))],
    "pages with other content": ["BACKUP_DAMAGED", holding(scribbled)],
    "no pages but text": ["BACKUP_DAMAGED", holding(Buffer.alloc(9_000, "text"))],
    "a name with a path": ["BACKUP_DAMAGED", saying({ kind: "../../replica" })],
    "more than any file": ["BACKUP_DAMAGED", saying({ bytes: 2 ** 50 })],
  };
  for (const fact of Object.keys(facts)) {
    for (const [index, odd] of [
      null,
      -1,
      0.5,
      1e300,
      "",
      "a\u001b[2J",
      {},
      "constructor",
    ].entries()) {
      const file = saying({ [fact]: odd });
      Object.assign(cases, { [`${fact} ${index}`]: ["BACKUP_DAMAGED", file] });
    }
  }
  // These two must be accepted: a version and an id may be any short word.
  for (const fine of ["id 7", "version 7"]) Reflect.deleteProperty(cases, fine);
  const file = join(folder.path, "crafted.backup");
  const into = join(folder.path, "deep", "of-crafted");
  const seen: Record<string, unknown> = {};
  for (const [what, [, bytes]] of Object.entries(cases)) {
    writeFileSync(file, bytes);
    const restoring = restoreBackup({ file, folder: into });
    seen[what] = await restoring.then(
      () => "none",
      (failure: unknown) => asMeridianError(failure).code,
    );
    expect([what, existsSync(join(folder.path, "deep"))]).toEqual([what, false]);
  }
  const expected = Object.entries(cases).map(([what, [code]]) => [what, code]);
  expect(seen).toEqual(Object.fromEntries(expected));
});

it("is restored after an attempt that was killed, whatever files that attempt has left", async () => {
  const store = await openReplicaStore(folder.options("killed"));
  await outcome(store, local(1, [entry("k", 1)]));
  const copy = folder.file("killed").replace("store.db", "copy");
  for (const end of ["", "-journal", "-wal"]) writeFileSync(`${copy}${end}`, "left by another");
  const file = await backupOf("killed", "replica");
  await store.close();
  const into = join(folder.path, "of-killed");
  mkdirSync(into);
  for (const end of ["", "-journal", "-wal"]) {
    writeFileSync(join(into, `${DATABASE_NAMES.replica}-restoring${end}`), "left by another");
  }
  const path = await restored(file, "of-killed");
  const again = await openReplicaStore({ ...folder.options("x"), path });
  expect(again.get("k")).toEqual(entry("k", 1));
  await again.close();
  expect(readdirSync(into).filter((name) => name.includes("restoring"))).toEqual([]);
});
