/** `/digest` and `/entries`: what whoever compares the data of nodes asks for, a bounded piece at a time. */

import type { KeyRange } from "@meridian/protocol";
import type { Answer } from "./answers.ts";
import { readWhole } from "./arguments.ts";
import type { Exchange } from "./exchange.ts";
import type { NodeFacts } from "./node-routes.ts";

/** A part of the key space, and how many of its entries to look at. */
export interface PageQuery extends KeyRange {
  readonly limit: number;
}

const DIGEST_LIMIT = { min: 1, max: 65_536, fallback: 16_384 };
const ENTRIES_LIMIT = { min: 1, max: 1_000, fallback: 100 };

/** `GET /digest[?after=][&through=][&limit=]`: of everything, or of the first entries of a part. */
export async function getDigest(exchange: Exchange, facts: NodeFacts): Promise<Answer> {
  const query = exchange.query("after", "through", "limit");
  const isWhole = Object.keys(query).length === 0;
  const body = isWhole
    ? await facts.digest()
    : await facts.digestPage(readPageQuery(query, DIGEST_LIMIT));
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}

/** `GET /entries[?after=][&through=][&limit=]`: tombstones and expired entries too, which `/keys` leaves out. */
export function getEntries(exchange: Exchange, facts: NodeFacts): Answer {
  const query = exchange.query("after", "through", "limit");
  const body = facts.entryPage(readPageQuery(query, ENTRIES_LIMIT));
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}

function readPageQuery(
  { after, through, limit }: { readonly [Option in "after" | "through" | "limit"]?: string },
  bounds: typeof DIGEST_LIMIT,
): PageQuery {
  return {
    after: after ?? null,
    through: through ?? null,
    limit: readWhole("limit", limit, bounds),
  };
}
