/**
 * Folding: what the journal says is merged into the table of entries, newest stamp per key only, in steps that leave
 * room for commits in between.
 *
 * A batch is a run of journal rows, reduced to the newest entry of each key. Its entries go into the table in several transactions; the last of them
 * moves `foldedThrough` past the batch. A process that dies in between folds the same rows again, with the same result: a merge is idempotent, and a
 * restamp finds either the stamp that it replaces or one that has already won.
 */
import { compareStamps, decodeBlock, type Entry, type Stamp } from "@meridian/protocol";
import type Database from "better-sqlite3";
import type { JournalRow, JournalRows } from "./journal.ts";
import type { StoreKind } from "./schema.ts";

/** A batch ends after the row that reaches one of these. */
const BATCH_ENTRIES = 2048;
const BATCH_BYTES = 1024 * 1024;

/** How many entries are written between two looks at the clock. */
const ENTRIES_PER_LOOK = 16;

interface Item {
  readonly entry: Entry;
  readonly sequence: number;
  /** What the table holds for the key is not to be compared: a restamp has replaced it. */
  readonly forced: boolean;
}

/** Folds one journal. All of it runs in transactions of the caller's. */
export class Fold {
  readonly #journal: JournalRows;
  readonly #onEntry: (entry: Entry) => void;
  readonly #sequenced: boolean;
  readonly #stampOf: Database.Statement<[string], Stamp>;
  readonly #merge: Upsert;
  readonly #force: Upsert;
  #batch: readonly Item[] = [];
  #next = 0;
  #batchThrough = 0;
  #batchBytes = 0;
  /** The bytes of journal rows that were folded since it was set. */
  foldedBytes = 0;

  /** `onEntry` is told of every entry that may have gone into the table. */
  constructor(
    database: Database.Database,
    kind: StoreKind,
    journal: JournalRows,
    onEntry: (entry: Entry) => void,
  ) {
    this.#journal = journal;
    this.#onEntry = onEntry;
    this.#sequenced = kind === "directory";
    this.#stampOf = database.prepare("SELECT time, origin FROM entries WHERE key = ?");
    this.#merge = upsert(database, kind, "WHERE (excluded.time, excluded.origin) > (time, origin)");
    this.#force = upsert(database, kind, "");
  }

  /** Whether there is anything to fold. */
  get pending(): boolean {
    return this.#journal.foldedThrough < this.#journal.through;
  }

  /** Whether a batch is in the table in part. */
  get isMidway(): boolean {
    return this.#next < this.#batch.length;
  }

  /** Folds until `isOver` says so, or the batch is done. */
  step(isOver: () => boolean): void {
    if (this.#next >= this.#batch.length) this.#gather();
    while (this.#next < this.#batch.length) {
      const end = Math.min(this.#next + ENTRIES_PER_LOOK, this.#batch.length);
      for (; this.#next < end; this.#next += 1) {
        const item = this.#batch[this.#next];
        if (item !== undefined) this.#write(item);
      }
      if (this.#next < this.#batch.length && isOver()) return;
    }
    this.#journal.markFolded(this.#batchThrough);
    this.foldedBytes += this.#batchBytes;
  }

  /** Starts over after a transaction that was not committed. */
  reset(): void {
    this.#batch = [];
    this.#next = 0;
    this.foldedBytes = 0;
  }

  #write({ entry, sequence, forced }: Item): void {
    const { stamp, expiresAtMs, deleted } = entry;
    this.#onEntry(entry);
    // By position: binding by name makes an upsert cost a third more.
    (forced ? this.#force : this.#merge).run(
      entry.key,
      stamp.time,
      stamp.origin,
      expiresAtMs,
      deleted ? 1 : 0,
      entry.contentType,
      entry.value,
      entry.attributes ?? null,
      ...(this.#sequenced ? [sequence] : []),
    );
  }

  #gather(): void {
    const items = new Map<string, Item>();
    let entries = 0;
    let bytes = 0;
    this.#batchThrough = this.#journal.through;
    for (const row of this.#journal.rowsAfter(this.#journal.foldedThrough)) {
      this.#reduce(items, row);
      this.#batchThrough = row.id;
      entries += row.count;
      bytes += row.block.byteLength;
      if (entries >= BATCH_ENTRIES || bytes >= BATCH_BYTES) break;
    }
    this.#batch = [...items.values()];
    this.#batchBytes = bytes;
    this.#next = 0;
  }

  #reduce(items: Map<string, Item>, row: JournalRow): void {
    const entries = decodeBlock(row.block, row.count);
    const replaced = row.replaced === null ? undefined : stampsOf(row.replaced);
    let sequence = row.id - row.count;
    for (const [index, entry] of entries.entries()) {
      sequence += 1;
      const held = items.get(entry.key);
      const old = replaced?.[index];
      if (old !== undefined && this.#holds(entry.key, held, old)) {
        items.set(entry.key, { entry, sequence, forced: true });
      } else if (held === undefined || compareStamps(entry.stamp, held.entry.stamp) > 0) {
        items.set(entry.key, { entry, sequence, forced: held?.forced ?? false });
      }
    }
  }

  /** Whether `stamp` is that of the newest entry of `key` at this place of the journal. */
  #holds(key: string, held: Item | undefined, stamp: Stamp): boolean {
    if (held?.forced === true) return compareStamps(held.entry.stamp, stamp) === 0;
    const stored = this.#stampOf.get(key);
    if (held === undefined) return stored !== undefined && compareStamps(stored, stamp) === 0;
    const newer = stored !== undefined && compareStamps(stored, held.entry.stamp) > 0;
    return compareStamps(newer ? stored : held.entry.stamp, stamp) === 0;
  }
}

/** The stamps of a restamp's row, in the order of its entries. */
export function stampsOf(bytes: Uint8Array): Stamp[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stamps: Stamp[] = [];
  for (let offset = 0; offset + 16 <= bytes.byteLength; offset += 16) {
    stamps.push({
      time: view.getFloat64(offset, true),
      origin: view.getFloat64(offset + 8, true),
    });
  }
  return stamps;
}

type Upsert = Database.Statement<(string | number | Uint8Array | null)[]>;

function upsert(database: Database.Database, kind: StoreKind, where: string): Upsert {
  const sequenced = kind === "directory";
  return database.prepare(
    `INSERT INTO entries (key, time, origin, expires_at, deleted, content_type, value, attributes
       ${sequenced ? ", sequence" : ""})
     VALUES (?, ?, ?, ?, ?, ?, ?, ? ${sequenced ? ", ?" : ""})
     ON CONFLICT (key) DO UPDATE SET time = excluded.time, origin = excluded.origin,
       expires_at = excluded.expires_at, deleted = excluded.deleted,
       ${sequenced ? "sequence = excluded.sequence," : ""}
       content_type = excluded.content_type, value = excluded.value,
       attributes = excluded.attributes ${where}`,
  );
}
