import type { Entry, QuarantinedEntry } from "@meridian/protocol";

import type { NodeContext } from "./node-context.ts";
import type { WriteDone, WritePath, WriteRequest, WriteNeeds } from "./write-path.ts";

/** The entries that this node held live and that the cluster deleted while the node was away. They are kept until an operator restores or drops them. */
export class Quarantine {
  readonly #context: NodeContext;
  readonly #writes: WritePath;

  constructor(context: NodeContext, writes: WritePath) {
    this.#context = context;
    this.#writes = writes;
  }

  /** Logs that entries have come in. */
  report(entries: readonly Entry[]): void {
    this.#context.logger.warn("entries deleted while this node was away are quarantined", {
      count: entries.length,
      firstKey: entries[0]?.key ?? "",
    });
  }

  /** How many entries there are. */
  get size(): number {
    return this.#context.store.quarantined;
  }

  /** Entries with ids above `id`, in the order of their ids, at most `limit`. */
  after(id: number, limit: number): readonly QuarantinedEntry[] {
    return this.#context.store.quarantinedAfter(id, limit);
  }

  /** The entry of that id. */
  get(id: number): QuarantinedEntry | undefined {
    return this.#context.store.quarantinedEntry(id);
  }

  /**
   * Writes an entry as if it was written now, with the expiry that it had, and takes it out of the quarantine. The write replaces
   * what the key has, unless `check` throws. Fails like a write, and with `QUARANTINED_NOT_FOUND` or
   * `QUARANTINED_EXPIRED`.
   */
  replay(id: number, check: WriteRequest["check"], needs: WriteNeeds, done: WriteDone): void {
    this.#writes.replay(id, check, needs, done);
  }

  /** Drops entries for good. Resolves once that is durable. Ignores unknown ids. */
  drop(ids: readonly number[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#context.append({ kind: "release", ids }, (failure) =>
        failure === undefined ? resolve() : reject(failure),
      );
    });
  }
}
