/** Options of requests, read from their texts: the same ones in queries, headers, bodies and messages. */
import { readWhole } from "@meridian/http";
import {
  checkTtlMs,
  MeridianError,
  parsePosition,
  parseTtlMs,
  type AckLevel,
} from "@meridian/protocol";

import type { AckRequest, Life, SessionNeeds } from "../../service/requests.ts";
import { textOf } from "./json-members.ts";

const TIMEOUT_MS_DEFAULT = 5_000;
/** Longer than another directory over one stream takes to take over: whoever asked the one that was lost still gets an answer. */
const SCOPED_TIMEOUT_MS_DEFAULT = 15_000;
const TIMEOUT_MS_MAX = 60_000;
const WAIT_MS_DEFAULT = 500;
const WAIT_MS_MAX = 10_000;

/** Reads `ack` and `timeout` of a request that is for the whole cluster if `isScoped`. Throws `INVALID_ARGUMENT`. */
export function readAck(
  ack: string | undefined,
  timeout: string | undefined,
  isScoped: boolean = false,
): AckRequest {
  const fallback = isScoped ? SCOPED_TIMEOUT_MS_DEFAULT : TIMEOUT_MS_DEFAULT;
  return {
    level: readLevel(ack),
    timeoutMs: readSpanMs("timeout", timeout, { fallback, max: TIMEOUT_MS_MAX }),
  };
}

function readLevel(text: string | undefined): AckLevel {
  if (text === undefined) return "local";
  if (text === "local" || text === "directory" || text === "all") return text;
  const nodes = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (nodes >= 1) return nodes;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`ack\` to be \`local\`, \`directory\`, \`all\` or a number of nodes from 1, got \`${text.slice(0, 100)}\``,
  );
}

/** Reads how long something may last: `max` is in whole seconds. Throws `INVALID_ARGUMENT`. */
function readSpanMs(
  name: string,
  text: string | undefined,
  { fallback, max }: { readonly fallback: number; readonly max: number },
): number {
  if (text === undefined) return fallback;
  let spanMs = NaN;
  try {
    spanMs = parseTtlMs(text);
  } catch {
    // The message below says what was expected.
  }
  if (spanMs <= max) return spanMs;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` above 0 and up to ${max / 1_000} s, such as \`250ms\` or \`5s\`, got \`${text.slice(0, 100)}\``,
  );
}

const LEASE_MS_DEFAULT = 10_000;
const LEASE_MS_MAX = 600_000;
const LEASE_WAIT_MS_MAX = 10_000;

/** Reads how long a lease holds, and how long to wait for it. Throws `INVALID_ARGUMENT`. */
export function readLease(
  ttl: string | undefined,
  wait: string | undefined,
): { readonly ttlMs: number; readonly waitMs: number } {
  return {
    ttlMs: readSpanMs("ttl", ttl, { fallback: LEASE_MS_DEFAULT, max: LEASE_MS_MAX }),
    waitMs: readSpanMs("wait", wait, { fallback: 0, max: LEASE_WAIT_MS_MAX }),
  };
}

/** Reads `ttl`, and `minutes` where a request knows it. Throws `INVALID_TTL` and `INVALID_ARGUMENT`. */
export function readTtlMs(ttl: string | undefined, minutes?: string): number | undefined {
  if (minutes === undefined) return ttl === undefined ? undefined : parseTtlMs(ttl);
  if (ttl !== undefined) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected `ttl` or `minutes`, got both");
  }
  const count = /^\d+(\.\d+)?$/.test(minutes) ? Number(minutes) : NaN;
  return checkTtlMs(count * 60_000, `${minutes.slice(0, 100)} minutes`);
}

/** An instant by ISO 8601 that is the same everywhere: a day of UTC, or a time with its zone. */
const ISO_INSTANT = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;

/**
 * Reads until when a value is to live: `never`, milliseconds since the Unix epoch, or an instant such as `2030-01-31T12:00:00Z`. Throws
 * `INVALID_TTL` for anything else, and for what is past or more than 100 years ahead.
 */
export function readUntil(name: string, text: string, nowMs: number): Life {
  if (text === "never") return { ttlMs: 0 };
  const isNumber = /^\d{1,16}$/.test(text);
  const untilMs = isNumber ? Number(text) : ISO_INSTANT.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(untilMs)) {
    checkTtlMs(untilMs - nowMs, `${name}=${text}`);
    return { ttlMs: 0, expiresAtMs: untilMs };
  }
  throw new MeridianError(
    "INVALID_TTL",
    `Expected \`${name}\` as milliseconds since 1970, an instant such as \`2030-01-31T12:00:00Z\`, or \`never\`, got \`${text.slice(0, 100)}\``,
  );
}

/** Whether a request is for the whole cluster. Throws `INVALID_ARGUMENT`. */
export function readScope(text: string | undefined): boolean {
  if (text === undefined) return false;
  if (text === "cluster") return true;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`scope\` to be \`cluster\`, got \`${text.slice(0, 100)}\``,
  );
}

/** Reads how long to wait for a decision of the directory, from `ack` and `timeout`: it stands for `ack=directory`. Throws `INVALID_ARGUMENT`. */
export function readScopedTimeoutMs(ack: AckRequest): number {
  if (ack.level === "local" || ack.level === "directory") return ack.timeoutMs;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`ack=directory\` or none with \`scope=cluster\`, got \`${ack.level}\`: the directory's log always has such a write before it is answered`,
  );
}

/** Reads a yes or no. Throws `INVALID_ARGUMENT`. */
export function readFlag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true") return true;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be \`true\` or \`false\`, got \`${text.slice(0, 100)}\``,
  );
}

/** Reads until when a write may be made. Throws `INVALID_ARGUMENT`. */
export function readDeadline(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`Meridian-Deadline\` as milliseconds since 1970, got \`${text.slice(0, 100)}\``,
  );
}

/** The value of a header of a request, by its name in lower case. */
export type HeaderReader = (name: string) => string | undefined;

/** Reads the session of a request. Throws `INVALID_POSITION` and `INVALID_ARGUMENT`. */
export function readSession(header: HeaderReader, stale: boolean): SessionNeeds {
  const token = header("meridian-position");
  const waitMs = readWhole("Meridian-Wait-Ms", header("meridian-wait-ms"), {
    min: 0,
    max: WAIT_MS_MAX,
    fallback: WAIT_MS_DEFAULT,
  });
  if (token === undefined) return { waitMs, stale };
  return { position: parsePosition(token), waitMs, stale };
}

/** Reads how long a value is to live from now on. Throws `INVALID_TTL`. */
export function readLife(
  ttl: string | undefined,
  expiresAt: string | undefined,
  nowMs: number,
): Life {
  if ((ttl === undefined) === (expiresAt === undefined)) {
    const got = ttl === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_TTL", `Expected \`ttl\` or \`expiresAt\`, got ${got}`);
  }
  if (expiresAt === undefined) return { ttlMs: readTtlMs(ttl) ?? 0 };
  return readUntil("expiresAt", expiresAt, nowMs);
}

/** A time to live that JSON holds as seconds or as text. Throws `INVALID_TTL` and `INVALID_BODY`. */
export function ttlMsOf(ttl: unknown): number | undefined {
  if (ttl === undefined) return undefined;
  if (typeof ttl === "number") return checkTtlMs(ttl * 1_000, `${ttl} seconds`);
  return parseTtlMs(textOf(ttl, "ttl"));
}
