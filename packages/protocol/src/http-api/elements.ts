import * as v from "valibot";

import { ERROR_KINDS, type ErrorCode } from "../errors.ts";
import { NODE_STATUSES } from "../node-status.ts";
import type { Described, Parameter } from "./route.ts";

/** Returns the schema with a description for the generated documents. */
export function described<Schema extends v.GenericSchema>(
  schema: Schema,
  description: string,
): v.SchemaWithPipe<readonly [Schema, v.DescriptionAction<v.InferOutput<Schema>, string>]> {
  return v.pipe(schema, v.description(description)) as never;
}

export const count = v.pipe(v.number(), v.integer(), v.minValue(0));
export const wholeNumber = v.pipe(v.number(), v.integer());
export const instant = described(v.number(), "Milliseconds since the Unix epoch.");
export const expiry = described(
  v.nullable(v.number()),
  "When the value expires, in milliseconds since the Unix epoch; null for never.",
);
export const etag = described(v.string(), "The quoted ETag of this version of the value.");
export const key = described(v.string(), "1 to 1 024 bytes of UTF-8.");
export const nextKey = described(
  v.nullable(v.string()),
  "The `after` of the next page; null at the end.",
);
const fingerprint = described(v.string(), "Equal fingerprints and counts mean equal data.");

/** The status of a node that has a link. */
export const presentStatus = v.picklist(NODE_STATUSES);

export const nodeStatus = v.picklist([...NODE_STATUSES, "gone"]);

export const load = v.object({
  entries: count,
  bytes: count,
  requestsPerSecond: v.number(),
  refusing: v.optional(v.boolean()),
});

export const gauge = v.object({
  name: v.string(),
  now: v.number(),
  max: described(v.number(), "The bound. What would exceed it is refused, or waits at its sender."),
});

export const acknowledgement = v.object({
  level: v.union([v.picklist(["local", "directory", "all"]), count]),
  reached: described(v.boolean(), "Whether the level asked for was reached in time."),
  local: v.literal(true),
  directory: v.boolean(),
  nodes: described(v.array(v.string()), "The nodes that are known to have the write durably."),
  ready: described(v.array(v.string()), "The nodes that are known to be ready."),
});

/** The `application/problem+json` body (RFC 9457) of a failed request. Some codes have more members. */
export const problem = v.looseObject({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.picklist(Object.keys(ERROR_KINDS) as ErrorCode[]),
  retryable: described(v.boolean(), "Whether the same request may succeed later, unchanged."),
});

export const health = v.object({ status: v.literal("ok") });
/** A backup that a program makes of its database. */
export const backupReport = v.object({
  id: v.string(),
  kind: described(
    v.picklist(["replica", "directory"]),
    "Whose database it is: a region's or a directory's.",
  ),
  version: described(v.string(), "The version of the program."),
  takenAtMs: instant,
  state: v.picklist(["copying", "ready", "failed"]),
  done: described(v.number(), "How much of the database is copied, from 0 to 1."),
  failure: described(v.nullable(v.string()), "Why the backup failed; null unless it has."),
  schema: described(v.nullable(count), "The version of the database's schema."),
  bytes: described(v.nullable(count), "The size of the database, once it is ready."),
  sha256: described(
    v.nullable(v.string()),
    "The SHA-256 of the database in hex, once it is ready.",
  ),
});

/** The state of a program's backup. */
export type BackupReport = Described<typeof backupReport>;

export const readiness = v.object({ status: v.literal("ready") });

export const listedEntry = v.object({
  key,
  stamp: v.string(),
  state: v.picklist(["live", "deleted", "expired"]),
  expiresAtMs: expiry,
  bytes: count,
});

/** How the numbers of a program went, the oldest first. */
export const history = v.object({
  everyMs: described(count, "How far the points are apart, in milliseconds."),
  atMs: v.array(instant),
  lines: described(
    v.record(v.string(), v.array(v.nullable(v.number()))),
    "By name, a number for each of `atMs`; null where it is not known. Names that end in `PerSecond` are what a counter grew by.",
  ),
});

/** What is wrong, as far as the program can find out. */
export const trouble = v.object({
  nowMs: instant,
  directories: described(count, "How many directories were asked."),
  nodes: described(count, "How many nodes were asked."),
  complaints: v.array(
    v.object({
      kind: v.string(),
      who: described(v.string(), "The program that has the problem: an id or a URL."),
      what: described(v.string(), "What is wrong, as a sentence."),
      remedy: described(v.string(), "What to do, as a sentence."),
    }),
  ),
});

export const storeStats = v.object({
  entries: v.nullable(count),
  journalRows: count,
  databaseBytes: count,
  walBytes: count,
  unfoldedEntries: count,
  unfoldedBytes: count,
  pendingRecords: count,
  pendingBytes: count,
  purging: v.boolean(),
  failed: v.boolean(),
});

// Programs before 0.3 do not say it.
export const disk = v.optional(
  described(
    v.object({ freeBytes: count, sizeBytes: count }),
    "The disk of the data folder, if the platform tells how large it is.",
  ),
);

/** The digest of everything. */
export const digest = v.object({ count, fingerprint, sequence: count });

/** The digest of a part of the keys. */
export const digestPage = v.object({
  count,
  fingerprint,
  next: nextKey,
  horizon: count,
  sequence: count,
});

/** The entries in a part of the keys. */
export const entryPage = v.object({
  horizon: count,
  entries: v.array(listedEntry),
  next: nextKey,
  sequence: count,
});

/** The part of the keys that a page is about. */
export const RANGE: readonly Parameter[] = [
  { name: "after", description: "Only keys after this one." },
  { name: "through", description: "Only keys through this one." },
];
