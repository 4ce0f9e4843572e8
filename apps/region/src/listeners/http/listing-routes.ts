/** `/keys`: the live keys in order, and their values if they are wanted. */
import { readWhole, type JsonAnswer } from "@meridian/http";
import type { Described, keyPage } from "@meridian/protocol/http-api";
import { readFlag } from "../api/arguments.ts";
import { pageOf, pageWithValues } from "../api/key-pages.ts";
import type { RegionExchange } from "./exchange.ts";

type PageAnswer = JsonAnswer<Described<typeof keyPage>>;

/** `GET /keys[?prefix=][&after=][&limit=][&values=]` */
export async function getKeys(exchange: RegionExchange): Promise<PageAnswer> {
  const {
    prefix = "",
    after,
    limit,
    values,
  } = exchange.query("prefix", "after", "limit", "values");
  const bounds = { min: 1, max: 1_000, fallback: 100 };
  const query = {
    prefix,
    limit: readWhole("limit", limit, bounds),
    ...(after !== undefined && { after }),
  };
  const withValues = readFlag("values", values);
  await exchange.admit();
  const page = await exchange.service.reads.list(query);
  if (withValues) return exchange.jsonPieces(await pageWithValues(exchange.service, page));
  return exchange.json(200, pageOf(page), ["Cache-Control", "no-store"]);
}
