import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { openDirectoryLog, openReplicaStore } from "@meridian/store";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { SCHEMAS, type StoreKind } from "../src/schema.ts";
import { entry, local, outcome } from "./records.ts";
import { folded, purged, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

async function created(name: string, entries = 1): Promise<string> {
  const store = await openReplicaStore(folder.options(name));
  for (let at = 1; at <= entries; at += 1) {
    await outcome(store, local(at, [entry(`key-${at}`, at, 3_000)]));
  }
  await folded(store);
  await store.close();
  return folder.file(name);
}

it("writes nothing into the database of a region that exists: there may be no room", async () => {
  const first = await openReplicaStore(folder.options("left", { redo: false }));
  await outcome(first, local(1, [entry("a", 1)]));
  // As a killed program leaves the files.
  cpSync(dirname(folder.file("left")), dirname(folder.file("copy")), { recursive: true });
  await first.close();
  const path = folder.file("copy");
  const contents = (): Buffer[] => [path, `${path}-wal`].map((file) => readFileSync(file));
  const before = contents();
  expect(before[1]?.byteLength).toBeGreaterThan(0);
  // The writer folds once it has its first turn.
  const second = await openReplicaStore(folder.options("copy", { dieAtStep: 1, redo: false }));
  expect(contents()).toEqual(before);
  expect(second.get("a")).toEqual(entry("a", 1));
  await second.abort();
});

describe("opening a store", () => {
  it("creates missing folders of the path", async () => {
    const store = await openReplicaStore(folder.options("deep/er"));
    expect(existsSync(folder.file("deep/er"))).toBe(true);
    await store.close();
  });

  it("refuses a database that is open, in this process or another, until it is closed", async () => {
    const first = await openReplicaStore(folder.options("twice"));
    await expect(openReplicaStore(folder.options("twice"))).rejects.toMatchObject({
      code: "STORE_IN_USE",
    });
    expect(await outcome(first, local(1, [entry("a", 1)]))).toBeUndefined();
    await first.close();
    const second = await openReplicaStore(folder.options("twice"));
    expect(second.get("a")).toEqual(entry("a", 1));
    await second.close();
  });

  it("refuses the database of the other kind, and of another program", async () => {
    await created("replica");
    await expect(openDirectoryLog(folder.options("replica"))).rejects.toMatchObject({
      code: "STORE_WRONG_KIND",
    });
    const foreign = new Database(`${folder.path}/foreign.db`);
    foreign.exec("CREATE TABLE theirs (id INTEGER)");
    foreign.close();
    const before = readFileSync(`${folder.path}/foreign.db`);
    const options = { ...folder.options("x"), path: `${folder.path}/foreign.db` };
    await expect(openReplicaStore(options)).rejects.toMatchObject({ code: "STORE_WRONG_KIND" });
    expect(readFileSync(`${folder.path}/foreign.db`)).toEqual(before);
  });

  it("refuses a newer schema and leaves the file as it is", async () => {
    const path = await created("newer");
    const database = new Database(path);
    database.pragma("user_version = 99");
    database.close();
    const before = readFileSync(path);
    await expect(openReplicaStore(folder.options("newer"))).rejects.toMatchObject({
      code: "STORE_SCHEMA_TOO_NEW",
      retryable: false,
    });
    expect(readFileSync(path)).toEqual(before);
  });

  it("refuses a file that is no database, or a damaged one", async () => {
    const path = await created("noise");
    writeFileSync(path, "This is not a database, but long enough to be taken for one.".repeat(100));
    await expect(openReplicaStore(folder.options("noise"))).rejects.toMatchObject({
      code: "STORE_CORRUPT",
    });
    const cut = await created("cut", 20);
    truncateSync(cut, Math.floor(statSync(cut).size / 8192) * 4096);
    const reads = openReplicaStore(folder.options("cut")).then(async (store) => {
      try {
        for (let at = 1; at <= 20; at += 1) store.get(`key-${at}`);
      } finally {
        await store.close();
      }
    });
    await expect(reads).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  });

  it("refuses a journal row whose bytes are not entries", async () => {
    const path = await created("row");
    const database = new Database(path);
    database.exec(`INSERT INTO journal (id, count, highest_time, block) VALUES (9, 3, 1, x'0102')`);
    database.exec(`UPDATE state SET journal_through = 9`);
    database.close();
    await expect(openReplicaStore(folder.options("row"))).rejects.toMatchObject({
      code: "STORE_CORRUPT",
    });
  });
});

/** Creates a database with the first version of the schema. */
function firstSchema(name: string, kind: StoreKind, fill: string): void {
  const { applicationId, migrations } = SCHEMAS[kind];
  mkdirSync(dirname(folder.file(name)), { recursive: true });
  const database = new Database(folder.file(name));
  database.exec(migrations[0] ?? "");
  database.exec(fill);
  database.pragma(`application_id = ${applicationId}`);
  database.pragma("user_version = 1");
  database.close();
}

const FIRST_ENTRIES = `(1, 'kept', 5, 1, 0, 0, 'text/plain', x'0505'), (2, 'gone', 6, 1, 0, 1, '', x'')`;

describe("a database of the first schema", () => {
  it("becomes a replica's store with all its entries, and can keep a horizon", async () => {
    firstSchema(
      "first-replica",
      "replica",
      `INSERT INTO state VALUES (1, 42, 7, 8, 9, 3, 2, 6, 6, 4, 4);
       INSERT INTO entries VALUES ${FIRST_ENTRIES}`,
    );
    const store = await openReplicaStore(folder.options("first-replica"));
    expect([store.incarnation, store.cursor, store.outboxThrough]).toEqual([
      42,
      { logId: 7, epoch: 8, sequence: 9 },
      3,
    ]);
    expect([store.horizon, store.quarantined, store.stats().entries]).toEqual([0, 0, 2]);
    expect(store.get("kept")).toEqual(entry("kept", 5, 2));
    await outcome(store, { kind: "progress", horizon: 10 });
    await purged(store);
    expect([store.get("gone"), store.stats().entries]).toEqual([undefined, 1]);
    await store.close();
    const reopened = await openReplicaStore(folder.options("first-replica"));
    expect([reopened.horizon, reopened.stats().entries]).toEqual([10, 1]);
    await reopened.close();
  });

  it("becomes the directory's log with all its entries", async () => {
    const entries = FIRST_ENTRIES.replaceAll(", 'text/plain'", ", 11, 'text/plain'");
    firstSchema(
      "first-directory",
      "directory",
      `INSERT INTO state VALUES (1, 77, 12);
       INSERT INTO marks VALUES (9, 3, 12, 6);
       INSERT INTO entries VALUES ${entries.replace(", '', x''", ", 12, '', x''")}`,
    );
    const log = await openDirectoryLog(folder.options("first-directory"));
    expect([log.logId, log.committedThrough, log.purgedThrough]).toEqual([77, 12, 0]);
    expect(log.horizonState).toEqual({ horizon: 0, frozenUntilMs: 0, marks: [] });
    expect(log.outboxMark(9)).toEqual({ position: 3, sequence: 12, highestTime: 6 });
    log.purge(10, 12);
    await purged(log);
    expect([log.get("gone"), log.purgedThrough, log.stats().entries]).toEqual([undefined, 12, 1]);
    expect(log.get("kept")).toEqual(entry("kept", 5, 2));
    await log.close();
  });
});

describe("a closed store", () => {
  it("has committed all appended records, and refuses more", async () => {
    const store = await openReplicaStore(folder.options("closed"));
    const writes = [1, 2, 3].map((at) => outcome(store, local(at, [entry(`k${at}`, at)])));
    const closing = store.close();
    expect(await Promise.all(writes)).toEqual([undefined, undefined, undefined]);
    await closing;
    expect(() => store.append(local(4, [entry("k4", 4)]), () => {})).toThrow("closed");
    const reopened = await openReplicaStore(folder.options("closed"));
    expect(reopened.outboxThrough).toBe(3);
    await reopened.close();
  });

  it("leaves no write-ahead log behind", async () => {
    const path = await created("tidy", 50);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
});
