/**
 * Calls `work` with each item, at most `perTurn` of them in one turn of the event loop, so that other work has turns in between. The first `perTurn`
 * items are handled at once. An item that is removed from a set or map before its turn is skipped. Resolves once all are done; rejects with what
 * `work` throws.
 */
export async function inTurns<One>(
  all: Iterable<One>,
  perTurn: number,
  work: (one: One) => void,
): Promise<void> {
  let left = perTurn;
  for (const one of all) {
    if (left === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      left = perTurn;
    }
    left -= 1;
    work(one);
  }
}
