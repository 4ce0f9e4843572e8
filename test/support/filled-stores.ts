/** Databases of many keys, written into those of programs that have been started once and stopped. */
import { join } from "node:path";

import { stampTimeOf } from "@meridian/protocol";
import Database from "better-sqlite3";

/** What a database is filled with. */
export interface Filling {
  readonly keys: number;
  /** So many of the first keys have expired a minute ago. */
  readonly expired?: number;
  readonly valueBytes?: number;
  /** Of every so many keys this database lacks one, the first; 0 for none. */
  readonly lacksEvery?: number;
  /** Keys with other values, in any order. */
  readonly more?: readonly (readonly [key: string, value: Buffer])[];
}

/** Where the data of a program lie. */
export interface Folder {
  readonly data: string;
  readonly kind: "region" | "directory";
}

/** The key of that number: in order of the numbers. */
export function keyOf(index: number): string {
  return `k${String(index).padStart(8, "0")}`;
}

const HOUR_MS = 3_600_000;

/**
 * Puts entries into the table of a stopped program. Equal keys have equal stamps in all databases that were filled with one `nowMs`. A region
 * afterwards stands in a log that nobody knows, and compares what it has; a directory has ordered the keys as they are numbered.
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
