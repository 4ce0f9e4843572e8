/** A directory or a node, as whoever compares their data asks it. */
import {
  isPurgeable,
  MeridianError,
  parseStamp,
  type ListedEntry,
  type Stamp,
} from "@meridian/protocol";

import { getJson } from "../directory-api.ts";

/** Where a party is, and what it is called. */
export interface PartyAddress {
  /** `directory` for the only one, else what the operator or its URL calls it; the id of a node. */
  readonly name: string;
  /** Null for a node of which nobody knows where it is. */
  readonly url: string | null;
  /** Of a node that the directories remember and miss: since when, null where nobody can tell. */
  readonly gone?: { readonly sinceMs: number | null };
}

/** Keys after `after` through `through`; null for the ends of the key space. */
export interface KeyRange {
  readonly after: string | null;
  readonly through: string | null;
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

/** What a party holds in a range, and the horizon under which the rest of what it once held is gone. */
export interface Holding {
  readonly horizon: number;
  readonly entries: ReadonlyMap<string, Held>;
}

/** Whether holding this means the same as holding nothing, to whoever has come to that horizon. */
export function isGone({ stamp, state, expiresAtMs }: Held, horizon: number): boolean {
  const deleted = state === "deleted";
  return isPurgeable({ stamp, deleted, expiresAtMs: expiresAtMs ?? 0 }, horizon);
}

/** Entries by what they are. */
export type Tally = Readonly<Record<ListedEntry["state"], number>>;

/** Whether the value is gone although its time is not over: the party lacks what others may have. */
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

/** How far a directory has the log of another one that it follows. */
interface FollowedProgress {
  /** The URL by which it reaches the other one. */
  readonly name: string;
  /** 0 before it was first heard of. */
  readonly logId: number;
  readonly applied: number;
}

/** How far the log of a directory is. */
export interface LogProgress {
  readonly logId: number;
  readonly head: number;
  readonly peers: readonly FollowedProgress[];
}

type Json = Readonly<Record<string, unknown>>;

const ENTRIES_PER_PAGE = 1_000;

/** One party. Every method throws what it answered, or `NO_READY_NODE` where nothing came. */
export class Party {
  readonly name: string;
  readonly url: string | null;
  readonly gone: PartyAddress["gone"];

  constructor({ name, url, gone }: PartyAddress) {
    this.name = name;
    this.url = url;
    this.gone = gone;
  }

  /** How many of its entries are live, expired and deleted; undefined if they are more than `most`. */
  async tally(most: number): Promise<Tally | undefined> {
    const tally = { live: 0, expired: 0, deleted: 0 };
    let left = most;
    for (let after: string | null = null; ;) {
      const { entries, next } = await this.#get("/entries", { after, limit: ENTRIES_PER_PAGE });
      if (!Array.isArray(entries)) throw this.#unexpected("entries", entries);
      left -= entries.length;
      if (left < 0) return undefined;
      for (const { state } of entries as readonly ListedEntry[]) tally[state] += 1;
      if (next === null) return tally;
      after = this.#text("next", next);
    }
  }

  /** The digest of the first `limit` entries of a range. */
  async digest(range: KeyRange, limit: number): Promise<DigestPage> {
    const { count, fingerprint, next } = await this.#get("/digest", { ...range, limit });
    return {
      count: this.#number("count", count),
      fingerprint: this.#text("fingerprint", fingerprint),
      next: next === null ? null : this.#text("next", next),
    };
  }

  /** Everything in a range, tombstones and expired entries included. */
  async entries(range: KeyRange): Promise<Holding> {
    const held = new Map<string, Held>();
    let highest = 0;
    for (let { after } = range; ;) {
      const limit = ENTRIES_PER_PAGE;
      const { entries, next, horizon } = await this.#get("/entries", { ...range, after, limit });
      if (!Array.isArray(entries)) throw this.#unexpected("entries", entries);
      highest = Math.max(highest, this.#number("horizon", horizon));
      for (const { key, stamp, state, expiresAtMs } of entries as readonly ListedEntry[]) {
        const parsed = parseStamp(this.#text("stamp", stamp));
        held.set(this.#text("key", key), { stamp: parsed, state, expiresAtMs });
      }
      if (next === null) return { horizon: highest, entries: held };
      after = this.#text("next", next);
    }
  }

  /** How far it is, if it is a node. */
  async nodeProgress(): Promise<NodeProgress> {
    const { replica } = await this.#get("/status", {});
    if (typeof replica !== "object" || replica === null) throw this.#unexpected("replica", replica);
    const { logId, applied, outboxThrough, outboxPending } = replica as Json;
    const through = this.#number("outboxThrough", outboxThrough);
    return {
      logId: this.#number("logId", logId),
      applied: this.#number("applied", applied),
      outboxThrough: through,
      outboxAcknowledged: through - this.#number("outboxPending", outboxPending),
    };
  }

  /** How far it is, if it is a directory. */
  async logProgress(): Promise<LogProgress> {
    const { logId, head, peers } = await this.#get("/status", {});
    if (!Array.isArray(peers)) throw this.#unexpected("peers", peers);
    return {
      logId: this.#number("logId", logId),
      head: this.#number("head", head),
      peers: (peers as readonly Json[]).map((peer) => ({
        name: this.#text("name", peer["name"]),
        logId: this.#number("logId", peer["logId"]),
        applied: this.#number("applied", peer["applied"]),
      })),
    };
  }

  #get(path: string, query: Readonly<Record<string, string | number | null>>): Promise<Json> {
    const given = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null) given.set(name, String(value));
    }
    const search = given.toString();
    const target = search === "" ? path : `${path}?${search}`;
    if (this.url !== null) return getJson(this.url + target, "NO_READY_NODE");
    const said = `Expected a directory to know where ${this.name} is, got none`;
    return Promise.reject(new MeridianError("NO_READY_NODE", said));
  }

  #number(name: string, value: unknown): number {
    if (typeof value === "number") return value;
    throw this.#unexpected(name, value);
  }

  #text(name: string, value: unknown): string {
    if (typeof value === "string") return value;
    throw this.#unexpected(name, value);
  }

  #unexpected(name: string, value: unknown): MeridianError {
    const got = JSON.stringify(value)?.slice(0, 80) ?? "nothing";
    return new MeridianError("INTERNAL", `Expected \`${name}\` from ${this.url}, got ${got}`);
  }
}
