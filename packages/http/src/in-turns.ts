/**
 * Does the same with each of many, with so many in one turn of the event loop, so that other work has its turns in between. The first part
 * is done at once. What is taken out of a set or map before its turn comes is passed over. Resolves once all is done; rejects with what
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
