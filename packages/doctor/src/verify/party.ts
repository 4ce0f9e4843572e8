/** A directory or a node whose data are compared. */
import {
  isPurgeable,
  MeridianError,
  parseStamp,
  type KeyRange,
  type ListedEntry,
  type Stamp,
} from "@meridian/protocol";
import {
  digestPage,
  directoryStatus,
  entryPage,
  regionStatus,
  type Described,
} from "@meridian/protocol/http-api";
import * as v from "valibot";

import type { DirectoryStanding } from "../directory-identity.ts";

/**
 * Asks a party, by its URL, for what is at a path and query, and resolves to what the schema describes. Rejects with the error that the party
 * answered, or with `NO_READY_NODE` if there was no answer.
 */
export type AskParty = <Schema extends v.GenericSchema>(
  url: string,
  target: string,
  schema: Schema,
) => Promise<Described<Schema>>;

/** Where a party is, and what it is called. */
export interface PartyAddress {
  /** `directory` for the only directory, otherwise the id or URL of the directory; the id of a node. */
  readonly name: string;
  /** The URL for `AskParty`; null for a node whose address is unknown. */
  readonly url: string | null;
  /** Present for a remembered node without a link: since when it is gone, null if that is unknown. */
  readonly gone?: { readonly sinceMs: number | null };
}

/** The digest of the beginning of a range. */
export interface DigestPage {
  readonly count: number;
  readonly fingerprint: string;
  readonly next: string | null;
}

/** What a party holds of a key. */
export interface Held extends Pick<ListedEntry, "state" | "expiresAtMs"> {
  readonly stamp: Stamp;
}

/** The entries of a party in a range, and the horizon under which it has purged others. */
export interface Holding {
  readonly horizon: number;
  readonly entries: ReadonlyMap<string, Held>;
}

/** Whether an entry is purgeable under a horizon, and so means the same as no entry. */
export function isGone({ stamp, state, expiresAtMs }: Held, horizon: number): boolean {
  const deleted = state === "deleted";
  return isPurgeable({ stamp, deleted, expiresAtMs: expiresAtMs ?? 0 }, horizon);
}

/** Entries by what they are. */
export type Tally = Readonly<Record<ListedEntry["state"], number>>;

/** Whether the party has emptied the value although it has not expired: other parties may still have it. */
export function isEmptied({ state, expiresAtMs }: Held): boolean {
  return state === "deleted" && expiresAtMs !== null;
}

/** How far a node is in the log it follows, and in handing over its own writes. */
export interface NodeProgress {
  readonly logId: number;
  readonly applied: number;
  readonly outboxThrough: number;
  readonly outboxAcknowledged: number;
}

/** How far a directory has followed the log of another one. */
interface FollowedProgress {
  /** The URL by which it reaches the other one. */
  readonly name: string;
  /** 0 before the other directory has answered for the first time. */
  readonly logId: number;
  readonly applied: number;
}

/** How far the log of a directory has come, and how far it has followed others. */
export interface LogProgress extends DirectoryStanding {
  readonly cluster: string;
  readonly head: number;
  readonly peers: readonly FollowedProgress[];
}

const digestOfPage = v.pick(digestPage, ["count", "fingerprint", "next"]);
const nodeStanding = v.object({
  id: regionStatus.entries.id,
  cluster: regionStatus.entries.cluster,
  replica: v.pick(regionStatus.entries.replica, [
    "logId",
    "applied",
    "outboxThrough",
    "outboxPending",
  ]),
});
const logStanding = v.object({
  cluster: directoryStatus.entries.cluster,
  logId: directoryStatus.entries.logId,
  url: directoryStatus.entries.url,
  beside: directoryStatus.entries.beside,
  head: directoryStatus.entries.head,
  peers: v.array(v.pick(directoryStatus.entries.peers.item, ["name", "logId", "applied"])),
});

