/** The journals on the writer thread: which rows folding gets, and which ones trimming deletes. */
import Database from "better-sqlite3";
import { afterEach, expect, it } from "vitest";

import { directoryJournal } from "../src/directory-journal.ts";
import type { Journal, JournalRows } from "../src/journal.ts";
import { replicaJournal } from "../src/replica-journal.ts";
import { SCHEMAS, type StoreKind } from "../src/schema.ts";
import { STORE_TUNING_DEFAULT } from "../src/store-options.ts";
import type { ReplicaCommit, ReplicaWrite } from "../src/writer-messages.ts";
import { entry, frame, localWrite } from "./records.ts";

const opened: Database.Database[] = [];
afterEach(() => {
  for (const database of opened.splice(0)) database.close();
});

const STATE: Readonly<Record<StoreKind, string>> = {
  replica: `INSERT INTO state (id, incarnation, outbox_through, outbox_acknowledged, highest_time, admitted_time,
      journal_through, folded_through) VALUES (1, 1, 0, 0, 0, 0, 0, 0)`,
  directory: "INSERT INTO state (id, log_id, folded_through) VALUES (1, 1, 0)",
};

function emptyDatabase(kind: StoreKind): Database.Database {
  const database = new Database(":memory:");
  opened.push(database);
  const { migrations, additions } = SCHEMAS[kind];
  for (const step of [...migrations, additions, STATE[kind]]) database.exec(step);
  return database;
}

function idsOf(database: Database.Database): unknown[] {
  return database.prepare("SELECT id FROM journal ORDER BY id").pluck().all();
}

function idsToFold(journal: JournalRows): number[] {
  return [...journal.rowsAfter(journal.foldedThrough)].map(({ id }) => id);
}

/** Runs a change as the writer does. */
function commit(database: Database.Database, journal: JournalRows, change: () => void): void {
  database.exec("BEGIN");
  change();
  journal.flush();
  database.exec("COMMIT");
  journal.committed();
}

function rollBack(database: Database.Database, journal: JournalRows, change: () => void): void {
  database.exec("BEGIN");
  change();
  database.exec("ROLLBACK");
  journal.rolledBack();
}

const never = (): boolean => false;
const always = (): boolean => true;

function writeOwn(
  journal: Journal<ReplicaWrite, ReplicaCommit>,
  ...positions: readonly number[]
): void {
  for (const each of positions) journal.write(localWrite(each, [entry(`k${each}`, each)]));
}

it("folding gets what the database has, whatever was rolled back", () => {
  const database = emptyDatabase("replica");
  const journal = replicaJournal(database);
  commit(database, journal, () => writeOwn(journal, 1, 2));
  rollBack(database, journal, () => writeOwn(journal, 3, 4));
  expect(idsToFold(journal)).toEqual([1, 2]);
  commit(database, journal, () => writeOwn(journal, 3));
  expect(idsToFold(journal)).toEqual([1, 2, 3]);
  rollBack(database, journal, () => journal.markFolded(2));
  expect(idsToFold(journal)).toEqual([1, 2, 3]);
  commit(database, journal, () => journal.markFolded(3));
  expect(idsToFold(journal)).toEqual([]);
  commit(database, journal, () => writeOwn(journal, 4));
  expect(idsToFold(journal)).toEqual([4]);
});

it("folding gets the same rows from the database after it was opened again", () => {
  const database = emptyDatabase("replica");
  const journal = replicaJournal(database);
  commit(database, journal, () => writeOwn(journal, 1, 2, 3));
  const kept = [...journal.rowsAfter(0)].map(({ id, count, block }) => [id, count, [...block]]);
  const read = [...replicaJournal(database).rowsAfter(0)];
  expect(read.map(({ id, count, block }) => [id, count, [...block]])).toEqual(kept);
});

