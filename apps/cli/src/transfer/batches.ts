/** The bounds of a batch, which bound the memory and the requests under way. */
const BATCH_ENTRIES = 200;
const BATCH_BYTES = 1024 * 1024;

/** Groups items into batches of at most `BATCH_ENTRIES` items and `BATCH_BYTES` bytes. An item that is larger than that is a batch of its own. */
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
