/** `/quarantine`: the entries that the cluster deleted while this node was away. An operator decides what becomes of each. */
import { readWhole, type JsonAnswer } from "@meridian/http";
import { MeridianError, type QuarantinedEntry } from "@meridian/protocol";
import type {
  Described,
  dropped,
  quarantined,
  quarantinePage,
  replayed,
} from "@meridian/protocol/http-api";
import { conditionOf } from "../api/conditions.ts";
import { faceOf } from "../api/entry-face.ts";
import { describeFound } from "../api/found-entry.ts";
import { answerWritten } from "./entry-routes.ts";
import type { RegionExchange } from "./exchange.ts";

/** The path under which quarantined entries lie, by their ids. */
export const QUARANTINE_PREFIX = "/quarantine/";

const NO_STORE = ["Cache-Control", "no-store"];
const REPLAY = "/replay";

/** The path in the API of a path under the prefix. */
export function quarantineRouteOf(path: string): string {
  return path.endsWith(REPLAY) ? "/quarantine/{id}/replay" : "/quarantine/{id}";
}

/** `GET /quarantine[?after=][&limit=]` */
export function getQuarantine(
  exchange: RegionExchange,
): JsonAnswer<Described<typeof quarantinePage>> {
  const { after, limit } = exchange.query("after", "limit");
  const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: 0 };
  const most = readWhole("limit", limit, { min: 1, max: 1_000, fallback: 100 });
  const { quarantine } = exchange.service.writes;
  const entries = quarantine.after(readWhole("after", after, bounds), most);
  const last = entries.at(-1)?.id ?? null;
  // A page may be short because its values are large.
  const next = last === null || quarantine.after(last, 1).length === 0 ? null : last;
  const body = { size: quarantine.size, entries: entries.map(describe), next };
  return exchange.json(200, body, [...NO_STORE]);
}

/** `GET /quarantine/<id>`: with its value. */
export function getQuarantined(
  exchange: RegionExchange,
): JsonAnswer<Described<typeof quarantined>> {
  exchange.query();
  const found = find(exchange);
  const { value, encoding } = describeFound(found.entry, faceOf(found.entry));
  return exchange.json(200, { ...describe(found), value, encoding }, [...NO_STORE]);
}

/** `POST /quarantine/<id>/replay[?ack=][&timeout=]`: writes it anew. Takes conditions as `PUT` does. */
export async function replayQuarantined(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof replayed>>> {
  const { ack, timeout } = exchange.query("ack", "timeout");
  const level = exchange.readAck(ack, timeout);
  const id = idOf(exchange);
  await exchange.admit();
  const written = await exchange.service.writes.replay(id, level, conditionOf(exchange.header));
  return answerWritten(exchange, written, { id });
}

/** `DELETE /quarantine/<id>`: for good. */
export async function dropQuarantined(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof dropped>>> {
  exchange.query();
  exchange.readDeadline();
  const { id } = find(exchange);
  await exchange.service.writes.quarantine.drop([id]);
  return exchange.json(200, { id, dropped: true }, [...NO_STORE]);
}

function describe({
  id,
  entry,
  atMs,
}: QuarantinedEntry): Described<typeof quarantinePage>["entries"][number] {
  const { etag, contentType } = faceOf(entry);
  const { key, value, expiresAtMs } = entry;
  return {
    id,
    key,
    bytes: value.byteLength,
    contentType,
    etag,
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
    quarantinedAtMs: atMs,
  };
}

function find(exchange: RegionExchange): QuarantinedEntry {
  const id = idOf(exchange);
  const found = exchange.service.writes.quarantine.get(id);
  if (found !== undefined) return found;
  throw notFound(String(id));
}

function idOf({ path }: RegionExchange): number {
  const rest = path.slice(QUARANTINE_PREFIX.length);
  const text = rest.endsWith(REPLAY) ? rest.slice(0, -REPLAY.length) : rest;
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw notFound(text);
}

function notFound(text: string): MeridianError {
  return new MeridianError(
    "QUARANTINED_NOT_FOUND",
    `Expected the id of a quarantined entry, got \`${text.slice(0, 100)}\``,
  );
}
