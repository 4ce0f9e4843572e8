import type { ServerResponse } from "node:http";

import {
  PROBLEM_CONTENT_TYPE,
  retryAfterOf,
  toProblem,
  type MeridianError,
} from "@meridian/protocol";

import type { CachedRecord } from "../cached-record.ts";
import type { RegionService, Tier } from "../region-service.ts";

/** Names and values in turn, as `ServerResponse.writeHead` takes them. */
export type HeaderList = string[];

/** The headers that every answer carries; `readable` says that pages of any origin may read it. */
export function commonHeaders(service: RegionService, readable: boolean): HeaderList {
  const headers = ["Meridian-Node", service.nodeId, "Meridian-Position", service.positionToken()];
  if (readable) headers.push(...CORS_HEADERS);
  return headers;
}

/**
 * What lets a page of any origin read an answer: it may be shared by caches, whoever asked first. Which pages may
 * write is decided by refusing what others send, so these are the same for all.
 */
export const CORS_HEADERS: readonly string[] = [
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  "*",
];

/**
 * What an answer says of an entry besides its value: how fresh it is. A cache takes the entry's age off its lifetime
 * (RFC 9111, section 4.2), so that the first is rounded up and the second down for nothing to be kept beyond its end.
 */
export function freshnessHeaders(record: CachedRecord, nowMs: number, tier: Tier): HeaderList {
  const { expiresAtMs } = record.entry;
  return [
    "ETag",
    record.etag,
    "Age",
    ageOf(record, nowMs),
    "Cache-Control",
    cacheControlOf(record),
    ...(expiresAtMs === 0 ? [] : ["Meridian-Expires-At", String(expiresAtMs)]),
    "Meridian-Cache",
    tier,
  ];
}

/** Seconds since the entry was made, those begun included. */
export function ageOf(record: CachedRecord, nowMs: number): string {
  return String(Math.max(0, Math.ceil((nowMs - record.stampMs) / 1000)));
}

/** How long the entry is good for, from when it was made. */
export function cacheControlOf(record: CachedRecord): string {
  const { expiresAtMs } = record.entry;
  if (expiresAtMs === 0) return "no-cache";
  return `max-age=${Math.max(0, Math.floor((expiresAtMs - record.stampMs) / 1000))}`;
}

/** An answer, whatever carries it. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | Uint8Array | null;
}

/** An answer with a JSON body. */
export function jsonAnswer(
  status: number,
  body: unknown,
  headers: HeaderList,
  contentType: string = "application/json",
): Answer {
  const text = JSON.stringify(body);
  const length = String(Buffer.byteLength(text));
  return {
    status,
    headers: ["Content-Type", contentType, "Content-Length", length, ...headers],
    body: text,
  };
}

/** The answer that tells of an error; `readable` as in `commonHeaders`. */
export function problemAnswer(
  service: RegionService,
  readable: boolean,
  error: MeridianError,
  headers: HeaderList = [],
): Answer {
  const problem = toProblem(error);
  const all = [...headers];
  if (error.code === "KEY_NOT_FOUND") all.push("Meridian-Cache", "miss");
  all.push(...retryAfterOf(error.code), ...commonHeaders(service, readable));
  return jsonAnswer(problem.status, problem, all, PROBLEM_CONTENT_TYPE);
}

/** The answer as a fetch response. */
export function responseOf(answer: Answer): Response {
  const { status, body } = answer;
  const headers: Record<string, string> = {};
  for (let index = 0; index < answer.headers.length; index += 2) {
    headers[answer.headers[index] ?? ""] = answer.headers[index + 1] ?? "";
  }
  return new Response(body as ConstructorParameters<typeof Response>[0], { status, headers });
}

/** Writes the answer, unless the client is gone. */
export function send(outgoing: ServerResponse, answer: Answer): void {
  if (outgoing.destroyed) return;
  outgoing.writeHead(answer.status, answer.headers);
  outgoing.end(answer.body ?? undefined);
}

/** Whether pages of any origin may read the answer to a request: any answer to a page, a refusal too. */
export function isReadable(method: string, origin: string | undefined): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || origin !== undefined;
}
