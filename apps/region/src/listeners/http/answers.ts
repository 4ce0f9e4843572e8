import type { AnswerStyle, HeaderList, OriginPolicy } from "@meridian/http";
import type { MeridianError } from "@meridian/protocol";

import type { CachedRecord } from "../../service/cached-record.ts";
import type { RegionService } from "../../service/region-service.ts";
import type { Tier } from "../../service/requests.ts";
import { EntryFace } from "../api/entry-face.ts";

/** The headers that all answers of a node share: its id, and the position that the client has seen. */
export function answerStyle(service: RegionService, origins: OriginPolicy): AnswerStyle {
  return { origins, headers: (error) => nodeHeaders(service, error) };
}

/** Who a node is, and what its client has seen whose request came when there had been `losses` losses. Default: as many as now. */
export function nodeHeaders(
  { nodeId, admission }: RegionService,
  error: MeridianError | undefined,
  losses?: number,
): HeaderList {
  const token = admission.positionToken(losses);
  const headers = ["Meridian-Node", nodeId, "Meridian-Position", token];
  return error?.code === "KEY_NOT_FOUND" ? ["Meridian-Cache", "miss", ...headers] : headers;
}

/** The node's time, from which a client reckons until when its next write may be made. */
export function timeHeaders({ time }: RegionService): HeaderList {
  return ["Meridian-Time", String(Math.floor(time.nowMs()))];
}

/**
 * The headers of every value. A cache may keep the value, but must ask each time whether it is still valid, which the entity tag makes cheap: an
 * entry may be replaced at any moment, and the client may have seen the newer one elsewhere. A browser must not run scripts that are in the value:
 * they would run with the rights of the node's own pages.
 */
// oxfmt-ignore
export const VALUE_HEADERS: HeaderList = [
  "Cache-Control", "no-cache",
  "Vary", "Meridian-Position",
  "X-Content-Type-Options", "nosniff",
  "Content-Security-Policy", "sandbox; default-src 'none'",
];

/** What an answer says of an entry besides its value. */
export function entryHeaders(record: CachedRecord, nowMs: number, tier: Tier): HeaderList {
  const { expiresAtMs } = record;
  const face = new EntryFace(record);
  return [
    "ETag",
    face.etag,
    "Age",
    ageOf(face, nowMs),
    ...(expiresAtMs === 0 ? [] : ["Meridian-Expires-At", String(expiresAtMs)]),
    "Meridian-Cache",
    tier,
    ...VALUE_HEADERS,
  ];
}

/** Seconds since the entry was made, those begun included. */
export function ageOf({ stampMs }: EntryFace, nowMs: number): string {
  return String(Math.max(0, Math.ceil((nowMs - stampMs) / 1000)));
}
