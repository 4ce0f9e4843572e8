/**
 * Conditional requests (RFC 9110, section 13). An entry's stamp is its entity tag: strong, and unique over
 * all keys and times. Tags are also understood without their quotes.
 */
import { MeridianError } from "@meridian/protocol";

import { etagOf } from "../cached-record.ts";
import type { Condition } from "../region-service.ts";
import type { HeaderReader } from "./arguments.ts";

/** Whether an `If-None-Match` of `list` names `etag` (weak comparison), so that the client has it already. */
export function noneMatchNames(list: string, etag: string): boolean {
  return tagsOf(list).some((tag) => tag === "*" || tag.replace(/^W\//, "") === etag);
}

/** What `If-Match` and `If-None-Match` ask of a write; undefined if there are none. */
export function conditionOf(header: HeaderReader): Condition | undefined {
  const match = header("if-match");
  const noneMatch = header("if-none-match");
  if (match === undefined && noneMatch === undefined) return undefined;
  return (live) => {
    const etag = live && etagOf(live);
    if (match !== undefined && !matchNames(match, etag)) refuse("If-Match", match, etag);
    if (noneMatch !== undefined && etag !== undefined && noneMatchNames(noneMatch, etag)) {
      refuse("If-None-Match", noneMatch, etag);
    }
  };
}

/** The strong comparison: a weak tag names nothing. */
function matchNames(list: string, etag: string | undefined): boolean {
  return etag !== undefined && tagsOf(list).some((tag) => tag === "*" || tag === etag);
}

function tagsOf(list: string): string[] {
  return list
    .split(",")
    .map((tag) => tag.trim())
    .map((tag) => (/^(W\/)?[^"*]+$/.test(tag) ? tag.replace(/^(W\/)?(.*)$/, '$1"$2"') : tag));
}

function refuse(header: string, list: string, etag: string | undefined): never {
  throw new MeridianError(
    "PRECONDITION_FAILED",
    `Expected \`${header}: ${list.slice(0, 200)}\` to hold, but the key has ${etag === undefined ? "no live value" : `the entity tag ${etag}`}`,
    { details: { etag: etag ?? null } },
  );
}
