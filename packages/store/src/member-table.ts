/** The table of the nodes that a directory remembers: a few rows, read as a whole when the log is opened. */
import type { RememberedMember } from "@meridian/protocol";
import type Database from "better-sqlite3";

const COLUMNS = "id, region, url, ip, port, lat, lon, generation, seen_at_ms";

/** Reads what is known of every node. */
export function readMembers(database: Database.Database): RememberedMember[] {
  return database
    .prepare<[], RememberedMember>(
      `SELECT id, region, url, ip, port, lat, lon, generation, seen_at_ms AS seenAtMs FROM members`,
    )
    .all();
}

/** Writes what is known of nodes, on the writer thread. */
export class MemberWriter {
  readonly #replace: Database.Statement<(string | number)[]>;
  readonly #delete: Database.Statement<[string]>;

  constructor(database: Database.Database) {
    this.#replace = database.prepare(
      `INSERT OR REPLACE INTO members (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = database.prepare("DELETE FROM members WHERE id = ?");
  }

  /** Puts each in the place of what was known under its id, and deletes the rows of the ids in `dropped`. */
  write(members: readonly RememberedMember[], dropped: readonly string[]): void {
    for (const member of members) {
      const { id, region, url, ip, port, lat, lon, generation, seenAtMs } = member;
      this.#replace.run(id, region, url, ip, port, lat, lon, generation, seenAtMs);
    }
    for (const id of dropped) this.#delete.run(id);
  }
}
