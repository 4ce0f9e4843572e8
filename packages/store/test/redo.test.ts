import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { systemClock, type Clock } from "@meridian/runtime";
import {
  openDirectoryLog,
  openReplicaStore,
  takeSnapshot,
  type SqliteDirectoryLog,
  type SqliteReplicaStore,
  type StoreOptions,
} from "@meridian/store";
import Database from "better-sqlite3";
import { afterAll, describe, expect, it } from "vitest";
import { redoPaths } from "../src/redo/redo-recovery.ts";
import type { RedoDisk } from "../src/redo/redo-disk.ts";
import { entry, frame, local, outcome, remote } from "./records.ts";
import { MemoryDisk, type Fault } from "./redo-disk.ts";
import { folded, StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

/** Nothing is handed over by this clock unless it has to be. */
const still: Clock = { ...systemClock, after: () => () => {} };

function holding(name: string): StoreOptions {
  return { ...folder.options(name), clock: still };
}

/** The version that the file of a database tells programs of earlier versions, and which records count. */
function marksOf(name: string): { readonly version: number; readonly nonce: number } {
  const database = new Database(folder.file(name), { readonly: true });
  try {
    return {
      version: Number(database.pragma("user_version", { simple: true })),
      nonce: Number(database.prepare("SELECT nonce FROM redo").pluck().get() ?? 0),
    };
  } finally {
    database.close();
  }
}

/** A store of which `count` own writes are durable, and in its redo file only. */
async function ahead(name: string, count: number): Promise<SqliteReplicaStore> {
  const store = await openReplicaStore(holding(name));
  for (let at = 1; at <= count; at += 1) {
    expect(await outcome(store, local(at, [entry(`key-${at}`, at)]))).toBeUndefined();
  }
  expect(rowsOf(name)).toBe(0);
  return store;
}

function rowsOf(name: string): number {
  const database = new Database(folder.file(name), { readonly: true });
  try {
    return Number(database.prepare("SELECT count(*) FROM journal").pluck().get());
  } finally {
    database.close();
  }
}

function keysOf(store: SqliteReplicaStore): string[] {
  return store.summariesAfter(null, 1_000).map(({ key }) => key);
}

/** All of them, however many calls that takes: one reads no more than a turn may. */
function positionsOf(store: SqliteReplicaStore): number[] {
  const positions: number[] = [];
  for (let read = store.outboxAfter(0, 1e9); read.length > 0;) {
    positions.push(...read.map(({ position }) => position));
    read = store.outboxAfter(positions.at(-1) ?? Infinity, 1e9);
  }
  return positions;
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

describe("a store with a redo file", () => {
  it("has what is durable and not in the database after a death, once, and removes the files", async () => {
    const store = await ahead("dies", 5);
    expect(positionsOf(store)).toEqual(upTo(5));
    await store.abort();
    const reopened = await openReplicaStore(folder.options("dies"));
    expect(rowsOf("dies")).toBe(5);
    expect(positionsOf(reopened)).toEqual(upTo(5));
    expect(keysOf(reopened)).toHaveLength(5);
    expect([reopened.outboxThrough, reopened.highestTime]).toEqual([5, 5]);
    expect(await outcome(reopened, local(6, [entry("next", 9)]))).toBeUndefined();
    await reopened.abort();
    const again = await openReplicaStore(folder.options("dies"));
    expect(positionsOf(again)).toEqual(upTo(6));
    await again.close();
  });

  it("keeps cursors, places and admitted times of what others wrote through a death", async () => {
    const store = await openReplicaStore(holding("remote"));
    for (const at of upTo(3)) await outcome(store, remote([entry(`far-${at}`, 100 + at)], at));
    const { cursor, admittedTime } = store;
    await store.abort();
    const reopened = await openReplicaStore(folder.options("remote"));
    expect([reopened.cursor, reopened.admittedTime]).toEqual([cursor, admittedTime]);
    expect(cursor?.sequence).toBe(3);
    expect(admittedTime).toBe(103);
    await reopened.close();
  });

  it("writes nothing into a database that has all that the files have: there may be no room", async () => {
    const store = await ahead("even", 3);
    await outcome(store, { kind: "progress", outboxThrough: 1 });
    cpSync(dirname(folder.file("even")), dirname(folder.file("copy")), { recursive: true });
    await store.close();
    const contents = (): Buffer[] =>
      ["", "-wal"].map((end) => readFileSync(`${folder.file("copy")}${end}`));
    const before = contents();
    const copy = await openReplicaStore(folder.options("copy", { dieAtStep: 1, redo: false }));
    expect(contents()).toEqual(before);
    expect(copy.outboxAfter(1, 1e9).map(({ position }) => position)).toEqual([2, 3]);
    await copy.abort();
  });
});

describe("the redo files of a database", () => {
  it("refuse earlier versions while records may count, and no longer after a clean end", async () => {
    const store = await ahead("versions", 1);
    expect(marksOf("versions").version).toBe(1_005);
    expect(existsSync(redoPaths(folder.file("versions"))[0])).toBe(true);
    await store.close();
    expect(marksOf("versions")).toEqual({ version: 5, nonce: 0 });
    expect(redoPaths(folder.file("versions")).filter((each) => existsSync(each))).toEqual([]);
    const reopened = await openReplicaStore(folder.options("versions", { redo: false }));
    expect(positionsOf(reopened)).toEqual([1]);
    await reopened.close();
  });

  it("are taken in by a process that uses none itself", async () => {
    await (await ahead("off", 2)).abort();
    const reopened = await openReplicaStore(folder.options("off", { redo: false }));
    expect(positionsOf(reopened)).toEqual([1, 2]);
    await folded(reopened);
    expect(marksOf("off")).toEqual({ version: 5, nonce: 0 });
    await reopened.close();
  });

  it("bring a prefix of the records wherever they are cut or damaged", async () => {
    const store = await ahead("torn", 6);
    await store.abort();
    const [path] = redoPaths(folder.file("torn"));
    const bytes = readFileSync(path);
    const seen = new Set<number>();
    const places = [...bytes.keys()].filter((at) => at % 41 === 0);
    for (const at of [...places, bytes.byteLength]) {
      for (const isCut of [true, false]) {
        const name = `torn-${at}-${isCut ? "cut" : "flipped"}`;
        cpSync(dirname(folder.file("torn")), dirname(folder.file(name)), { recursive: true });
        const [copy] = redoPaths(folder.file(name));
        if (isCut) truncateSync(copy, at);
        else
          writeFileSync(
            copy,
            bytes.map((byte, index) => (index === at ? byte ^ 64 : byte)),
          );
        const reopened = await openReplicaStore(folder.options(name, { redo: false }));
        const positions = positionsOf(reopened);
        expect(positions).toEqual(upTo(positions.length));
        expect(keysOf(reopened)).toEqual(positions.map((position) => `key-${position}`));
        seen.add(positions.length);
        await reopened.close();
        rmSync(dirname(folder.file(name)), { recursive: true });
      }
    }
    expect([...seen].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("are passed over where the database was replaced", async () => {
    await (await ahead("replaced", 3)).abort();
    rmSync(folder.file("replaced"));
    rmSync(`${folder.file("replaced")}-wal`, { force: true });
    const fresh = await openReplicaStore(folder.options("replaced"));
    expect(positionsOf(fresh)).toEqual([]);
    await fresh.close();
  });
});

describe("a store with a redo file, beside its thread", () => {
  it("commits what is not for the file behind all that is, and in order", async () => {
    const store = await ahead("order", 3);
    const outcomes = [
      outcome(store, local(4, [entry("a", 10)])),
      outcome(store, { kind: "progress", outboxThrough: 2 }),
      outcome(store, local(5, [entry("b", 11)])),
      outcome(store, local(6, [entry("large", 12, 100_000)])),
      outcome(store, local(7, [entry("c", 13)])),
    ];
    expect(await Promise.all(outcomes)).toEqual(Array(5).fill(undefined));
    expect(store.outboxAfter(2, 1e9).map(({ position }) => position)).toEqual([3, 4, 5, 6, 7]);
    // What is told of is in the database: the thread had it all.
    expect(rowsOf("order")).toBeGreaterThanOrEqual(7 - 2);
    expect(await outcome(store, local(8, [entry("d", 14)]))).toBeUndefined();
    await store.abort();
    const reopened = await openReplicaStore(folder.options("order"));
    expect(reopened.outboxAfter(2, 1e9).map(({ position }) => position)).toEqual([
      3, 4, 5, 6, 7, 8,
    ]);
    await reopened.close();
  });

  it("keeps what it has acknowledged while another program holds the database, and takes nothing new until that lets it go", async () => {
    const options = folder.options("held", { commitWaitMs: 10 });
    const store = await openReplicaStore(options);
    const resume = folder.hold("held");
    const taken = upTo(5).map((at) => outcome(store, local(at, [entry(`key-${at}`, at)])));
    expect(await Promise.all(taken)).toEqual(Array(5).fill(undefined));
    // One that is not for the file is refused, and once it is known that the database waits, any.
    for (const valueBytes of [100_000, 10]) {
      const refused = await outcome(store, local(6, [entry("late", 6, valueBytes)]));
      expect(refused?.code).toBe("OVERLOADED");
    }
    expect(store.outboxThrough).toBe(5);
    expect(positionsOf(store)).toEqual(upTo(5));
    resume();
    await until(() => store.stats().unfoldedEntries === 0);
    expect(await outcome(store, local(6, [entry("large", 7, 100_000)]))).toBeUndefined();
    await store.abort();
    const reopened = await openReplicaStore(folder.options("held"));
    expect(positionsOf(reopened)).toEqual(upTo(6));
    await reopened.close();
  });

  it("lets records of the file wait for a database that cannot be written until it closes, and has them then", async () => {
    const store = await openReplicaStore(folder.options("stuck", { commitWaitMs: 10 }));
    const resume = folder.hold("stuck");
    expect(await outcome(store, local(1, [entry("a", 1)]))).toBeUndefined();
    await store.close();
    resume();
    const reopened = await openReplicaStore(folder.options("stuck"));
    expect(positionsOf(reopened)).toEqual([1]);
    await reopened.close();
  });
});

describe("the death of the writer", () => {
  const steps = Array.from({ length: 8 }, (_, index) => 4 + index * 3);
  it.each(steps)("at its step %i loses nothing that the file has", async (dieAtStep) => {
    const name = `step-${dieAtStep}`;
    const store = await openReplicaStore(folder.options(name, { dieAtStep, walIdleBytes: 0 }));
    let acknowledged = 0;
    let isAlive = true;
    for (let at = 1; isAlive; at += 1) {
      isAlive = (await outcome(store, local(at, [entry(`key-${at}`, at)]))) === undefined;
      if (isAlive) acknowledged = at;
    }
    await store.abort();
    const reopened = await openReplicaStore(folder.options(name));
    expect(reopened.outboxThrough).toBeGreaterThanOrEqual(acknowledged);
    expect(positionsOf(reopened)).toEqual(upTo(reopened.outboxThrough));
    await reopened.close();
  });
});

describe("a redo file that cannot be written", () => {
  const faults: Fault[] = (["open", "write", "sync"] as const).flatMap((call) => [
    { call, at: 1 },
    { call, at: 3, written: 40 },
    { call, at: 2, isLasting: true },
  ]);

  it.each(faults)("loses nothing: $call $at", async (fault) => {
    const name = `fault-${fault.call}-${fault.at}`;
    const redoDisk: RedoDisk = new MemoryDisk(fault);
    const options = { ...folder.options(name), durability: "power", redoDisk } as const;
    const store = await openReplicaStore(options);
    for (const at of upTo(8)) {
      expect(await outcome(store, local(at, [entry(`key-${at}`, at)]))).toBeUndefined();
    }
    expect(positionsOf(store)).toEqual(upTo(8));
    await store.close();
    expect(marksOf(name).version).toBe(5);
    const reopened = await openReplicaStore(folder.options(name, { redo: false }));
    expect(positionsOf(reopened)).toEqual(upTo(8));
    await reopened.close();
  });

  it("is taken for nothing once a record that it was to hold is in the database", async () => {
    // The write succeeds and its sync fails, and so does cutting it off: the record is in the file all the same.
    const path = folder.file("phantom");
    const disk = new PhantomDisk(path);
    const store = await openReplicaStore({
      ...holding("phantom"),
      durability: "power",
      redoDisk: disk,
    });
    expect(await outcome(store, local(1, [entry("a", 1)]))).toBeUndefined();
    expect(rowsOf("phantom")).toBe(1);
    expect(marksOf("phantom")).toEqual({ version: 5, nonce: 0 });
    await store.abort();
    expect(readFileSync(redoPaths(path)[0]).byteLength).toBeGreaterThan(24);
    const reopened = await openReplicaStore(folder.options("phantom"));
    expect(positionsOf(reopened)).toEqual([1]);
    await reopened.close();
  });
});

/** Writes to the file, and then says that it is not synced. */
class PhantomDisk extends MemoryDisk {
  readonly #path: string;

  constructor(path: string) {
    super({ call: "sync", at: 1 });
    this.#path = path;
  }

  override write(
    file: number,
    bytes: Uint8Array,
    at: number,
    done: (f: Error | null) => void,
  ): void {
    writeFileSync(redoPaths(this.#path)[0], bytes);
    super.write(file, bytes, at, done);
  }
}

describe("a log with a redo file", () => {
  it("is read through what is durable, and has it after a death", async () => {
    const log = await openDirectoryLog(holding("log"));
    for (const at of upTo(5)) {
      expect(await outcome(log, frame(at - 1, [entry(`key-${at}`, at)], at))).toBeUndefined();
    }
    expect(throughsOf(log)).toEqual(upTo(5));
    expect(rowsOf("log")).toBe(0);
    expect(log.read(3, 1).map(({ through }) => through)).toEqual([4]);
    await log.abort();
    const reopened = await openDirectoryLog(folder.options("log"));
    expect(throughsOf(reopened)).toEqual(upTo(5));
    expect([reopened.committedThrough, reopened.outboxMark(7)?.position]).toEqual([5, 5]);
    expect(await outcome(reopened, frame(5, [entry("next", 9)], 6))).toBeUndefined();
    expect(throughsOf(reopened)).toEqual(upTo(6));
    await reopened.close();
    expect(marksOf("log").version).toBe(5);
  });

  it("has frames that nobody waits for wait for one that somebody waits for", async () => {
    const standing: Clock = { ...still, elapsedMs: () => 0 };
    const log = await openDirectoryLog({ ...folder.options("awaited"), clock: standing });
    const append = (at: number, isAwaited: boolean): Promise<unknown> =>
      outcome(log, { ...frame(at - 1, [entry(`key-${at}`, at)], at), isAwaited });
    // Nothing was written of late.
    expect(await append(1, false)).toBeUndefined();
    const gathered = [append(2, false), append(3, false)];
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(log.committedThrough).toBe(1);
    expect(await append(4, true)).toBeUndefined();
    expect(await Promise.all(gathered)).toEqual([undefined, undefined]);
    expect(throughsOf(log)).toEqual(upTo(4));
    await log.close();
  });

  it("settles what is in the file only", async () => {
    const log = await openDirectoryLog(holding("settles"));
    await outcome(log, frame(0, [entry("a", 1)], 1));
    await new Promise<void>((resolve, reject) => {
      log.settle((failure) => (failure === undefined ? resolve() : reject(failure)));
    });
    expect(log.get("a")).toEqual(entry("a", 1));
    await log.close();
  });
});

function throughsOf(log: SqliteDirectoryLog): number[] {
  return log.read(0, 1e9).map(({ through }) => through);
}

describe("a backup of a database with a redo file", () => {
  it("has what is in the file only, whether the program runs or has died", async () => {
    const store = await ahead("backed", 4);
    const path = folder.file("backed");
    for (const name of ["alive", "dead"]) {
      const to = folder.file(name);
      mkdirSync(dirname(to), { recursive: true });
      await takeSnapshot({ path, kind: "replica", to }, systemClock);
      expect(marksOf(name)).toEqual({ version: 5, nonce: 0 });
      const copy = await openReplicaStore(folder.options(name));
      expect(positionsOf(copy)).toEqual(upTo(4));
      await copy.close();
      if (name === "alive") await store.abort();
    }
  });
});
