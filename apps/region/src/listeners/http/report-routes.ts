/** `/entry`: what this region knows of one key, beside its value. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, formatStamp, unixMsOf } from "@meridian/protocol";
import type { Described, entryReport } from "@meridian/protocol/http-api";

import type { Change } from "../../service/change-feed.ts";
import { faceOf } from "../api/entry-face.ts";
import type { RegionExchange } from "./exchange.ts";
import { required } from "./short-routes.ts";

type Report = Described<typeof entryReport>;

const ABSENT = {
  stamp: null,
  writtenAtMs: null,
  etag: null,
  contentType: null,
  bytes: null,
  expiresAtMs: null,
} as const;

/** `GET /entry?key=` */
export async function getEntryReport(exchange: RegionExchange): Promise<JsonAnswer<Report>> {
  const query = exchange.query("key");
  const key = checkClientKey(required("key", query.key, "INVALID_KEY"));
  await exchange.admit(true);
  const { nowMs, entry, state, tier, changes } = exchange.service.reports.of(key);
  const told = { key, state, tier, nowMs, changes: changes?.map(describe) ?? null };
  if (entry === undefined) return exchange.json(200, { ...told, ...ABSENT }, [...NO_STORE]);
  const { etag, contentType, stampMs } = faceOf(entry);
  const body = {
    ...told,
    stamp: formatStamp(entry.stamp),
    writtenAtMs: stampMs,
    etag,
    contentType,
    bytes: entry.value.byteLength,
    expiresAtMs: entry.expiresAtMs === 0 ? null : entry.expiresAtMs,
  };
  return exchange.json(200, body, [...NO_STORE]);
}

const NO_STORE = ["Cache-Control", "no-store"];

function describe({
  stamp,
  deleted,
  expiresAtMs,
  isNew,
  atMs,
}: Change): NonNullable<Report["changes"]>[number] {
  const isOver = expiresAtMs !== 0 && expiresAtMs <= atMs;
  return {
    event: isOver ? "expire" : deleted ? "delete" : "set",
    stamp: formatStamp(stamp),
    writtenAtMs: unixMsOf(stamp.time),
    atMs,
    writtenHere: isNew,
  };
}
