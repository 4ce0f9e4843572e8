/** `/digest` and `/entries`: what whoever compares the data of nodes asks for, a bounded piece at a time. */
import { digestQueryOf, entriesQueryOf, PAGE_OPTIONS, type Answer } from "@meridian/http";

import type { RegionExchange } from "./exchange.ts";
import type { NodeFacts } from "./node-routes.ts";

/** `GET /digest[?after=][&through=][&limit=]`: of everything, or of the first entries of a part. */
export async function getDigest(exchange: RegionExchange, facts: NodeFacts): Promise<Answer> {
  const page = digestQueryOf(exchange.query(...PAGE_OPTIONS));
  const body = page === undefined ? await facts.digest() : await facts.digestPage(page);
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}

/** `GET /entries[?after=][&through=][&limit=]`: tombstones and expired entries too, which `/keys` leaves out. */
export function getEntries(exchange: RegionExchange, facts: NodeFacts): Answer {
  const body = facts.entryPage(entriesQueryOf(exchange.query(...PAGE_OPTIONS)));
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}
