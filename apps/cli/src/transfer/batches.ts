/** How much is under way at once: few requests, and no more memory than that. */
const BATCH_ENTRIES = 200;
const BATCH_BYTES = 1024 * 1024;

/** What comes, in pieces that are bounded in number and, but for one larger than that, in bytes. */
export async function* batchesOf<T>(
  items: AsyncIterable<T>,
  bytesOf: (item: T) => number,
): AsyncGenerator<readonly T[], void, undefined> {
  let [batch, bytes]: [T[], number] = [[], 0];
  for await (const item of items) {
    const more = bytesOf(item);
    if (batch.length >= BATCH_ENTRIES || (batch.length > 0 && bytes + more > BATCH_BYTES)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(item);
    bytes += more;
  }
  if (batch.length > 0) yield batch;
}
