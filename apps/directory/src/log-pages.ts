import type { DirectoryLog } from "@meridian/ports";
import {
  compareKeys,
  isPurgeable,
  listEntry,
  REVOCATION_PREFIX,
  type ListedEntry,
  type KeyRange,
} from "@meridian/protocol";
import { digestPage, type DigestPage } from "@meridian/replication";
import type { Clock } from "@meridian/runtime";
import type { SqliteDirectoryLog } from "@meridian/store";
import type { Revocations } from "@meridian/tokens";

/** The digest of a part of the log, and a sequence through which the log has been looked at. */
export interface LogDigestPage extends DigestPage {
  /** The log's horizon: what is purgeable under it counts as absent. */
  readonly horizon: number;
  readonly sequence: number;
}

/** What the log holds in a part of the key space: tombstones and expired entries too, but for purgeable ones. */
export interface LogEntryPage {
  readonly horizon: number;
  readonly entries: readonly ListedEntry[];
  /** The key that the next page starts after; null if the range ends here. */
  readonly next: string | null;
  readonly sequence: number;
}

/** The parts of a log that pages are read from. */
export type PagedLog = Pick<
  DirectoryLog,
  "committedThrough" | "horizonState" | "settle" | "summaryPage"
> &
  Pick<SqliteDirectoryLog, "factsAfter">;

type Query = KeyRange & { readonly limit: number };

/** Reads parts of a log, a bounded number of entries at a time. Entries that are written meanwhile may be in them. */
export class LogPages {
  readonly #log: PagedLog;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(log: PagedLog, clock: Pick<Clock, "nowMs">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** The digest of the first entries of a range: of everything that is committed now, at least. */
  async digest({ limit, ...range }: Query): Promise<LogDigestPage> {
    const sequence = await this.#settled();
    const { horizon } = this.#log.horizonState;
    const nowMs = this.#clock.nowMs();
    const page = await digestPage(this.#log, range, limit, setImmediate, nowMs);
    return { ...page, horizon, sequence };
  }

  /** The first entries of a range: everything that is committed now, at least. */
  async entries({ after, through, limit }: Query): Promise<LogEntryPage> {
    const sequence = await this.#settled();
    const nowMs = this.#clock.nowMs();
    const read = this.#log.factsAfter(after, limit);
    const within = read.filter(({ key }) => through === null || compareKeys(key, through) <= 0);
    const last = within.at(-1)?.key ?? null;
    const isOver = within.length < limit || last === through;
    const { horizon } = this.#log.horizonState;
    const entries = within
      .filter((facts) => !isPurgeable(facts, horizon))
      .map((facts) => listEntry(facts, nowMs));
    return { horizon, entries, next: isOver ? null : last, sequence };
  }

  #settled(): Promise<number> {
    return settled(this.#log);
  }
}

/** Reads which tokens have been revoked, as far as the log knows, in bounded steps. */
export async function learnRevocations(log: PagedLog, revocations: Revocations): Promise<void> {
  await settled(log);
  await revocations.takePages((after) => {
    const page = log.factsAfter(after, PAGE);
    const entries = page.filter(({ key }) => key.startsWith(REVOCATION_PREFIX));
    return { entries, next: entries.length < PAGE ? null : (entries.at(-1)?.key ?? null) };
  });
}

const PAGE = 1_000;

/** Resolves to the sequence through which everything can be read. */
function settled(log: PagedLog): Promise<number> {
  const sequence = log.committedThrough;
  return new Promise((resolve, reject) => {
    log.settle((failure) => {
      if (failure === undefined) resolve(sequence);
      else reject(failure);
    });
  });
}
