import type {
  Backups,
  EventStreams,
  HistoryNews,
  OriginPolicy,
  PageQuery,
  RateLimits,
  RequestLimit,
  SlowRequests,
} from "@meridian/http";
import type { Coordinates, MeridianError } from "@meridian/protocol";
import type { Described, directoryStatus } from "@meridian/protocol/http-api";
import type { DirectoryInfo } from "@meridian/replication";
import type { Clock, Logger, Metrics } from "@meridian/runtime";

import type { DirectoryWord } from "../beside.ts";
import type { LogDigest } from "../log-digest.ts";
import type { Operations } from "../operations.ts";
import type { NodeViews } from "../views/node-views.ts";
import type { Troubles } from "../views/troubles.ts";
import type { LogDigestPage, LogEntryPage } from "../log-pages.ts";
import type { NodeNews } from "./node-news.ts";
import type { NodeSource } from "./nodes.ts";

/** The parts of a directory that its HTTP API reads. */
export interface DirectoryService extends NodeSource {
  /** What the operator calls the directory; null if nothing. */
  readonly id: string | null;
  /** Where regions reach it, as its options say; null if they do not. */
  readonly url: string | null;
  /** The place of the directory on maps; undefined if its options give none. */
  readonly place: Coordinates | undefined;
  readonly cluster: string;
  readonly version: string;
  readonly startedAtMs: number;
  /** Nodes with that lag or more are not offered to clients; it may change. */
  readonly lag: { readonly maxMs: number };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limit: RequestLimit;
  /** How often each client may ask. */
  readonly limits: RateLimits;
  readonly slow: SlowRequests;
  /** Which web pages may ask. */
  readonly origins: OriginPolicy;
  /** The numbers of the directory, with how full each queue is. */
  readonly metrics: Metrics;
  readonly backups: Backups;
  readonly streams: EventStreams;
  readonly news: NodeNews;
  /** Where the console's files are; without it, there is no console. */
  readonly consoleFolder?: string | undefined;
  readonly views: NodeViews;
  readonly troubles: Pick<Troubles, "answer">;
  readonly history: HistoryNews;
  info(): DirectoryInfo;
  /** The other directories whose log is in the same stream. */
  beside(): readonly DirectoryWord[];
  /** See `Operations`. */
  acceptLoss: Operations["acceptLoss"];
  /** The log's store in plain numbers. */
  store(): Described<typeof directoryStatus>["store"];
  /** The disk of the log; undefined if the platform does not say. */
  disk(): Described<typeof directoryStatus>["disk"];
  digest(): Promise<LogDigest>;
  /** The digest of a part of the log, and the entries in one. */
  digestPage(query: PageQuery): Promise<LogDigestPage>;
  entryPage(query: PageQuery): Promise<LogEntryPage>;
  /** The damage of the log's database, if it has any. */
  damage(): MeridianError | undefined;
  /** How the keeping of snapshots of a log in a stream goes; null for a log that is not in one. */
  snapshots(): Described<typeof directoryStatus>["snapshots"];
  /** For how long nobody has told this directory who is there; undefined while it knows. */
  unheardMs(): number | undefined;
  /** Why requests should go elsewhere; undefined while all is well. */
  notReady(): MeridianError | undefined;
}
