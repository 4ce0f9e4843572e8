/** `/digest` and `/entries`: for comparing the data of nodes, a bounded part at a time. */
import { digestQueryOf, entriesQueryOf, PAGE_OPTIONS, type JsonAnswer } from "@meridian/http";
import type { Described, digest, digestPage, entryPage } from "@meridian/protocol/http-api";

import type { RegionExchange } from "./exchange.ts";

/** `GET /digest[?after=][&through=][&limit=]`: of everything, or of the first entries of a part. */
export async function getDigest(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof digest | typeof digestPage>>> {
  const page = digestQueryOf(exchange.query(...PAGE_OPTIONS));
  const { contents } = exchange.node;
  const body = page === undefined ? await contents.digest() : await contents.digestPage(page);
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}

/** `GET /entries[?after=][&through=][&limit=]`: tombstones and expired entries too, which `/keys` leaves out. */
export function getEntries(exchange: RegionExchange): JsonAnswer<Described<typeof entryPage>> {
  const body = exchange.node.contents.entryPage(entriesQueryOf(exchange.query(...PAGE_OPTIONS)));
  return exchange.json(200, body, ["Cache-Control", "no-store"]);
}
