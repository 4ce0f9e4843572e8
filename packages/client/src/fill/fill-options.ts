/** The options of `getOrSet`, and how they are read. */
import { MeridianError } from "@meridian/protocol";

import type { CallOptions } from "../call-options.ts";
import { checkMs, checkShare, readSpanMs, refuseUnknown } from "../options.ts";
import { checkContentType } from "../requests.ts";

/** The options of `getOrSet`. */
export interface FillOptions extends CallOptions {
  /** How long after it was written a value is fresh: text with a unit. Default: as long as it lives. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** For so long after its `ttl`, a stale value is returned at once and loaded anew in the background: text with a unit. Default: not at all. */
  readonly staleWhileRevalidate?: string | undefined;
  readonly staleWhileRevalidateMs?: number | undefined;
  /** For so long after its `ttl`, a stale value is returned if its load fails or takes too long: text with a unit. Default: not at all. */
  readonly staleIfError?: string | undefined;
  readonly staleIfErrorMs?: number | undefined;
  /** For how long the client stores that `load` returned `undefined`: text with a unit. Default: not at all. */
  readonly negativeTtl?: string | undefined;
  readonly negativeTtlMs?: number | undefined;
  /** After this part of its `ttl`, 0 to 1, a fresh value is loaded anew in the background. Default: not at all. */
  readonly earlyRefresh?: number | undefined;
  /** Each value becomes stale earlier by a random part of its `ttl`, up to this one, 0 to 1. Default 0. */
  readonly jitter?: number | undefined;
  /** If a load takes more than so many milliseconds, a stale value that `staleIfError` allows is returned. Default: none. */
  readonly softTimeoutMs?: number | undefined;
  /** If a load takes more than so many milliseconds, 1 to 600 000, it is aborted with `LOAD_TIMEOUT`. Default 10 000. */
  readonly hardTimeoutMs?: number | undefined;
  /** Who shares one load: the calls in this `process` (default), or with `region` all processes that use the same node. */
  readonly lock?: "process" | "region" | undefined;
  /** As in `set`. */
  readonly contentType?: string | undefined;
}

/** The argument of a loader. */
export interface LoadContext<Out> {
  readonly key: string;
  /** Aborts when no call waits for the value any more, after `hardTimeoutMs`, and when the client is closed. */
  readonly signal: AbortSignal;
  /** The value that is no longer fresh, if there is one. */
  readonly stale: Out | undefined;
}

/** Loads a value; returns undefined if there is none. */
export type Loader<In, Out> = (
  context: LoadContext<Out>,
) => In | undefined | Promise<In | undefined>;

/** The checked options of one `getOrSet`. Durations in milliseconds. */
export interface FillPlan {
  /** Infinity: as long as the value lives. */
  readonly freshMs: number;
  readonly staleMs: number;
  readonly staleIfErrorMs: number;
  readonly negativeMs: number | undefined;
  /** The part of `freshMs` after which a fresh value is loaded anew; Infinity for never. */
  readonly earlyRefresh: number;
  readonly jitter: number;
  readonly softMs: number | undefined;
  readonly hardMs: number;
  /** Whether the processes that use the same node share one load, by a lease. */
  readonly regional: boolean;
  readonly contentType: string | undefined;
}

const FILL_OPTIONS: readonly string[] = [
  "signal",
  "deadlineMs",
  "ttl",
  "ttlMs",
  "staleWhileRevalidate",
  "staleWhileRevalidateMs",
  "staleIfError",
  "staleIfErrorMs",
  "negativeTtl",
  "negativeTtlMs",
  "earlyRefresh",
  "jitter",
  "softTimeoutMs",
  "hardTimeoutMs",
  "lock",
  "contentType",
];

const HARD_TIMEOUT_MS = 10_000;
const TIMEOUT_MS_MAX = 600_000;

/** Reads the options of a call. Throws `UNKNOWN_OPTION`, `INVALID_TTL` and `INVALID_ARGUMENT`. */
export function fillPlanOf(what: string, options: FillOptions): FillPlan {
  refuseUnknown(what, options, FILL_OPTIONS);
  const { softTimeoutMs, earlyRefresh, jitter, lock = "process" } = options;
  if (lock !== "process" && lock !== "region") {
    const said = `Expected \`lock\` to be \`process\` or \`region\`, got \`${String(lock)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const freshMs = readSpanMs("ttl", options.ttl, options.ttlMs) ?? Infinity;
  const staleMs = spanOf(options, "staleWhileRevalidate") ?? 0;
  const staleIfErrorMs = spanOf(options, "staleIfError") ?? 0;
  if (freshMs === Infinity && staleMs + staleIfErrorMs > 0) {
    const said = "Expected a `ttl` beside the time for which stale values are given, got none";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  return {
    freshMs,
    staleMs,
    staleIfErrorMs,
    negativeMs: spanOf(options, "negativeTtl"),
    earlyRefresh: earlyRefresh === undefined ? Infinity : checkShare("earlyRefresh", earlyRefresh),
    jitter: jitter === undefined ? 0 : checkShare("jitter", jitter),
    softMs:
      softTimeoutMs === undefined
        ? undefined
        : checkMs("softTimeoutMs", softTimeoutMs, 0, 1, TIMEOUT_MS_MAX),
    hardMs: checkMs("hardTimeoutMs", options.hardTimeoutMs, HARD_TIMEOUT_MS, 1, TIMEOUT_MS_MAX),
    regional: lock === "region",
    contentType: checkContentType(options.contentType),
  };
}

function spanOf(
  options: FillOptions,
  name: "staleWhileRevalidate" | "staleIfError" | "negativeTtl",
): number | undefined {
  return readSpanMs(name, options[name], options[`${name}Ms`]);
}
