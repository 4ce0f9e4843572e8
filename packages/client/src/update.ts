import { MeridianError } from "@meridian/protocol";
import { written } from "@meridian/protocol/http-api";
import { Backoff } from "@meridian/runtime";

import { answerOf, bareEtag, type ReceivedEntry } from "./answers.ts";
import type { UpdateOptions } from "./call-options.ts";
import type { KeyspaceParts } from "./keyspace.ts";
import { pause } from "./pause.ts";
import { limitsOf, setRequest } from "./requests.ts";
import type { Shape } from "./shape.ts";

/** One `update`: the key, the function and the limits. */
export interface Change<In, Out> {
  /** The whole key, which was checked. */
  readonly key: string;
  readonly shape: Shape<In, Out>;
  readonly change: (current: Out | undefined) => In | undefined | Promise<In | undefined>;
}

/** The first pause after another write came between, in milliseconds; each later one may be twice as long. */
const PAUSE_MS = 5;
const PAUSE_MS_MAX = 500;

/** Reads the value, changes it and stores it; repeats this if another write came between, until the deadline. */
export async function update<In, Out>(
  parts: KeyspaceParts,
  { key, shape, change }: Change<In, Out>,
  options: UpdateOptions,
): Promise<Out | undefined> {
  const { network, random, reads, time } = parts;
  const { deadlineMs, signal } = limitsOf(options, parts.deadlineMs);
  const endMs = network.clock.elapsedMs() + deadlineMs;
  const pauses = new Backoff({ random, firstMs: PAUSE_MS, maxMs: PAUSE_MS_MAX });
  for (;;) {
    const leftMs = Math.max(1, endMs - network.clock.elapsedMs());
    const held = await reads.read(key, { deadlineMs: leftMs, signal }, (_, entry) => entry);
    const current = held && (await shape.decode(key, held, true));
    const next = await change(current);
    if (next === undefined) return current;
    const encoded = await shape.encode(key, next, options.contentType);
    const condition = held === undefined ? { ifAbsent: true } : { ifMatch: bareEtag(held.etag) };
    const kept = keptTtlMs(held, options, time.nowMs());
    const terms = { ...options, deadlineMs: leftMs, ...condition, ...kept };
    try {
      answerOf(written, await parts.write(setRequest(key, encoded, terms, leftMs)));
      return await shape.decode(key, encoded, false);
    } catch (cause) {
      if (!(cause instanceof MeridianError) || cause.code !== "PRECONDITION_FAILED") throw cause;
      const pauseMs = pauses.nextMs();
      if (network.clock.elapsedMs() + pauseMs >= endMs) throw cause;
      await pause(network, pauseMs, signal);
      signal?.throwIfAborted();
    }
  }
}

/** The remaining time to live of the present value, if the caller gives none. */
function keptTtlMs(
  held: ReceivedEntry | undefined,
  { ttl, ttlMs }: UpdateOptions,
  nowMs: number,
): { readonly ttlMs?: number } {
  const expiresAtMs = Number(held?.expiresAtMs);
  if (ttl !== undefined || ttlMs !== undefined || !(expiresAtMs > 0)) return {};
  return { ttlMs: Math.max(1, expiresAtMs - nowMs) };
}
