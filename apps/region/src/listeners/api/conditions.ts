/**
 * Conditional requests (RFC 9110, section 13). An entry's stamp is its entity tag: strong, and unique over
 * all keys and times. Tags are also understood without their quotes.
 */
import { MeridianError, parseStamp, type Stamp } from "@meridian/protocol";

import { etagOf } from "../../service/cached-record.ts";
import type { Condition } from "../../service/requests.ts";
import type { HeaderReader } from "./arguments.ts";

/**
 * Whether an `If-None-Match` of `list` names `etag` (weak comparison), so that the client has it already. Throws
 * `INVALID_ARGUMENT` for what is no list of tags.
 */
export function noneMatchNames(list: string, etag: string): boolean {
  return namesNoneMatch(tagsOf("If-None-Match", list), etag);
}

/** What `If-Match` and `If-None-Match` ask of a write; undefined if there are none. Throws `INVALID_ARGUMENT`. */
export function conditionOf(header: HeaderReader): Condition | undefined {
  const match = header("if-match");
  const noneMatch = header("if-none-match");
  if (match === undefined && noneMatch === undefined) return undefined;
  const wanted = match === undefined ? undefined : tagsOf("If-Match", match);
  const unwanted = noneMatch === undefined ? undefined : tagsOf("If-None-Match", noneMatch);
  return (live) => {
    const etag = live && etagOf(live);
    if (wanted !== undefined && !namesMatch(wanted, etag)) refuse("If-Match", match, etag);
    if (unwanted !== undefined && etag !== undefined && namesNoneMatch(unwanted, etag)) {
      refuse("If-None-Match", noneMatch, etag);
    }
  };
}

/**
 * The one condition that a request for the whole cluster has: the stamp that the live version must have, or null if there must be none. Throws
 * `INVALID_ARGUMENT` for none, and for what the directory does not decide.
 */
export function scopedConditionOf(header: HeaderReader): Stamp | null {
  const match = header("if-match");
  const noneMatch = header("if-none-match");
  if (match === undefined && noneMatch?.trim() === "*") return null;
  const tags = match === undefined || noneMatch !== undefined ? "*" : tagsOf("If-Match", match);
  const [tag, ...rest] = tags === "*" ? [] : tags;
  if (tag !== undefined && !tag.isWeak && rest.length === 0)
    return parseStamp(tag.etag.slice(1, -1));
  throw new MeridianError(
    "INVALID_ARGUMENT",
    "Expected `If-None-Match: *` or `If-Match` with one entity tag for `scope=cluster`, got something else",
  );
}

/** The same of a delete, which only a live version can have. */
export function scopedMatchOf(header: HeaderReader): Stamp {
  const stamp = scopedConditionOf(header);
  if (stamp !== null) return stamp;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    "Expected `If-Match` with one entity tag to delete with `scope=cluster`, got `If-None-Match`",
  );
}

/** One of the tags that a header lists. */
interface Tag {
  /** In its quotes. */
  readonly etag: string;
  readonly isWeak: boolean;
}

/** The strong comparison: a weak tag names nothing. */
function namesMatch(tags: readonly Tag[] | "*", etag: string | undefined): boolean {
  if (etag === undefined) return false;
  return tags === "*" || tags.some((tag) => !tag.isWeak && tag.etag === etag);
}

function namesNoneMatch(tags: readonly Tag[] | "*", etag: string): boolean {
  return tags === "*" || tags.some((tag) => tag.etag === etag);
}

/** One tag, and the comma behind it: a quoted tag may have commas and asterisks in it. */
const TAG = /[ \t]*(?:(W\/)?(?:"([^"]*)"|([^\s",*]+)))?[ \t]*(?:,|$)/y;

/** The tags of a list; `*` for any. */
function tagsOf(header: string, list: string): readonly Tag[] | "*" {
  if (list.trim() === "*") return "*";
  const tags: Tag[] = [];
  TAG.lastIndex = 0;
  while (TAG.lastIndex < list.length) {
    const found = TAG.exec(list);
    if (found === null) {
      throw new MeridianError(
        "INVALID_ARGUMENT",
        `Expected \`${header}\` to be \`*\` or entity tags in quotes with commas between them, got \`${list.slice(0, 200)}\``,
      );
    }
    const [, weak, quoted, bare] = found;
    const text = quoted ?? bare;
    if (text !== undefined) tags.push({ etag: `"${text}"`, isWeak: weak !== undefined });
  }
  return tags;
}

function refuse(header: string, list: string | undefined, etag: string | undefined): never {
  throw new MeridianError(
    "PRECONDITION_FAILED",
    `Expected \`${header}: ${(list ?? "").slice(0, 200)}\` to hold, but the key has ${etag === undefined ? "no live value" : `the entity tag ${etag}`}`,
    { details: { etag: etag ?? null } },
  );
}
