/** The requests that change values on the node: touch, delete of many, leases. */
import { MeridianError } from "@meridian/protocol";

import type { SetManyOptions } from "./call-options.ts";
import { checkMs, readSpanMs, refuseUnknown } from "./options.ts";
import {
  ackTerms,
  BATCH_MAX,
  jsonRequest,
  withQuery,
  WRITE,
  writeTerms,
  type Write,
} from "./requests.ts";
import type { NodeRequest } from "./run.ts";

/** The latest instant that a `Date` can hold, in milliseconds since the Unix epoch. */
const INSTANT_MS_MAX = 8.64e15;

/** What `touch` takes. */
export interface TouchOptions extends SetManyOptions {
  /** How long the value lives from now: text with a unit, such as `15m`. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
}

/** The request that makes a value live for another time to live. */
export function touchRequest(key: string, options: TouchOptions, deadlineMs: number): Write {
  refuseUnknown("`touch`", options, [...WRITE, "ttl", "ttlMs"]);
  const ttlMs = readSpanMs("ttl", options.ttl, options.ttlMs);
  if (ttlMs === undefined) {
    const said = "Expected a `ttl`, got none; `expireAt(key, undefined)` has a value live for ever";
    throw new MeridianError("INVALID_TTL", said);
  }
  return lifeRequest(key, options, deadlineMs, { ttl: `${ttlMs}ms` });
}

/** The request that makes a value live until an instant, or for ever. */
export function expireAtRequest(
  key: string,
  at: Date | number | undefined,
  options: SetManyOptions,
  deadlineMs: number,
): Write {
  refuseUnknown("`expireAt`", options, WRITE);
  const atMs = at instanceof Date ? at.getTime() : at;
  const expiresAt =
    atMs === undefined
      ? "never"
      : String(Math.ceil(checkMs("expireAt", atMs, 0, 1, INSTANT_MS_MAX)));
  return lifeRequest(key, options, deadlineMs, { expiresAt });
}

function lifeRequest(
  key: string,
  options: SetManyOptions,
  deadlineMs: number,
  life: Readonly<Record<string, string>>,
): Write {
  const { query, limits, slow } = writeTerms(options, deadlineMs);
  const terms = new URLSearchParams({ key, ...life, ...Object.fromEntries(query) });
  const { ttl, expiresAt } = life;
  const message = {
    type: "touch",
    key,
    ttl,
    expiresAt: expiresAt === undefined || expiresAt === "never" ? expiresAt : Number(expiresAt),
    ...ackTerms(query),
  } as const;
  const request = { method: "POST", path: withQuery("/touch", terms), slow, message } as const;
  return { keys: [key], request, limits };
}

/** The requests that delete keys, up to `BATCH_MAX` each. */
export function deleteManyRequests(
  keys: readonly string[],
  options: SetManyOptions,
  deadlineMs: number,
): readonly Write[] {
  refuseUnknown("`deleteMany`", options, WRITE);
  const { query, limits, slow, timeoutMs } = writeTerms(options, deadlineMs);
  const terms = {
    ...(options.ack !== undefined && { ack: options.ack }),
    ...(timeoutMs !== undefined && { timeout: `${timeoutMs}ms` }),
  };
  return partsOf(keys).map((part) => ({
    keys: part,
    request: {
      ...jsonRequest("/batch/delete", { keys: part, ...terms }),
      slow,
      message: { type: "deleteMany", keys: [...part], ...ackTerms(query) },
    },
    limits,
  }));
}

/** The requests that ask which keys have a value, up to `BATCH_MAX` keys each. */
export function hasManyRequests(keys: readonly string[]): readonly NodeRequest[] {
  return partsOf(keys).map((part) => ({
    ...jsonRequest("/batch/has", { keys: part }),
    message: { type: "hasMany", keys: [...part] },
  }));
}

function partsOf(keys: readonly string[]): readonly (readonly string[])[] {
  const count = Math.ceil(keys.length / BATCH_MAX);
  return Array.from({ length: count }, (_, part) =>
    keys.slice(part * BATCH_MAX, (part + 1) * BATCH_MAX),
  );
}

/** The request for the lease of a key. The node waits for the lease for up to `waitMs`. */
export function leaseRequest(key: string, ttlMs: number, waitMs: number): NodeRequest {
  const terms = { key, ttl: `${ttlMs}ms`, ...(waitMs > 0 && { wait: `${waitMs}ms` }) };
  return {
    method: "POST",
    path: withQuery("/lease", new URLSearchParams(terms)),
    slow: waitMs > 0,
    waitMs,
    message: { type: "lease", ...terms },
  };
}

/** The request that gives a lease back. */
export function releaseRequest(key: string, lease: string): NodeRequest {
  const terms = { key, lease };
  return {
    method: "DELETE",
    path: withQuery("/lease", new URLSearchParams(terms)),
    message: { type: "release", ...terms },
  };
}
