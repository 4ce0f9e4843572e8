import type { KeyRange } from "@meridian/protocol";
import { readQuery, readWhole } from "./query.ts";

/** A part of the key space, and how many of its entries to look at. */
export interface PageQuery extends KeyRange {
  readonly limit: number;
}

const OPTIONS = ["after", "through", "limit"] as const;
const DIGEST_LIMIT = { max: 65_536, fallback: 16_384 };
const ENTRIES_LIMIT = { max: 1_000, fallback: 100 };

/** Which part `GET /digest` asks for; undefined for everything. Throws what the request has wrong. */
export function readPageQuery(search: string): PageQuery | undefined {
  const query = readQuery(search, OPTIONS);
  return Object.keys(query).length === 0 ? undefined : pageOf(query, DIGEST_LIMIT);
}

/** Which part `GET /entries` asks for. Throws what the request has wrong. */
export function readEntriesQuery(search: string): PageQuery {
  return pageOf(readQuery(search, OPTIONS), ENTRIES_LIMIT);
}

function pageOf(
  { after, through, limit }: Partial<Record<(typeof OPTIONS)[number], string>>,
  { max, fallback }: { readonly max: number; readonly fallback: number },
): PageQuery {
  return {
    after: after ?? null,
    through: through ?? null,
    limit: limit === undefined ? fallback : readWhole("limit", limit, 1, max),
  };
}
