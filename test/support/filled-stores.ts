/** Fills the databases of programs that have been started once and stopped with many keys. */
import { join } from "node:path";

import { stampTimeOf } from "@meridian/protocol";
import Database from "better-sqlite3";

/** The contents of a database. */
export interface Filling {
  readonly keys: number;
  /** How many of the first keys have expired, a minute ago. */
  readonly expired?: number;
  readonly valueBytes?: number;
  /** This database lacks the first of every `lacksEvery` keys; 0 if it lacks none. */
  readonly lacksEvery?: number;
  /** Keys with other values, in any order. */
  readonly more?: readonly (readonly [key: string, value: Buffer])[];
}

/** The data folder of a program. */
export interface Folder {
  readonly data: string;
  readonly kind: "region" | "directory";
}

/** The key with that index. Keys have the order of their indexes. */
export function keyOf(index: number): string {
  return `k${String(index).padStart(8, "0")}`;
}

const HOUR_MS = 3_600_000;

/**
 * Puts entries into the table of a stopped program. Equal keys have equal stamps in all databases that are filled with the same `nowMs`. The cursor of a
 * region is in an unknown log afterwards, so the region reconciles; a directory has ordered the keys by their indexes.
 */
export function fillStore({ data, kind }: Folder, filling: Filling, nowMs: number): void {
  const database = new Database(join(data, `${kind}.db`));
  const isLog = kind === "directory";
  const insert = database.prepare(
    `INSERT INTO entries (key, time, origin, expires_at, deleted, content_type, value${isLog ? ", sequence" : ""})
     VALUES (?, ?, 5, ?, 0, 'text/plain', ?${isLog ? ", ?" : ""})`,
  );
  const { keys, expired = 0, valueBytes = 20, lacksEvery = 0, more = [] } = filling;
  const base = stampTimeOf(nowMs - HOUR_MS);
  const value = Buffer.alloc(valueBytes, "v");
  const put = (index: number, key: string, bytes: Buffer, expiresAt: number): void => {
    insert.run(key, base + index, expiresAt, bytes, ...(isLog ? [index + 1] : []));
  };
  database.transaction(() => {
    for (let index = 0; index < keys; index += 1) {
      if (lacksEvery > 0 && index % lacksEvery === 0) continue;
      put(index, keyOf(index), value, index < expired ? nowMs - 60_000 : 0);
    }
    for (const [index, [key, bytes]] of more.entries()) put(keys + index, key, bytes, 0);
    const through = keys + more.length;
    if (isLog) database.prepare("UPDATE state SET folded_through = ?").run(through);
    else {
      database
        .prepare(
          `UPDATE state SET highest_time = ?, admitted_time = ?, cursor_log_id = 99, cursor_epoch = 9, cursor_sequence = 1`,
        )
        .run(base + through, base + through);
    }
  })();
  database.close();
}
