/** `/batch/get` and `/batch/set`: many keys in one request. */
import type { JsonAnswer } from "@meridian/http";
import { checkClientKey, KEY_BYTES_MAX } from "@meridian/protocol";

import type {
  batchDeleted,
  batchFound,
  batchPresence,
  batchWritten,
  Described,
} from "@meridian/protocol/http-api";

import type { RegionService } from "../../service/region-service.ts";
import { checkBytes, checkContentType, factsOf, type SetRequest } from "../../service/requests.ts";
import { OneAtATime } from "../../service/one-at-a-time.ts";
import { Steps } from "../../service/steps.ts";
import { ttlMsOf } from "../api/arguments.ts";
import { CONTENT_TYPE_DEFAULT, EntryFace } from "../api/entry-face.ts";
import { describeFound } from "../api/found-entry.ts";
import { objectOf, optionalText, textOf } from "../api/json-members.ts";
import { TextPieces } from "../api/text-pieces.ts";
import { bytesOf, TEXT_CONTENT_TYPE } from "../api/value-text.ts";
import type { Batch } from "./batch-bodies.ts";
import type { RegionExchange } from "./exchange.ts";

const KEYS_MAX = 1_000;
/** The largest body that names keys: escaped, a byte of theirs takes six. */
const KEYS_BYTES_MAX = KEYS_MAX * (6 * KEY_BYTES_MAX + 16);
/** The largest body of a batch, and the most bytes of values that one answers, unless one value may be larger. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;

/** One at a time, so that not many answers are held in part between their turns. */
const answering = new OneAtATime();

type FoundAnswer = JsonAnswer<Described<typeof batchFound>>;

/** `POST /batch/get` */
export function batchGet(exchange: RegionExchange): Promise<FoundAnswer> {
  return readKeys(exchange, [], ({ items }) => answering.run(() => answerOf(exchange, items)));
}

/** `POST /batch/has` */
export function batchHas(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof batchPresence>>> {
  return readKeys(exchange, [], async ({ items }) => {
    const entries: { key: string; found: boolean; etag?: string }[] = [];
    const steps = new Steps();
    for (const key of items) {
      const found = exchange.service.reads.find(key);
      const there = found !== undefined;
      entries.push(
        there
          ? { key, found: true, etag: new EntryFace(found.record).etag }
          : { key, found: false },
      );
      await steps.spend(found?.record.bytes ?? 0);
    }
    return exchange.json(200, { entries }, ["Cache-Control", "no-store"]);
  });
}

/** `POST /batch/delete` */
export function batchDelete(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof batchDeleted>>> {
  return readKeys(exchange, ["ack", "timeout"], async ({ body, items }) => {
    const ack = exchange.readAck(ackTextOf(body["ack"]), optionalText(body, "timeout"));
    const keys = [...new Set(items)];
    const { entries, deleted, acknowledged } = await exchange.service.writes.deleteAll(keys, ack);
    const told = entries.map((entry) => ({
      key: entry.key,
      etag: factsOf(entry).etag,
      deleted: deleted.has(entry.key),
    }));
    return exchange.json(200, { entries: told, acknowledged });
  });
}

/** Reads a body that names keys, and answers what `use` makes of it. */
async function readKeys<Result>(
  exchange: RegionExchange,
  others: readonly string[],
  use: (batch: Batch<string>) => Promise<Result>,
): Promise<Result> {
  exchange.query();
  await exchange.admit();
  const bytes = await exchange.body(KEYS_BYTES_MAX);
  const itemOf = (key: unknown): string => exchange.checkedKey(checkClientKey(textOf(key, "keys")));
  return exchange.node.batches.read(
    bytes,
    { list: "keys", itemsMax: KEYS_MAX, others, itemOf },
    use,
  );
}

async function answerOf(exchange: RegionExchange, keys: readonly string[]): Promise<FoundAnswer> {
  const { service } = exchange;
  const text = new TextPieces('{"entries":[');
  let bytes = 0;
  const steps = new Steps();
  for (const [index, key] of keys.entries()) {
    const found = service.reads.find(key);
    bytes += found?.record.bytes ?? 0;
    checkBytes("one answer", bytes, batchBytesMax(service));
    const entry: Described<typeof batchFound>["entries"][number] =
      found === undefined
        ? { key, found: false }
        : describeFound(found.record.entry(), new EntryFace(found.record));
    text.add(`${index === 0 ? "" : ","}${JSON.stringify(entry)}`);
    await steps.spend(found?.record.bytes ?? 0);
  }
  text.add("]}");
  return exchange.jsonPieces(text.end());
}

/** `POST /batch/set` */
export async function batchSet(
  exchange: RegionExchange,
): Promise<JsonAnswer<Described<typeof batchWritten>>> {
  exchange.query();
  const { service } = exchange;
  await exchange.admit();
  const bytes = await exchange.body(batchBytesMax(service));
  const itemOf = (item: unknown): SetRequest => {
    const request = setRequestOf(service, item);
    exchange.checkedKey(request.key);
    return request;
  };
  const shape = { list: "entries", itemsMax: KEYS_MAX, others: ["ack", "timeout"], itemOf };
  const { body, items } = await exchange.node.batches.read(bytes, shape, (batch) => batch);
  const ack = exchange.readAck(ackTextOf(body["ack"]), optionalText(body, "timeout"));
  const written = await service.writes.set(items, ack);
  return exchange.json(200, {
    entries: written.entries.map(factsOf),
    acknowledged: written.acknowledged,
  });
}

/** The largest body of a batch that a node takes, in bytes. */
export function batchBytesMax({ writes }: RegionService): number {
  return Math.max(BATCH_BYTES_MAX, 2 * writes.valueBytesMax);
}

function setRequestOf(service: RegionService, item: unknown): SetRequest {
  const known = ["key", "value", "encoding", "contentType", "ttl"];
  const entry = objectOf(item, "each of `entries`", known);
  const key = checkClientKey(textOf(entry["key"], "key"));
  const encoding = optionalText(entry, "encoding") ?? "utf8";
  const value = bytesOf(textOf(entry["value"], "value"), encoding);
  service.writes.checkLength(value.byteLength);
  const contentType =
    optionalText(entry, "contentType") ??
    (encoding === "utf8" ? TEXT_CONTENT_TYPE : CONTENT_TYPE_DEFAULT);
  checkContentType(contentType);
  const ttlMs = ttlMsOf(entry["ttl"]);
  return { key, value, contentType, ...(ttlMs !== undefined && { ttlMs }) };
}

function ackTextOf(ack: unknown): string | undefined {
  return typeof ack === "number" ? String(ack) : ack === undefined ? undefined : textOf(ack, "ack");
}
