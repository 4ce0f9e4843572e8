/**
 * Watches keys, at one node after the other.
 *
 * A node tells what becomes of the keys as server-sent events, each with the token of the place behind it. When the stream ends (the node stops, the
 * network fails, nothing comes for 40 s), another one is opened where calls go now, with the last token. The same node then goes on from
 * there. Another node cannot, nor can one that has been restarted: it says so, and the caller is told to read anew.
 */
import { MeridianError } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import { bareEtag, describedEntryOf } from "./answers.ts";
import type { Caller } from "./caller.ts";
import { eitherOf } from "./either-of.ts";
import { eventsOf, type Sent } from "./event-stream.ts";
import type { Network } from "./exchange.ts";
import { refuseUnknown } from "./options.ts";
import { pause } from "./pause.ts";
import { checkedKey, checkText } from "./requests.ts";
import type { NodeRequest } from "./run.ts";
import { plainShape } from "./shape.ts";

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
export interface WatchParts {
  readonly caller: Caller;
  readonly network: Network;
  readonly random: Random;
  readonly deadlineMs: number;
  /** Ends all watches. */
  readonly closed: AbortSignal;
}

/** Nodes send a comment every fifteen seconds: without anything for so long, the stream is taken for dead. */
const QUIET_MS = 40_000;

/** Watches until the signal aborts, the client is closed, or the caller has enough. Throws errors that would stay. */
export async function* watch(
  parts: WatchParts,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const query = queryOf(options);
  const { network, random } = parts;
  const either = eitherOf(options.signal, parts.closed);
  const pauses = new Backoff({ random, firstMs: 100, maxMs: 5_000 });
  let token: string | undefined;
  try {
    for (;;) {
      either.signal.throwIfAborted();
      try {
        for await (const { id, name, data } of events(parts, query, token, either.signal)) {
          token = id ?? token;
          pauses.reset();
          if (name === undefined) options.onLive?.();
          if (name !== undefined) yield await eventOf(name, data, options.values === true);
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

/** The events of one stream, until it ends. */
async function* events(
  { caller, network, deadlineMs }: WatchParts,
  query: URLSearchParams,
  token: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Sent, void, undefined> {
  const beginning = query.get("key") ?? query.get("prefix") ?? "";
  const { node } = await caller.call(lookRequest(beginning), { deadlineMs, signal });
  const path = `/watch?${query.toString()}`;
  yield* eventsOf(network, { node: node.info.url, path, token, quietMs: QUIET_MS }, signal);
}

/** A call like any other: it finds a node that serves, and that has seen what this client has. */
export function lookRequest(prefix: string): NodeRequest {
  const path = `/keys?${new URLSearchParams({ limit: "1", prefix }).toString()}`;
  return { method: "GET", path, message: { type: "entries", prefix, limit: 1 } };
}

interface Told {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | null;
  readonly contentType: string;
  readonly value?: string;
  readonly encoding?: string;
}

async function eventOf(name: string, data: string, withValues: boolean): Promise<WatchEvent> {
  if (name !== "set" && name !== "delete" && name !== "expire") return { event: "reload" };
  const told = JSON.parse(data) as Told;
  const { key, expiresAtMs, contentType } = told;
  const etag = bareEtag(told.etag);
  if (name !== "set") return { event: name, key, etag };
  const received = describedEntryOf(told);
  const value = withValues ? await plainShape.decode(key, received, false) : undefined;
  return { event: "set", key, etag, expiresAtMs: expiresAtMs ?? undefined, contentType, value };
}

function queryOf(options: WatchOptions): URLSearchParams {
  refuseUnknown("`watch`", options, ["key", "prefix", "values", "onLive", "signal"]);
  const { key, prefix, values } = options;
  if ((key === undefined) === (prefix === undefined)) {
    const got = key === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_ARGUMENT", `Expected \`key\` or \`prefix\`, got ${got}`);
  }
  const query = new URLSearchParams();
  if (key !== undefined) query.set("key", checkedKey(key));
  else query.set("prefix", checkText("prefix", prefix ?? "", "INVALID_ARGUMENT"));
  if (values === true) query.set("values", "true");
  return query;
}