it("a node's own row goes once it is folded and acknowledged, in either order", () => {
  const database = emptyDatabase("replica");
  const journal = replicaJournal(database);
  const acknowledge = (outboxThrough: number): void =>
    journal.write({
      kind: "progress",
      outboxThrough,
      horizon: 0,
      cursor: null,
      others: null,
    });
  const trim = (isOver: () => boolean): void =>
    commit(database, journal, () => journal.trim(isOver));
  const positions = Array.from({ length: 80 }, (_, index) => index + 1);
  commit(database, journal, () => writeOwn(journal, ...positions));
  commit(database, journal, () => acknowledge(10));
  commit(database, journal, () => journal.markFolded(70));
  while (journal.canTrim) trim(never);
  expect(idsOf(database)).toEqual(positions.slice(10));
  expect(journal.rows).toBe(70);
  commit(database, journal, () => acknowledge(75));
  trim(always);
  expect(journal.rows).toBeLessThan(70);
  while (journal.canTrim) trim(never);
  expect(idsOf(database)).toEqual(positions.slice(70));
  commit(database, journal, () => journal.markFolded(80));
  while (journal.canTrim) trim(always);
  expect(idsOf(database)).toEqual(positions.slice(75));
  expect(journal.rows).toBe(5);
});

it("a log keeps its recent frames, and those that were not deleted after all", () => {
  const database = emptyDatabase("directory");
  const journal = directoryJournal(database, { ...STORE_TUNING_DEFAULT, recentEntriesMax: 20 });
  const ids = Array.from({ length: 100 }, (_, index) => index + 1);
  const write = (from: number, to: number): void =>
    commit(database, journal, () => {
      for (const id of ids.slice(from, to)) {
        journal.write({ kind: "frame", ...frame(id - 1, [entry(`k${id}`, id)], id) });
      }
    });
  const trimAll = (): void => {
    while (journal.canTrim) commit(database, journal, () => journal.trim(never));
  };
  write(0, 60);
  trimAll();
  expect(idsOf(database)).toEqual(ids.slice(0, 60));
  commit(database, journal, () => journal.markFolded(50));
  rollBack(database, journal, () => journal.trim(never));
  trimAll();
  expect(idsOf(database)).toEqual(ids.slice(40, 60));
  expect(journal.rows).toBe(20);
  write(60, 100);
  commit(database, journal, () => journal.markFolded(90));
  commit(database, journal, () => journal.trim(always));
  expect(journal.rows).toBeLessThan(60);
  expect(journal.rows).toBeGreaterThan(20);
  trimAll();
  expect(idsOf(database)).toEqual(ids.slice(80));
  journal.pressed = true;
  trimAll();
  expect(idsOf(database)).toEqual(ids.slice(90));
});

it("a row that is folded in the transaction that brings it is written only if the outbox or an older row needs it", () => {
  const database = emptyDatabase("replica");
  const journal = replicaJournal(database);
  const bring = (id: number): void =>
    journal.write({ ...localWrite(id, [entry(`k${id}`, id)]), outboxPosition: 0 });
  commit(database, journal, () => bring(1));
  // The older row has to be deleted, and all through the last folded one are looked at for that.
  commit(database, journal, () => {
    bring(2);
    journal.markFolded(2);
  });
  expect(idsOf(database)).toEqual([1, 2]);
  while (journal.canTrim) commit(database, journal, () => journal.trim(never));
  commit(database, journal, () => {
    bring(3);
    bring(4);
    expect(idsToFold(journal)).toEqual([3, 4]);
    journal.markFolded(4);
  });
  expect(idsOf(database)).toEqual([]);
  expect(journal.rows).toBe(0);
  expect(journal.canTrim).toBe(false);
  commit(database, journal, () => {
    bring(5);
    writeOwn(journal, 6);
    bring(7);
    bring(8);
    journal.markFolded(7);
  });
  expect(idsOf(database)).toEqual([6, 8]);
  expect(journal.rows).toBe(2);
  expect(idsToFold(replicaJournal(database))).toEqual([8]);
  rollBack(database, journal, () => {
    bring(9);
    journal.markFolded(9);
  });
  commit(database, journal, () => bring(9));
  expect(idsToFold(journal)).toEqual([8, 9]);
  expect(idsOf(database)).toEqual([6, 8, 9]);
});

it("rows that are too many to be kept in memory are written before they are read", () => {
  const database = emptyDatabase("replica");
  const journal = replicaJournal(database);
  const ids = [1, 2, 3, 4];
  commit(database, journal, () => {
    for (const id of ids) journal.write(localWrite(id, [entry(`k${id}`, id, 200_000)]));
    expect(idsToFold(journal)).toEqual(ids);
    journal.markFolded(4);
  });
  expect(idsOf(database)).toEqual(ids);
});
