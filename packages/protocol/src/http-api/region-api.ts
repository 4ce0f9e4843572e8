/** The schemas of a region's answers over HTTP, and of the bodies that it takes. */
import * as v from "valibot";

import {
  acknowledgement,
  count,
  described,
  disk,
  etag,
  expiry,
  gauge,
  instant,
  key,
  nextKey,
  nodeStatus,
  storeStats,
  wholeNumber,
} from "./elements.ts";

const writtenEntry = v.object({ key, etag, expiresAtMs: expiry });

/** The answer to a write of one key. */
export const written = v.object({ ...writtenEntry.entries, acknowledged: acknowledgement });

/** The answer to a delete. */
export const deleted = v.object({ ...written.entries, deleted: v.boolean() });

/** The answer to `POST /batch/set`. */
export const batchWritten = v.object({
  entries: v.array(writtenEntry),
  acknowledged: acknowledgement,
});

/** The answer to `POST /batch/delete`. */
export const batchDeleted = v.object({
  entries: v.array(
    v.object({
      key,
      etag,
      deleted: described(v.boolean(), "Whether the region had a live value."),
    }),
  ),
  acknowledged: acknowledgement,
});

const encoding = v.picklist(["utf8", "base64"]);

/** A live entry with its value. */
export const found = v.object({
  key,
  found: v.literal(true),
  value: v.string(),
  encoding,
  contentType: v.string(),
  etag,
  expiresAtMs: expiry,
});

/** The answer to `POST /cache`, with the value as it was stored. */
export const saved = v.object({
  ...written.entries,
  value: found.entries.value,
  encoding,
  contentType: v.string(),
});

/** The answer to `POST /batch/get`, in the order of the keys asked for. */
export const batchFound = v.object({
  entries: v.array(v.variant("found", [found, v.object({ key, found: v.literal(false) })])),
});

/** The answer to `POST /batch/has`, in the order of the keys asked for. */
export const batchPresence = v.object({
  entries: v.array(v.object({ key, found: v.boolean(), etag: v.optional(etag) })),
});

/** What a region knows of a key beside its value. */
export const entryReport = v.object({
  key,
  state: described(
    v.picklist(["live", "deleted", "expired", "absent"]),
    "`absent`: the region has no entry of the key, or has forgotten that it was deleted.",
  ),
  tier: described(
    v.nullable(v.picklist(["memory", "store"])),
    "Where a read would find it: in memory, or on disk alone.",
  ),
  nowMs: described(v.number(), "The region's time, by which the value expires."),
  stamp: v.nullable(v.string()),
  writtenAtMs: described(v.nullable(v.number()), "When it was written, by its writer's clock."),
  etag: v.nullable(v.string()),
  contentType: v.nullable(v.string()),
  bytes: v.nullable(count),
  expiresAtMs: expiry,
  changes: described(
    v.nullable(
      v.array(
        v.object({
          event: v.picklist(["set", "delete", "expire"]),
          stamp: v.string(),
          writtenAtMs: v.number(),
          atMs: described(v.number(), "When the region had it, by its machine's clock."),
          writtenHere: v.boolean(),
        }),
      ),
    ),
    "The last changes of the key, the newest first, 20 at most of those among the last 8 192 of the region, since somebody watches keys of the region or has asked for one within a minute; null where nobody had.",
  ),
});

const keys = v.pipe(v.array(key), v.minLength(1), v.maxLength(1_000));

/** The body of `POST /batch/get` and `POST /batch/has`. */
export const batchGetBody = v.object({ keys });

const duration = v.union([v.string(), v.number()]);
const terms = {
  ack: v.optional(v.union([v.string(), v.number()])),
  timeout: v.optional(v.string()),
};

/** The body of `POST /batch/delete`. */
export const batchDeleteBody = v.object({ keys, ...terms });

/** The body of `POST /batch/set`. */
export const batchSetBody = v.object({
  entries: v.pipe(
    v.array(
      v.object({
        key,
        value: v.string(),
        encoding: v.optional(encoding),
        contentType: v.optional(v.string()),
        ttl: v.optional(duration),
      }),
    ),
    v.minLength(1),
    v.maxLength(1_000),
  ),
  ...terms,
});

