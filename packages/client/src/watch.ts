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
import type { Network } from "./exchange.ts";
import { refuseUnknown } from "./options.ts";
import { orAborted } from "./or-aborted.ts";
import { pause } from "./pause.ts";
import { errorOf } from "./problem.ts";
import { checkedKey, checkText } from "./requests.ts";
import { plainShape } from "./shape.ts";

/** What is watched: one `key`, or all keys that begin with `prefix`. */
export interface WatchOptions {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** Whether events have the values that were set. Default false. */
  readonly values?: boolean | undefined;
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

/** Events that are no longer are parsed; a longer one is nobody's. */
const EVENT_LENGTH_MAX = 512 * 1024 * 1024;

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

/** What a stream sends: an id, or an event that has a name and data. */
interface Sent {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly data: string;
}

/** The events of one stream, until it ends. */
async function* events(
  { caller, network, deadlineMs }: WatchParts,
  query: URLSearchParams,
  token: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<Sent, void, undefined> {
  // A call like any other: it finds a node that serves, and that has seen what this client has.
  const limits = { deadlineMs, signal };
  const under = new URLSearchParams({
    limit: "1",
    prefix: query.get("key") ?? query.get("prefix") ?? "",
  });
  const { node } = await caller.call({ method: "GET", path: `/keys?${under.toString()}` }, limits);
  const controller = new AbortController();
  const either = eitherOf(controller.signal, signal);
  let cancel = (): void => {};
  const rearm = (): void => {
    cancel();
    const said = `nothing within ${QUIET_MS} ms`;
    cancel = network.deadlines.after(QUIET_MS, () => controller.abort(new Error(said)));
  };
  try {
    rearm();
    const init = {
      headers: token === undefined ? {} : { "last-event-id": token },
      signal: either.signal,
      redirect: "error",
      cache: "no-store",
      credentials: "omit",
    } as const;
    const url = `${node.info.url}/watch?${query.toString()}`;
    const answer = await orAborted(network.fetch(url, init), either.signal);
    const { status, headers } = answer;
    if (status !== 200) {
      const body = new Uint8Array(await answer.arrayBuffer());
      throw errorOf({ status, headers, body }, node.info.url) ?? odd(node.info.url);
    }
    const reader = answer.body?.getReader();
    if (reader === undefined) throw odd(node.info.url);
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await orAborted(reader.read(), either.signal);
      if (done) return;
      rearm();
      text += decoder.decode(value, { stream: true });
      if (text.length > EVENT_LENGTH_MAX) throw odd(node.info.url);
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const sent = sentOf(block);
        if (sent !== undefined) yield sent;
      }
    }
  } finally {
    cancel();
    // Ends the request where the caller has enough.
    controller.abort();
    either.release();
  }
}

/** What a block of lines says; undefined for comments and what is not for this client. */
function sentOf(block: string): Sent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const [id, name] = [fields.get("id"), fields.get("event")];
  if (id === undefined && name === undefined) return undefined;
  return { id, name, data: fields.get("data") ?? "{}" };
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
  refuseUnknown("`watch`", options, ["key", "prefix", "values", "signal"]);
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

function odd(url: string): MeridianError {
  return new MeridianError(
    "INTERNAL",
    `Expected a stream of events from ${url}, got another answer`,
  );
}
