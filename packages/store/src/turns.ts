/** What one turn of the event loop reads of a journal, or takes in of what was committed and folded, in rows and in bytes: some milliseconds. */
export const ROWS_PER_TURN = 512;
/** Bytes that a store reads in one turn of the event loop. */
export const BYTES_PER_TURN: number = 1024 * 1024;

/** Resolves once other work has had its turn. */
export function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
