/** Digests and pages of a node's entries, as of a place in the log, for comparing nodes with each other. */
import type {
  Described,
  digest,
  digestPage as pageSchema,
  entryPage,
} from "@meridian/protocol/http-api";
import { digestAll, digestPage, type Replica } from "@meridian/replication";
import type { SqliteReplicaStore } from "@meridian/store";

import { entryPageOf, type EntryPageQuery } from "./entry-page.ts";

const defer = (callback: () => void): unknown => setImmediate(callback);

type StoreDigest = Described<typeof digest>;

/** Reads digests and pages of a node's entries. */
export class Contents {
  readonly #store: SqliteReplicaStore;
  readonly #replica: Pick<Replica, "info" | "nowMs">;
  #digesting: Promise<StoreDigest> | undefined;

  constructor(store: SqliteReplicaStore, replica: Pick<Replica, "info" | "nowMs">) {
    this.#store = store;
    this.#replica = replica;
  }

  /** The digest of everything. Calls that come while it is computed share the result. */
  digest(): Promise<StoreDigest> {
    this.#digesting ??= this.#digest().finally(() => {
      this.#digesting = undefined;
    });
    return this.#digesting;
  }

  /** The digest of the first entries of a part. */
  async digestPage({ limit, ...range }: EntryPageQuery): Promise<Described<typeof pageSchema>> {
    const sequence = this.#replica.info().applied;
    const page = await digestPage(this.#store, range, limit, defer, this.#replica.nowMs());
    return { ...page, horizon: this.#store.horizon, sequence };
  }

  /** The first entries of a part. */
  entryPage(query: EntryPageQuery): Described<typeof entryPage> {
    const sequence = this.#replica.info().applied;
    return { ...entryPageOf(this.#store, query, this.#replica.nowMs()), sequence };
  }

  async #digest(): Promise<StoreDigest> {
    const sequence = this.#replica.info().applied;
    const digest = await digestAll(this.#store, defer, this.#replica.nowMs());
    return { ...digest, sequence };
  }
}
