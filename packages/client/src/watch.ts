/**
 * Watches keys, at one node after the other.
 *
 * A node tells what becomes of the keys, with tokens of the places behind it. When it tells no more (the node stops, the
 * network fails, nothing comes for 40 s, the caller takes too little of it), it is asked again where calls go now, with the last token. The same node then goes on from
 * there. Another node cannot, nor can one that has been restarted: it says so, and the caller is told to read anew.
 */
import { MeridianError } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import { bareEtag, instantOf } from "./answers.ts";
import type { Caller } from "./caller.ts";
import { eitherOf } from "./either-of.ts";
import { refuseUnknown } from "./options.ts";
import { pause } from "./pause.ts";
import { checkedKey, checkText } from "./requests.ts";
import type { NodeRequest } from "./run.ts";
import { plainShape } from "./shape.ts";
import { toldBy, type WatchPaths } from "./told-by.ts";
import type { Told, ToldChange, WatchQuestion } from "./told.ts";

/** What is watched: one `key`, or all keys that begin with `prefix`. */
export interface WatchOptions {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** Whether events have the values that were set. Default false. */
  readonly values?: boolean | undefined;
  /** Called each time a node has begun to tell the changes: the caller is told of every later one, or to reload. */
  readonly onLive?: (() => void) | undefined;
  /** Ends the watch, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What has become of a key; `reload`: something may have been missed, and what is watched has to be read anew. */
export type WatchEvent =
  | {
      readonly event: "set";
      readonly key: string;
      readonly etag: string;
      /** When the value expires, in milliseconds since the Unix epoch; undefined for never. */
      readonly expiresAtMs: number | undefined;
      readonly contentType: string;
      /** As `get` gives it; undefined where values were not asked for. */
      readonly value: unknown;
    }
  | { readonly event: "delete" | "expire"; readonly key: string; readonly etag: string }
  | { readonly event: "reload" };

/** What watches go through. */
export interface WatchParts extends WatchPaths {
  readonly caller: Caller;
  readonly random: Random;
  readonly deadlineMs: number;
  /** Ends all watches. */
  readonly closed: AbortSignal;
}

/** Nodes send something every fifteen seconds, or answer when asked for it: one that is silent for so long is taken for dead. */
const QUIET_MS = 40_000;

/** Watches until the signal aborts, the client is closed, or the caller has enough. Throws errors that would stay. */
export async function* watch(
  parts: WatchParts,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const question = questionOf(options);
  const { network, random } = parts;
  const either = eitherOf(options.signal, parts.closed);
  const pauses = new Backoff({ random, firstMs: 100, maxMs: 5_000 });
  let token: string | undefined;
  try {
    for (;;) {
      either.signal.throwIfAborted();
      try {
        for await (const told of toldNow(parts, { ...question, token }, either.signal)) {
          token = told.token ?? token;
          pauses.reset();
          if (told.kind === "open") options.onLive?.();
          if (told.kind === "reload") yield { event: "reload" };
          if (told.kind === "change") yield await eventOf(told.change, options.values === true);
        }
      } catch (cause) {
        either.signal.throwIfAborted();
        if (cause instanceof MeridianError && !cause.retryable) throw cause;
      }
      await pause(network, pauses.nextMs(), either.signal);
    }
  } finally {
    either.release();
  }
}

/** What the node tells that calls go to now. */
async function* toldNow(
  parts: WatchParts,
  question: WatchQuestion,
  signal: AbortSignal,
): AsyncGenerator<Told, void, undefined> {
  const { caller, deadlineMs } = parts;
  const beginning = question.key ?? question.prefix ?? "";
  const { node } = await caller.call(lookRequest(beginning), { deadlineMs, signal });
  yield* toldBy(parts, node, question, signal);
}

/** A call like any other: it finds a node that serves, and that has seen what this client has. */
export function lookRequest(prefix: string): NodeRequest {
  const path = `/keys?${new URLSearchParams({ limit: "1", prefix }).toString()}`;
  return { method: "GET", path, message: { type: "entries", prefix, limit: 1 } };
}

async function eventOf(change: ToldChange, withValues: boolean): Promise<WatchEvent> {
  const { event, key } = change;
  if (event !== "set") return { event, key, etag: bareEtag(change.etag) };
  const { entry } = change;
  return {
    event,
    key,
    etag: bareEtag(entry.etag),
    expiresAtMs: instantOf(entry.expiresAtMs),
    contentType: entry.contentType,
    value: withValues ? await plainShape.decode(key, entry, false) : undefined,
  };
}

function questionOf(options: WatchOptions): WatchQuestion {
  refuseUnknown("`watch`", options, ["key", "prefix", "values", "onLive", "signal"]);
  const { key, prefix, values } = options;
  if ((key === undefined) === (prefix === undefined)) {
    const got = key === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_ARGUMENT", `Expected \`key\` or \`prefix\`, got ${got}`);
  }
  return {
    ...(key === undefined
      ? { prefix: checkText("prefix", prefix ?? "", "INVALID_ARGUMENT") }
      : { key: checkedKey(key) }),
    values: values === true,
    token: undefined,
    quietMs: QUIET_MS,
    isHeld: true,
  };
}
