/** What a node tells those who watch: over its WebSocket, or as server-sent events where there is none. */
import { MeridianError } from "@meridian/protocol";

import { describedEntryOf } from "./answers.ts";
import { eventsOf, type Sent } from "./event-stream.ts";
import type { Network } from "./exchange.ts";
import type { PooledNode } from "./node-pool.ts";
import type { SocketLinks } from "./socket-links.ts";
import type { ToldPosition, Told, ToldChange, WatchQuestion } from "./told.ts";

/** What a watch goes through. */
export interface WatchPaths {
  readonly network: Network;
  readonly links: SocketLinks;
}

/** How long a WebSocket may take to open, and the node to answer over it, in milliseconds. */
const OPENING_MS = 3_000;

/** A node that answers so takes no such watch over this WebSocket: it is older than the request, or the connection has as many as it may. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "UNKNOWN_OPTION",
  "MALFORMED_MESSAGE",
  "OVERLOADED",
]);

/** What a node tells, until it tells no more. Throws its error, that of the network, or the signal's reason. */
export async function* toldBy(
  paths: WatchPaths,
  node: PooledNode,
  question: WatchQuestion,
  signal: AbortSignal,
): AsyncGenerator<Told, void, undefined> {
  const overSocket = await openSocketWatch(paths, node, question, signal);
  if (overSocket === undefined) yield* streamed(paths.network, node, question, signal);
  else yield* overSocket;
}

async function openSocketWatch(
  { network, links }: WatchPaths,
  node: PooledNode,
  question: WatchQuestion,
  signal: AbortSignal,
): Promise<AsyncGenerator<Told, void, undefined> | undefined> {
  const endMs = network.clock.elapsedMs() + 2 * OPENING_MS;
  const patience = { quietMs: OPENING_MS, endMs, signal };
  const link = await links.linkFor(node, patience, true);
  try {
    return await link?.watch(question, patience);
  } catch (cause) {
    if (cause instanceof MeridianError && ELSEWHERE.has(cause.code)) return undefined;
    throw cause;
  }
}

async function* streamed(
  network: Network,
  node: PooledNode,
  { key, prefix = "", values, positions, token, quietMs }: WatchQuestion,
  signal: AbortSignal,
): AsyncGenerator<Told, void, undefined> {
  const query = new URLSearchParams(key === undefined ? { prefix } : { key });
  if (values === true) query.set("values", "true");
  if (positions === true) query.set("positions", "true");
  const path = `/watch?${query.toString()}`;
  const askedAtMs = network.clock.elapsedMs();
  let isOpen = false;
  for await (const sent of eventsOf(
    network,
    { node: node.info.url, path, token, quietMs },
    signal,
  )) {
    if (!isOpen) yield { kind: "open", token: sent.id, askedAtMs };
    isOpen = true;
    if (sent.name !== undefined) yield toldOf(sent.name, sent);
  }
}

function toldOf(name: string, { id: token, data }: Sent): Told {
  if (name === "position")
    return { kind: "position", token, word: JSON.parse(data) as ToldPosition };
  if (name !== "set" && name !== "delete" && name !== "expire") return { kind: "reload", token };
  const described = JSON.parse(data) as Described;
  const { key, etag } = described;
  const change: ToldChange =
    name === "set"
      ? { event: "set", key, entry: describedEntryOf(described) }
      : { event: name, key, etag };
  return { kind: "change", token, change };
}

interface Described {
  readonly key: string;
  readonly etag: string;
  readonly expiresAtMs: number | null;
  readonly contentType: string;
  readonly value?: string;
  readonly encoding?: string;
}