const ENTRIES_PER_PAGE = 1_000;

/** One party. Every method throws the error that the party answered, or `NO_READY_NODE` if there was no answer. */
export class Party {
  readonly name: string;
  readonly url: string | null;
  readonly gone: PartyAddress["gone"];
  /** The cluster that the party must belong to; undefined for any. */
  cluster: string | undefined;
  readonly #ask: AskParty;

  constructor({ name, url, gone }: PartyAddress, ask: AskParty) {
    this.#ask = ask;
    this.name = name;
    this.url = url;
    this.gone = gone;
  }

  /** How many of its entries are live, expired and deleted; undefined if they are more than `most`. */
  async tally(most: number): Promise<Tally | undefined> {
    const tally = { live: 0, expired: 0, deleted: 0 };
    let left = most;
    for await (const { entries } of this.#pages({ after: null, through: null })) {
      left -= entries.length;
      if (left < 0) return undefined;
      for (const { state } of entries) tally[state] += 1;
    }
    return tally;
  }

  /** The digest of the first `limit` entries of a range. */
  digest(range: KeyRange, limit: number): Promise<DigestPage> {
    return this.#get("/digest", digestOfPage, { ...range, limit });
  }

  /** Everything in a range, tombstones and expired entries included. */
  async entries(range: KeyRange): Promise<Holding> {
    const held = new Map<string, Held>();
    let highest = 0;
    for await (const { entries, horizon } of this.#pages(range)) {
      highest = Math.max(highest, horizon);
      for (const { key, stamp, state, expiresAtMs } of entries) {
        held.set(key, { stamp: parseStamp(stamp), state, expiresAtMs });
      }
    }
    return { horizon: highest, entries: held };
  }

  /**
   * The progress of a node. Throws `NO_READY_NODE` if another node answers at its URL, and `WRONG_CLUSTER` if a node of another cluster does, whose
   * data must not be compared.
   */
  async nodeProgress(): Promise<NodeProgress> {
    const { id, cluster, replica } = await this.#get("/status", nodeStanding);
    if (id !== this.name) {
      const said = `Expected the node \`${this.name}\` at ${this.url}, got \`${id}\``;
      throw new MeridianError("NO_READY_NODE", said);
    }
    this.#checkCluster(cluster);
    const { logId, applied, outboxThrough, outboxPending } = replica;
    return { logId, applied, outboxThrough, outboxAcknowledged: outboxThrough - outboxPending };
  }

  /** The progress of a directory's log. Throws `WRONG_CLUSTER` if a directory of another cluster answers. */
  async logProgress(): Promise<LogProgress> {
    const progress = await this.#get("/status", logStanding);
    this.#checkCluster(progress.cluster);
    return progress;
  }

  #checkCluster(cluster: string): void {
    if (this.cluster === undefined || this.cluster === cluster) return;
    const said = `Expected one of cluster \`${this.cluster}\` at ${this.url}, got one of \`${cluster}\``;
    throw new MeridianError("WRONG_CLUSTER", said);
  }

  async *#pages({ after, through }: KeyRange): AsyncGenerator<Described<typeof entryPage>, void> {
    for (let from = after; ;) {
      const query = { after: from, through, limit: ENTRIES_PER_PAGE };
      const page = await this.#get("/entries", entryPage, query);
      yield page;
      if (page.next === null) return;
      from = page.next;
    }
  }

  #get<Schema extends v.GenericSchema>(
    path: string,
    schema: Schema,
    query: Readonly<Record<string, string | number | null>> = {},
  ): Promise<Described<Schema>> {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null) given.set(name, String(value));
    }
    const search = given.toString();
    const target = search === "" ? path : `${path}?${search}`;
    if (this.url !== null) return this.#ask(this.url, target, schema);
    const said = `Expected a directory to know where ${this.name} is, got none`;
    return Promise.reject(new MeridianError("NO_READY_NODE", said));
  }
}
