/** The schemas of a directory's answers over HTTP. */
import * as v from "valibot";

import {
  count,
  disk,
  gauge,
  instant,
  load,
  nodeStatus,
  presentStatus,
  storeStats,
  wholeNumber,
} from "./elements.ts";

const place = {
  id: v.string(),
  region: v.string(),
  url: v.string(),
  ip: v.string(),
  port: count,
  lat: v.number(),
  lon: v.number(),
};

/** A node near a place. */
export const nearestNode = v.object({
  ...place,
  distanceMeters: count,
  status: nodeStatus,
  lagMs: v.number(),
  load,
});

/** The nodes near a place, nearest first. */
export const nearest = v.object({ nodes: v.array(nearestNode) });

/** A node that has a link to a directory. */
export const presentNode = v.object({
  ...place,
  status: presentStatus,
  goneSinceMs: v.null(),
  lagMs: v.number(),
  load,
  appliedThrough: count,
  outboxPending: count,
  skewMs: wholeNumber,
  peer: v.nullable(v.string()),
  connectedAtMs: instant,
  bufferedBytes: count,
  unsent: count,
});

/** A node that is remembered and has no link. */
export const absentNode = v.object({
  ...place,
  status: v.literal("gone"),
  goneSinceMs: instant,
  lagMs: v.null(),
  load: v.null(),
  appliedThrough: v.null(),
  outboxPending: v.null(),
  skewMs: v.null(),
  peer: v.null(),
  connectedAtMs: v.null(),
  bufferedBytes: v.null(),
  unsent: v.null(),
});

/** What an answer says of the progress of an absent node, which is not known. */
export const UNKNOWN_PROGRESS = {
  lagMs: null,
  load: null,
  appliedThrough: null,
  outboxPending: null,
  skewMs: null,
  peer: null,
  connectedAtMs: null,
  bufferedBytes: null,
  unsent: null,
} as const;

/** A node as its directory knows it. */
export const node = v.variant("status", [presentNode, absentNode]);

/** All nodes that the directory knows. */
export const nodes = v.object({ nodes: v.array(node) });

/** Why a log may have lacked something: conditions are decided by it again. Null if nothing was known to be missing. */
export const doubtEnded = v.object({
  ended: v.nullable(v.object({ why: v.string(), sinceMs: instant })),
});

/** A directory in numbers. */
export const directoryStatus = v.object({
  id: v.optional(v.nullable(v.string())),
  url: v.optional(v.nullable(v.string())),
  cluster: v.string(),
  version: v.string(),
  startedAtMs: instant,
  nowMs: instant,
  logId: count,
  epoch: count,
  head: count,
  committedThrough: count,
  horizonAtMs: v.nullable(v.number()),
  horizonFrozenUntilMs: v.number(),
  nodes: v.record(v.string(), count),
  connections: count,
  reconciling: v.nullable(v.string()),
  reconcileWaiting: count,
  syncing: v.boolean(),
  stall: v.nullable(v.string()),
  peers: v.array(
    v.object({
      name: v.string(),
      connected: v.boolean(),
      logId: count,
      epoch: count,
      applied: count,
      behind: count,
      lagMs: v.number(),
      reconciling: v.boolean(),
      members: count,
    }),
  ),
  beside: v.optional(
    v.array(
      v.object({
        id: v.nullable(v.string()),
        url: v.string(),
        lat: v.nullable(v.number()),
        lon: v.nullable(v.number()),
      }),
    ),
  ),
  clocks: v.object({
    aheadMs: wholeNumber,
    agreeing: count,
    members: count,
    confirmed: v.boolean(),
    deviant: v.array(v.object({ id: v.string(), aheadMs: wholeNumber })),
  }),
  bufferedBytes: count,
  recentBytes: count,
  lagMaxMs: v.number(),
  lat: v.optional(v.nullable(v.number())),
  lon: v.optional(v.nullable(v.number())),
  damage: v.nullable(v.string()),
  snapshots: v.optional(
    v.nullable(v.object({ keptAtMs: v.nullable(instant), failure: v.nullable(v.string()) })),
  ),
  conditions: v.optional(
    v.object({
      decides: v.boolean(),
      why: v.nullable(v.string()),
      doubtSinceMs: v.nullable(instant),
    }),
  ),
  gauges: v.array(gauge),
  disk,
  store: v.object({
    ...storeStats.entries,
    swept: v.object({ horizon: count, through: count }),
  }),
});
