import type { AnswerStyle, HeaderList, OriginPolicy } from "@meridian/http";

import type { CachedRecord } from "../cached-record.ts";
import type { RegionService, Tier } from "../region-service.ts";

/** What all answers of a node have in common: who it is, and what its client has seen. */
export function answerStyle(service: RegionService, origins: OriginPolicy): AnswerStyle {
  return {
    origins,
    headers: (error) => [
      ...(error?.code === "KEY_NOT_FOUND" ? ["Meridian-Cache", "miss"] : []),
      "Meridian-Node",
      service.nodeId,
      "Meridian-Position",
      service.positionToken(),
    ],
  };
}

/**
 * What an answer says of an entry besides its value: how fresh it is. A cache takes the entry's age off its lifetime
 * (RFC 9111, section 4.2), so that the first is rounded up and the second down for nothing to be kept beyond its end.
 */
export function freshnessHeaders(record: CachedRecord, nowMs: number, tier: Tier): HeaderList {
  const { expiresAtMs } = record.entry;
  return [
    "ETag",
    record.etag,
    "Age",
    ageOf(record, nowMs),
    "Cache-Control",
    cacheControlOf(record),
    ...(expiresAtMs === 0 ? [] : ["Meridian-Expires-At", String(expiresAtMs)]),
    "Meridian-Cache",
    tier,
  ];
}

/** Seconds since the entry was made, those begun included. */
export function ageOf(record: CachedRecord, nowMs: number): string {
  return String(Math.max(0, Math.ceil((nowMs - record.stampMs) / 1000)));
}

/** How long the entry is good for, from when it was made. */
export function cacheControlOf(record: CachedRecord): string {
  const { expiresAtMs } = record.entry;
  if (expiresAtMs === 0) return "no-cache";
  return `max-age=${Math.max(0, Math.floor((expiresAtMs - record.stampMs) / 1000))}`;
}