/** A page of live keys. */
export const keyPage = v.object({
  keys: v.array(
    v.object({
      key,
      bytes: count,
      contentType: v.string(),
      etag,
      expiresAtMs: expiry,
      value: described(v.optional(v.string()), "With `values=true` only."),
      encoding: v.optional(encoding),
    }),
  ),
  next: nextKey,
});

/** The answer to `POST /lease`. */
export const lease = v.object({
  key,
  lease: described(
    v.nullable(v.string()),
    "The id of the lease; null if another client holds the lease, or has given it back meanwhile.",
  ),
});

/** The answer to `DELETE /lease`. */
export const released = v.object({
  key,
  released: described(v.boolean(), "Whether the lease was still held."),
});

/** What a page shows instead of a token. */
export const watchTicket = v.object({
  ticket: v.string(),
  expiresInMs: described(count, "For how many milliseconds the ticket is good, once."),
});

const quarantinedEntry = v.object({
  id: count,
  key,
  bytes: count,
  contentType: v.string(),
  etag,
  expiresAtMs: expiry,
  quarantinedAtMs: instant,
});

/** A page of the quarantine. */
export const quarantinePage = v.object({
  size: count,
  entries: v.array(quarantinedEntry),
  next: v.nullable(count),
});

/** A quarantined entry with its value. */
export const quarantined = v.object({ ...quarantinedEntry.entries, value: v.string(), encoding });

/** The answer to a replay. */
export const replayed = v.object({ ...written.entries, id: count });

/** The answer to a drop. */
export const dropped = v.object({ id: count, dropped: v.literal(true) });

const revocation = v.object({ id: v.string(), expiresAtMs: expiry });

/** A page of revoked tokens. */
export const revocationPage = v.object({
  size: count,
  entries: v.array(revocation),
  next: v.nullable(v.string()),
});

/** The answer to a revocation. */
export const revoked = v.object({ ...revocation.entries, acknowledged: acknowledgement });

/** A region in numbers. */
export const regionStatus = v.object({
  id: v.string(),
  region: v.string(),
  lat: v.number(),
  lon: v.number(),
  url: v.string(),
  cluster: v.string(),
  version: v.string(),
  startedAtMs: instant,
  nowMs: instant,
  status: nodeStatus,
  readyPeers: described(v.array(v.string()), "The other registered regions that are ready."),
  damage: described(v.nullable(v.string()), "What is wrong with the database, if it is damaged."),
  shortage: described(
    v.nullable(v.string()),
    "Why the store takes no new values now, if it does not.",
  ),
  directory: described(v.nullable(v.string()), "The URL of the directory it is at or dials."),
  // Regions before 0.3 do not say it.
  directories: v.optional(
    described(
      v.array(v.string()),
      "The URLs of the directories that it dials, the preferred one first.",
    ),
  ),
  directoriesFound: described(
    v.nullable(v.string()),
    "What was found where the directories ought to be, if none has ever admitted the region.",
  ),
  replica: v.object({
    incarnation: count,
    logId: count,
    epoch: count,
    applied: count,
    committedThrough: count,
    behind: count,
    lagMs: v.number(),
    outboxThrough: count,
    outboxPending: count,
    horizonAtMs: v.nullable(v.number()),
    quarantined: count,
    connected: v.boolean(),
    directory: count,
    reconciling: v.boolean(),
    heldBack: v.boolean(),
    admission: v.picklist(["admitted", "never", "refused"]),
    refusal: v.nullable(v.string()),
    skewMs: wholeNumber,
    clockCorrected: v.boolean(),
    clocksAgreeing: count,
    clocksMembers: count,
    clockConfirmed: v.boolean(),
  }),
  gauges: v.array(gauge),
  disk,
  store: storeStats,
  cache: v.object({
    entries: count,
    bytes: count,
    removals: v.record(v.string(), count),
    reads: v.object({ memory: count, store: count, misses: count }),
    // Regions before 0.3 do not say it.
    heat: described(
      v.optional(v.nullable(v.record(v.string(), count))),
      "What came of `--share-heat`; null without it.",
    ),
  }),
  requests: v.object({ active: count, perSecond: v.number() }),
});
