import { TAKEN_BACK_MAX, TakenBack, type Stamp } from "@meridian/protocol";
import type Database from "better-sqlite3";

/** Reads the stamps that were taken back, the oldest first. */
export function readTakenBack(database: Database.Database): TakenBack {
  const takenBack = new TakenBack();
  takenBack.add(
    database.prepare<[], Stamp>("SELECT time, origin FROM taken_back ORDER BY id").all(),
  );
  return takenBack;
}

/** Writes the stamps that were taken back, in transactions of the caller's. */
export class TakenBackWriter {
  readonly #insert: Database.Statement<[number, number]>;
  readonly #forget: Database.Statement<[number]>;

  constructor(database: Database.Database) {
    this.#insert = database.prepare("INSERT INTO taken_back (time, origin) VALUES (?, ?)");
    this.#forget = database.prepare(
      "DELETE FROM taken_back WHERE id <= (SELECT max(id) FROM taken_back) - ?",
    );
  }

  /** Adds stamps, given as pairs of time and origin, and forgets the oldest beyond `TAKEN_BACK_MAX`. */
  add(stamps: Float64Array): void {
    if (stamps.length === 0) return;
    for (let at = 0; at < stamps.length; at += 2) {
      this.#insert.run(stamps[at] ?? 0, stamps[at + 1] ?? 0);
    }
    this.#forget.run(TAKEN_BACK_MAX);
  }
}
