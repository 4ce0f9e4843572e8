/** What `getOrSet` takes, and how it is read. */
import { MeridianError } from "@meridian/protocol";

import type { CallOptions } from "../call-options.ts";
import { checkMs, checkShare, readSpanMs, refuseUnknown } from "../options.ts";
import { checkContentType } from "../requests.ts";

/** What `getOrSet` takes. */
export interface FillOptions extends CallOptions {
  /** How long after it was written a value is fresh: text with a unit. Default: as long as it lives. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** So long beyond its `ttl`, a value is given at once and loaded anew behind the call: text with a unit. Default: not at all. */
  readonly staleWhileRevalidate?: string | undefined;
  readonly staleWhileRevalidateMs?: number | undefined;
  /** So long beyond its `ttl`, a value is given where a load fails or takes too long: text with a unit. Default: not at all. */
  readonly staleIfError?: string | undefined;
  readonly staleIfErrorMs?: number | undefined;
  /** How long it is remembered that `load` found nothing (`undefined`): text with a unit. Default: not at all. */
  readonly negativeTtl?: string | undefined;
  readonly negativeTtlMs?: number | undefined;
  /** From this part of its `ttl` on, 0 to 1, a fresh value is loaded anew behind the call. Default: not at all. */
  readonly earlyRefresh?: number | undefined;
  /** The part of the `ttl`, 0 to 1, by which values may go stale earlier, each at its own time. Default 0. */
  readonly jitter?: number | undefined;
  /** After so many milliseconds of loading a stale value is given, if there is one that `staleIfError` allows. Default: none. */
  readonly softTimeoutMs?: number | undefined;
  /** After so many milliseconds a load is given up: 1 to 600 000. Default 10 000. */
  readonly hardTimeoutMs?: number | undefined;
  /** Among whom a value is loaded once: the callers in this `process` (default), or all processes that use the same node. */
  readonly lock?: "process" | "region" | undefined;
  /** As in `set`. */
  readonly contentType?: string | undefined;
}

/** What a loader is given. */
export interface LoadContext<Out> {
  readonly key: string;
  /** Aborts when nobody wants the value any more, at `hardTimeoutMs`, and when the client is closed. */
  readonly signal: AbortSignal;
  /** The value that is no longer fresh, if there is one. */
  readonly stale: Out | undefined;
}

/** Loads a value; undefined where there is none. */
export type Loader<In, Out> = (
  context: LoadContext<Out>,
) => In | undefined | Promise<In | undefined>;

/** How a value is to be had. Durations in milliseconds. */
export interface FillPlan {
  /** Infinity: as long as the value lives. */
  readonly freshMs: number;
  readonly staleMs: number;
  readonly staleIfErrorMs: number;
  readonly negativeMs: number | undefined;
  /** From which part of its time on a fresh value is loaded anew; Infinity for none. */
  readonly earlyRefresh: number;
  readonly jitter: number;
  readonly softMs: number | undefined;
  readonly hardMs: number;
  /** Whether the processes of a region take turns. */
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
