import type Database from "better-sqlite3";

/** The place in the stream that a log is made from: the last message that the log has, and the id that its writer gave it. */
export interface StreamPlace {
  readonly sequence: number;
  readonly id: string;
}

/** Reads the place; undefined if the log is not made from a stream, or has nothing of it yet. */
export function readPlace(database: Database.Database): StreamPlace | undefined {
  return database
    .prepare<[], StreamPlace>("SELECT sequence, message AS id FROM stream_place")
    .get();
}
