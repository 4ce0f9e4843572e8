/**
 * How fast the replica's store commits, folds and reads, against plain upserts into the same table in the same run.
 * `npm run bench -w @meridian/store [-- --seconds 2 --batch 64 --value 100 --lanes 8]`
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeBlock, highestTimeOf, type Entry, type MeridianError } from "@meridian/protocol";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { openReplicaStore, type Durability, type SqliteReplicaStore } from "@meridian/store";
import Database from "better-sqlite3";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    batch: { type: "string", default: "64" },
    value: { type: "string", default: "100" },
    keys: { type: "string", default: "100000" },
    lanes: { type: "string", default: "8" },
  },
});
const SECONDS = Number(values.seconds);
const BATCH = Number(values.batch);
const VALUE_BYTES = Number(values.value);
const KEYS = Number(values.keys);

/** Commits that may be under way at once, as from a busy event loop. */
const LANES = Number(values.lanes);

const folder = mkdtempSync(join(tmpdir(), "meridian-bench-"));
const value = new Uint8Array(VALUE_BYTES).fill(7);
let time = 0;

function batch(): Entry[] {
  return Array.from({ length: BATCH }, () => {
    time += 1;
    const key = `key-${Math.floor(Math.random() * KEYS)}`;
    const stamp = { time, origin: 1 };
    return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false };
  });
}

function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
}

function report(what: string, ops: number, ms: number, delays: number[] = []): void {
  const sorted = delays.toSorted((a, b) => a - b);
  const rate = Math.round((ops / ms) * 1000).toLocaleString("en");
  const lag =
    sorted.length === 0
      ? ""
      : `  commit ms p50 ${percentile(sorted, 0.5)} p99 ${percentile(sorted, 0.99)} max ${percentile(sorted, 1)}`;
  console.log(`${what.padEnd(52)} ${rate.padStart(10)} ops/s${lag}`);
}

function open(name: string, durability: Durability): Promise<SqliteReplicaStore> {
  return openReplicaStore({
    path: join(folder, name, "region.db"),
    durability,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
}

async function settled(store: SqliteReplicaStore): Promise<void> {
  while (store.stats().unfoldedEntries > 0) await new Promise((resolve) => setImmediate(resolve));
}

/** Writes for a while with several commits under way; returns the newest stamp of each key, to be checked. */
async function write(
  store: SqliteReplicaStore,
  delays: number[],
): Promise<{ expected: Map<string, number>; ops: number; ms: number }> {
  const expected = new Map<string, number>();
  let position = store.outboxThrough;
  let ops = 0;
  const startedAt = performance.now();
  const end = startedAt + SECONDS * 1000;
  const commit = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const entries = batch();
      position += 1;
      const frame = {
        position,
        count: entries.length,
        highestTime: highestTimeOf(entries),
        block: encodeBlock(entries),
      };
      const at = performance.now();
      store.append({ kind: "local", frame, entries }, (failure?: MeridianError) => {
        if (failure !== undefined) return reject(failure);
        delays.push(performance.now() - at);
        ops += entries.length;
        for (const { key, stamp } of entries) expected.set(key, stamp.time);
        resolve();
      });
    });
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await commit();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return { expected, ops, ms: performance.now() - startedAt };
}

async function benchStore(durability: Durability): Promise<void> {
  const name = `store-${durability}`;
  let store = await open(name, durability);
  const delays: number[] = [];
  const { expected, ops, ms } = await write(store, delays);
  const behind = store.stats().unfoldedEntries;
  report(`journal, ${durability}, ${BATCH} ops a record`, ops, ms, delays);
  const foldingAt = performance.now();
  await settled(store);
  const foldMs = performance.now() - foldingAt;
  if (behind > 10_000) report(`  folding what was behind (${behind} entries)`, behind, foldMs);
  await store.close();
  store = await open(name, durability);
  for (const [key, at] of expected) {
    if (store.get(key)?.stamp.time !== at) throw new Error(`Lost a write of ${key}`);
  }
  const keys = [...expected.keys()];
  const readingAt = performance.now();
  for (const key of keys) store.get(key);
  const micros = ((performance.now() - readingAt) / keys.length) * 1000;
  console.log(`  checked ${keys.length} keys; a point read takes ${micros.toFixed(1)} µs`);
  await store.close();
}

/** The peer: the same entries, each batch a transaction of upserts on this thread. */
function benchUpserts(durability: Durability): void {
  const database = new Database(join(folder, `upserts-${durability}.db`));
  database.pragma("journal_mode = WAL");
  database.pragma(`synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
  database.exec(
    `CREATE TABLE entries (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
     origin INTEGER NOT NULL, content_type TEXT NOT NULL, value BLOB NOT NULL)`,
  );
  const upsert = database.prepare(
    `INSERT INTO entries (key, time, origin, content_type, value) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET time = excluded.time, origin = excluded.origin,
     content_type = excluded.content_type, value = excluded.value WHERE excluded.time > time`,
  );
  const commit = database.transaction((entries: readonly Entry[]) => {
    for (const { key, stamp, contentType, value: bytes } of entries) {
      upsert.run(key, stamp.time, stamp.origin, contentType, bytes);
    }
  });
  const delays: number[] = [];
  const expected = new Set<string>();
  let ops = 0;
  const startedAt = performance.now();
  while (performance.now() - startedAt < SECONDS * 1000) {
    const entries = batch();
    const at = performance.now();
    commit(entries);
    delays.push(performance.now() - at);
    ops += entries.length;
    for (const { key } of entries) expected.add(key);
  }
  const ms = performance.now() - startedAt;
  const rows = database.prepare("SELECT count(*) FROM entries").pluck().get();
  if (rows !== expected.size)
    throw new Error(`Expected ${expected.size} rows, got ${String(rows)}`);
  report(`upserts, ${durability}, ${BATCH} ops a transaction`, ops, ms, delays);
  database.close();
}

try {
  for (const durability of ["process", "power"] as const) {
    await benchStore(durability);
    benchUpserts(durability);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
