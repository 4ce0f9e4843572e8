import { MeridianError } from "@meridian/protocol";
import { deleted, written } from "@meridian/protocol/http-api";
import { Backoff } from "@meridian/runtime";

import { answerOf, bareEtag, carriedEntryOf, type ReceivedEntry } from "./answers.ts";
import type { CallOptions, UpdateOptions } from "./call-options.ts";
import type { KeyspaceParts } from "./keyspace.ts";
import { pause } from "./pause.ts";
import {
  deleteRequest,
  isScoped,
  limitsOf,
  readLimits,
  scopedGetRequest,
  setRequest,
} from "./requests.ts";
import type { CallLimits } from "./run.ts";
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
export function update<In, Out>(
  parts: KeyspaceParts,
  { key, shape, change }: Change<In, Out>,
  options: UpdateOptions,
): Promise<Out | undefined> {
  const limits = limitsOf(options, parts.deadlineMs);
  const readOf = isScoped(options.scope) ? readScoped : read;
  return settled(parts, limits, async (leftMs) => {
    const held = await readOf(parts, key, { ...limits, deadlineMs: leftMs() });
    const current = held && (await shape.decode(key, held, true));
    const next = await change(current);
    if (next === undefined) return async () => current;
    const encoded = await shape.encode(key, next, options.contentType);
    const condition = held === undefined ? { ifAbsent: true } : { ifMatch: bareEtag(held.etag) };
    return async () => {
      const deadlineMs = leftMs();
      const kept = keptTtlMs(held, options, parts.time.nowMs());
      const terms = { ...options, deadlineMs, ...condition, ...kept };
      answerOf(written, await parts.write(setRequest(key, encoded, terms, deadlineMs)));
      return shape.decode(key, encoded, false);
    };
  });
}

/** Reads the value and deletes it if it is still the same. It is decoded first: what cannot be decoded stays. */
export function pull<Out>(
  parts: KeyspaceParts,
  { key, shape }: Pick<Change<never, Out>, "key" | "shape">,
  options: CallOptions,
): Promise<Out | undefined> {
  const limits = readLimits("`pull`", options, parts.deadlineMs);
  return settled(parts, limits, async (leftMs) => {
    const held = await read(parts, key, { ...limits, deadlineMs: leftMs() });
    if (held === undefined) return async () => undefined;
    const value = await shape.decode(key, held, false);
    return async () => {
      const deadlineMs = leftMs();
      const terms = { ...options, deadlineMs, ifMatch: bareEtag(held.etag) };
      answerOf(deleted, await parts.write(deleteRequest(key, terms, deadlineMs)));
      return value;
    };
  });
}

function read(
  { reads }: KeyspaceParts,
  key: string,
  limits: CallLimits,
): Promise<ReceivedEntry | undefined> {
  return reads.read(key, limits, (_, entry) => entry);
}

/** Reads a value in the order of the whole cluster. */
export async function readScoped(
  { caller }: KeyspaceParts,
  key: string,
  limits: CallLimits,
): Promise<ReceivedEntry | undefined> {
  const { answer, found } = await caller.call(scopedGetRequest(key), limits);
  return found ? carriedEntryOf(answer) : undefined;
}

/**
 * Prepares a write and makes it, and repeats both if another write came between, until the deadline. A repetition is given up before it begins if the
 * time that is left is less than the last one took: cut off, it would leave open whether its write was made. `leftMs` throws `DEADLINE_PASSED` where
 * nothing is left.
 */
async function settled<T>(
  { network, random }: KeyspaceParts,
  { deadlineMs, signal }: CallLimits,
  prepare: (leftMs: () => number) => Promise<() => Promise<T>>,
): Promise<T> {
  const { clock } = network;
  const endMs = clock.elapsedMs() + deadlineMs;
  const leftMs = (): number => {
    const left = endMs - clock.elapsedMs();
    if (left > 0) return left;
    const said = `Expected what to write within ${Math.round(deadlineMs)} ms, got it later`;
    throw new MeridianError("DEADLINE_PASSED", said);
  };
  const pauses = new Backoff({ random, firstMs: PAUSE_MS, maxMs: PAUSE_MS_MAX });
  for (;;) {
    const beganMs = clock.elapsedMs();
    const write = await prepare(leftMs);
    try {
      return await write();
    } catch (cause) {
      if (!(cause instanceof MeridianError) || cause.code !== "PRECONDITION_FAILED") throw cause;
      const [nowMs, pauseMs] = [clock.elapsedMs(), pauses.nextMs()];
      if (nowMs + pauseMs + (nowMs - beganMs) >= endMs) throw cause;
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
