/**
 * Writes and reads for the whole cluster (`scope=cluster`): a condition is decided in the order of the directory's log, not by what this region has, and a
 * read waits until this region has everything that anybody was told of before.
 */
import {
  checkClientKey,
  isLive,
  MeridianError,
  NO_BYTES,
  PROPOSED_BYTES_MAX,
  type Entry,
  type Stamp,
} from "@meridian/protocol";
import type { ConditionalWrite, Replica } from "@meridian/replication";

import { etagOf } from "./cached-record.ts";
import { checkContentType, type SetRequest, type WriteResult } from "./requests.ts";
import type { WriteGate } from "./write-gate.ts";
import type { Writes } from "./writes.ts";

/** The parts that conditions across regions need. */
export interface ScopedEntriesOptions {
  readonly nodeId: string;
  readonly replica: Replica;
  readonly gate: WriteGate;
  readonly writes: Pick<Writes, "checkDeadline" | "checkLength" | "ttlMsDefault">;
}

/** How long a request waits for the directory's decision, and until when it may be asked for. */
export interface ScopedNeeds {
  readonly timeoutMs: number;
  readonly deadlineMs?: number | undefined;
}

/** Has the directory decide conditions, and answers reads that are as new as its order. */
export class ScopedEntries {
  readonly #options: ScopedEntriesOptions;

  constructor(options: ScopedEntriesOptions) {
    this.#options = options;
  }

  /** Throws `VALUE_TOO_LARGE` for a value that no proposal may carry. */
  checkLength(bytes: number): void {
    this.#options.writes.checkLength(bytes);
    if (bytes <= PROPOSED_BYTES_MAX) return;
    // `details.bytesMax` would tell clients that this node takes no larger value of any kind.
    const said = `Expected a value of at most ${PROPOSED_BYTES_MAX} bytes with scope=cluster, got ${bytes} or more`;
    throw new MeridianError("VALUE_TOO_LARGE", said);
  }

  /**
   * Sets a key if it has the live version `ifStamp` in the order of the log, or with null no live one. Throws what `Writes.set` throws before anything is written, and
   * `PRECONDITION_FAILED`, `NOT_SCOPED`, `CONDITIONS_UNAVAILABLE` or `OUTCOME_UNKNOWN`.
   */
  set(request: SetRequest, ifStamp: Stamp | null, needs: ScopedNeeds): Promise<WriteResult> {
    const { gate, writes } = this.#options;
    const { key, value, contentType, ttlMs = writes.ttlMsDefault } = request;
    gate.checkRoom();
    checkContentType(contentType);
    this.checkLength(value.byteLength);
    return this.#propose({ key, value, contentType, ttlMs, deleted: false, ifStamp }, needs);
  }

  /** Deletes a key if it has the live version `ifStamp` in the order of the log. Throws as `set` does. */
  delete(key: string, ifStamp: Stamp, needs: ScopedNeeds): Promise<WriteResult> {
    const content = { value: NO_BYTES, contentType: "", ttlMs: 0, deleted: true };
    return this.#propose({ key, ...content, ifStamp }, needs);
  }

  /** The live entry of a key, no older than anything that anybody was told of before the call. Throws `CONDITIONS_UNAVAILABLE`. */
  async find(key: string, timeoutMs: number): Promise<Entry | undefined> {
    checkClientKey(key);
    const { replica } = this.#options;
    const atMs = await replica.proposals.barrier(timeoutMs);
    const entry = replica.get(key);
    return entry !== undefined && isLive(entry, atMs) ? entry : undefined;
  }

  async #propose(write: ConditionalWrite, needs: ScopedNeeds): Promise<WriteResult> {
    const { gate, writes, replica, nodeId } = this.#options;
    checkClientKey(write.key);
    gate.check();
    writes.checkDeadline(needs.deadlineMs);
    const entry = await replica.proposals
      .propose(write, needs.timeoutMs)
      .catch((cause: unknown) => this.#explain(write.key, cause));
    const ready = replica.members.filter(({ status }) => status === "ready").map(({ id }) => id);
    const nodes = [nodeId, ...ready.filter((id) => id !== nodeId)];
    return {
      entries: [entry],
      acknowledged: {
        level: "directory",
        reached: true,
        local: true,
        directory: true,
        nodes: [nodeId],
        ready: nodes,
      },
    };
  }

  /** Says what the key has now, where a condition does not hold. */
  #explain(key: string, cause: unknown): never {
    if (!(cause instanceof MeridianError) || cause.code !== "PRECONDITION_FAILED") throw cause;
    const { replica } = this.#options;
    const entry = replica.get(key);
    const live = entry !== undefined && isLive(entry, replica.nowMs()) ? entry : undefined;
    const etag = live === undefined ? null : etagOf(live);
    const has = etag === null ? "no live value" : `the entity tag ${etag}`;
    throw new MeridianError(cause.code, `${cause.message}: the key has ${has}`, {
      details: { etag },
      cause,
    });
  }
}
