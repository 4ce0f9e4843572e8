/**
 * The two ways to the answer to a plain `PUT`: that of the app's route, and a shorter one for a write that asks for nothing but to be stored here.
 * The shorter one answers exactly as the route would, header for header; it makes no exchange, list of headers or promise for a write, whose garbage
 * costs more than what the write itself does. It takes a write only if it is sure of that.
 */
import {
  HeadText,
  PlainCarrier,
  problemOf,
  runRoute,
  type OnPlainAnswer,
  type PlainAnswer,
  type PlainWrite,
  type ShortWrites,
} from "@meridian/http";
import { checkClientKey } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

import { checkContentType, factsOf, type WriteResult } from "../../service/requests.ts";
import { CONTENT_TYPE_DEFAULT } from "../api/entry-face.ts";
import { putEntry } from "./entry-routes.ts";
import { RegionExchange, type HttpNode } from "./exchange.ts";
import { plainKeyOf } from "./hit-path.ts";

/** Options that every party reads alike. */
const PLAIN_QUERY = /^[\w.~%=&-]*$/;

/** The places of values in the list of headers. */
const AT = { contentLength: 3, etag: 5, position: 9, time: 11 } as const;

/** Builds both. */
export function putPaths(node: HttpNode, logger: Logger): ShortWrites {
  const byRoute = (write: PlainWrite, onAnswer: OnPlainAnswer): void => {
    const carrier = new PlainCarrier(write);
    void runRoute(putEntry, new RegionExchange(node, carrier), logger, carrier).then(onAnswer);
  };
  const shorter = shorterPath(node, logger);
  return {
    takes: ({ path }) => isPlainPut(path),
    begin: (write, onAnswer) =>
      isOnlyStored(write) ? shorter(write, onAnswer) : byRoute(write, onAnswer),
  };
}

/** Whether a path, perhaps with a query, names a key in plain form. */
function isPlainPut(path: string): boolean {
  const mark = path.indexOf("?");
  if (mark === -1) return plainKeyOf(path) !== undefined;
  return plainKeyOf(path.slice(0, mark)) !== undefined && PLAIN_QUERY.test(path.slice(mark + 1));
}

/** Whether a write asks for nothing but to be stored here, under a key of which each character is one of its path. */
function isOnlyStored({ path, head }: PlainWrite): boolean {
  if (path.includes("?") || path.includes("%")) return false;
  const { position, waitMs, traceparent, headers } = head;
  const asks = position !== undefined || waitMs !== undefined || traceparent !== undefined;
  return !asks && !headers.has("meridian-deadline");
}

function shorterPath(
  node: HttpNode,
  logger: Logger,
): (write: PlainWrite, onAnswer: OnPlainAnswer) => void {
  const { service } = node;
  const { admission, writes } = service;
  const answerOf = answersOf(node);
  return (write, onAnswer) => {
    const { path, head, body } = write;
    const { losses } = admission;
    // Nobody expects an answer before this call has returned.
    const fail = (cause: unknown): void =>
      queueMicrotask(() => {
        const carrier = new PlainCarrier(write);
        const exchange = new RegionExchange(node, carrier, losses);
        onAnswer(problemOf(cause, exchange, logger, carrier));
      });
    try {
      const key = checkClientKey(plainKeyOf(path) ?? "");
      const contentType = head.headers.get("content-type");
      if (contentType !== undefined) checkContentType(contentType);
      writes.checkLength(body.byteLength);
      admission.checkServing(false);
      const request = { key, value: body, contentType: contentType ?? CONTENT_TYPE_DEFAULT };
      writes.put(request, (failure, result) => {
        if (result === undefined) fail(failure);
        else onAnswer(answerOf(result, losses));
      });
    } catch (cause) {
      fail(cause);
    }
  };
}

/** Makes the answers to writes of one key: what `answerWritten` says, in the bytes that come of it. */
function answersOf({ service, style }: HttpNode): (of: WriteResult, losses: number) => PlainAnswer {
  // All answers share one list: it is written out before the next one is made.
  // oxfmt-ignore
  const headers = [
    "Content-Type", "application/json", "Content-Length", "", "ETag", "",
    "Meridian-Node", service.nodeId, "Meridian-Position", "", "Meridian-Time", "",
    ...style.origins.unnamed,
  ];
  const text = new HeadText(200, headers);
  // What is known of writes is one of two objects, as long as it is known of this node alone.
  let [known, knownText] = [undefined as WriteResult["acknowledged"] | undefined, ""];
  return ({ entries, acknowledged }, losses) => {
    const [entry] = entries;
    if (entry === undefined) throw new Error("Expected a written entry, got none");
    const { key, etag, expiresAtMs } = factsOf(entry);
    if (acknowledged !== known) [known, knownText] = [acknowledged, JSON.stringify(acknowledged)];
    // Keys of plain paths, and stamps, have no character that JSON escapes.
    const stamp = etag.slice(1, -1);
    const body = `{"key":"${key}","etag":"\\"${stamp}\\"","expiresAtMs":${expiresAtMs},"acknowledged":${knownText}}`;
    headers[AT.contentLength] = String(body.length);
    headers[AT.etag] = etag;
    headers[AT.position] = service.admission.positionToken(losses);
    headers[AT.time] = String(Math.floor(service.time.nowMs()));
    return { head: text.of(headers), body };
  };
}
