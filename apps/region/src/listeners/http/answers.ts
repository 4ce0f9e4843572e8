import type { AnswerStyle, HeaderList, OriginPolicy } from "@meridian/http";

import type { CachedRecord } from "../../service/cached-record.ts";
import type { RegionService } from "../../service/region-service.ts";
import type { Tier } from "../../service/requests.ts";
import { faceOf, type EntryFace } from "../api/entry-face.ts";

/** What all answers of a node have in common: who it is, and what its client has seen. */
export function answerStyle(service: RegionService, origins: OriginPolicy): AnswerStyle {
  return {
    origins,
    headers: (error) => [
      ...(error?.code === "KEY_NOT_FOUND" ? ["Meridian-Cache", "miss"] : []),
      "Meridian-Node",
      service.nodeId,
      "Meridian-Position",
      service.admission.positionToken(),
    ],
  };
}

/**
 * What is said of every value. A cache may keep it, but has to ask each time whether it still holds, which the entity tag
 * makes cheap: an entry may be replaced at any moment, and a client may have seen the newer one elsewhere. And whoever
 * stored it, a browser runs nothing that is in it: it would do so in the name of the node.
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
  const { expiresAtMs } = record.entry;
  const face = faceOf(record);
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
