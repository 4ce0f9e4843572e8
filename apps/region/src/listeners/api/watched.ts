/** What is watched, and its news as JSON: the same over a WebSocket and as server-sent events. */
import { checkClientKey, MeridianError } from "@meridian/protocol";

import type { KeyNews } from "../../service/watches.ts";
import type { Watched } from "../../service/watch-index.ts";
import { faceOf } from "./entry-face.ts";
import { describeFound } from "./found-entry.ts";

/** Reads what is to be watched. Throws `INVALID_ARGUMENT` unless that is one of both, and `INVALID_KEY`. */
export function watchedOf(key: string | undefined, prefix: string | undefined): Watched {
  if (key !== undefined && prefix === undefined) return { key: checkClientKey(key) };
  if (prefix !== undefined && key === undefined) {
    return { prefix: prefix === "" ? "" : checkClientKey(prefix) };
  }
  const got = key === undefined ? "neither" : "both";
  throw new MeridianError("INVALID_ARGUMENT", `Expected \`key\` or \`prefix\`, got ${got}`);
}

/** What was made of news, without and with values: many may watch the same key. */
const made = new WeakMap<KeyNews, { bare?: string; full?: string }>();

/** The JSON of news. */
export function newsJson(news: KeyNews, withValues: boolean): string {
  let known = made.get(news);
  if (known === undefined) made.set(news, (known = {}));
  if (withValues) return (known.full ??= textOf(news, true));
  return (known.bare ??= textOf(news, false));
}

function textOf({ event, key, etag, entry }: KeyNews, withValues: boolean): string {
  if (entry === undefined) return JSON.stringify({ event, key, etag });
  const face = faceOf(entry);
  if (!withValues) {
    const { expiresAtMs } = entry;
    const { contentType } = face;
    return JSON.stringify({ event, key, etag, expiresAtMs: expiresAtMs || null, contentType });
  }
  const { found: _, ...told } = describeFound(entry, face);
  return JSON.stringify({ event, ...told });
}
