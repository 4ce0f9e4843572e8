import type { KeyRange } from "@meridian/protocol";

import { readWhole, type Query, type WholeBounds } from "./query.ts";

/** The options of a request for a part of the key space. */
export const PAGE_OPTIONS = ["after", "through", "limit"] as const;

/** A part of the key space, and how many of its entries to look at. */
export interface PageQuery extends KeyRange {
  readonly limit: number;
}

/** How many entries one digest may cover. */
const DIGEST_LIMIT: WholeBounds = { min: 1, max: 65_536, fallback: 16_384 };

/** How many entries one page may list. */
const ENTRIES_LIMIT: WholeBounds = { min: 1, max: 1_000, fallback: 100 };

type PageOptions = Query<(typeof PAGE_OPTIONS)[number]>;

/** Which part `GET /digest` asks for; undefined for everything. Throws `INVALID_ARGUMENT`. */
export function digestQueryOf(options: PageOptions): PageQuery | undefined {
  return Object.keys(options).length === 0 ? undefined : pageOf(options, DIGEST_LIMIT);
}

/** Which part `GET /entries` asks for. Throws `INVALID_ARGUMENT`. */
export function entriesQueryOf(options: PageOptions): PageQuery {
  return pageOf(options, ENTRIES_LIMIT);
}

function pageOf({ after, through, limit }: PageOptions, bounds: WholeBounds): PageQuery {
  return {
    after: after ?? null,
    through: through ?? null,
    limit: readWhole("limit", limit, bounds),
  };
}
