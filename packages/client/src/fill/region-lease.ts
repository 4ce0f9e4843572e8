import { lease } from "@meridian/protocol/http-api";

import { answerOf } from "../answers.ts";
import type { Caller } from "../caller.ts";
import { leaseRequest, releaseRequest } from "../change-requests.ts";

/** The longest time for which a node lets a client wait for a lease, in milliseconds. */
const WAIT_MS_MAX = 10_000;

/** The parts that leases use. */
export interface RegionLeaseOptions {
  readonly caller: Caller;
  readonly deadlineMs: number;
}

/**
 * Asks a node for the lease of a key. Resolves to the lease's id; null if another process has loaded the key meanwhile, or still holds the lease after the
 * wait; undefined if no node answers.
 */
export async function acquireLease(
  { caller, deadlineMs }: RegionLeaseOptions,
  key: string,
  ttlMs: number,
  leftMs: number,
  signal: AbortSignal,
): Promise<string | null | undefined> {
  const waitMs = Math.ceil(Math.min(WAIT_MS_MAX, Math.max(0, leftMs)));
  try {
    const limits = { deadlineMs: waitMs + deadlineMs, signal };
    const reply = await caller.call(leaseRequest(key, Math.ceil(ttlMs), waitMs), limits);
    return answerOf(lease, reply).lease;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Gives a lease back in the background. If the request fails, the lease ends by itself. */
export function releaseLease(
  { caller, deadlineMs }: RegionLeaseOptions,
  key: string,
  id: string,
): void {
  caller.call(releaseRequest(key, id), { deadlineMs }).catch(() => {});
}
