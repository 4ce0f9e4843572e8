/**
 * Two ways to put load on something.
 *
 * Closed: so many callers, each of which sends its next request when it has the answer of the one before. That finds out how much the cluster
 * can do. Its latencies are better than what users would meet: while the cluster stalls, no requests are sent that would have waited.
 *
 * Open: requests are due at a rate, whatever becomes of earlier ones, and each latency counts from when its request was due. A stall
 * of a second at 1 000 requests a second then shows as a thousand latencies of up to a second, which is what users would have met.
 */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";

/** Sends one request and resolves when it is answered. Never rejects. `dueMs` is from when to count its latency. */
export type Send = (dueMs: number) => Promise<void>;

/** How long, and how many requests at a time. */
export interface LoadTerms {
  readonly durationMs: number;
  readonly callers: number;
}

/** Timers may be late by so much: what is due earlier is awaited by turns of the event loop. */
const TIMER_LATE_MS = 2;

/** Closed load. Resolves to how long it took, in milliseconds. */
export async function closedLoad(send: Send, { durationMs, callers }: LoadTerms): Promise<number> {
  const startMs = performance.now();
  const caller = async (): Promise<void> => {
    for (;;) {
      const nowMs = performance.now();
      if (nowMs - startMs >= durationMs) return;
      await send(nowMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return performance.now() - startMs;
}

/** What came of open load. */
export interface OpenLoadResult {
  readonly elapsedMs: number;
  /** How many requests were due and could not even be sent while the load lasted. */
  readonly unsent: number;
}

/** Open load. At most `callers` requests are under way: what is due meanwhile waits, and that counts. `missed` gets how long those have waited that were never sent. */
export async function openLoad(
  send: Send,
  { durationMs, callers, perSecond }: LoadTerms & { readonly perSecond: number },
  missed: (waitedMs: number) => void,
): Promise<OpenLoadResult> {
  const startMs = performance.now();
  const count = Math.floor((durationMs / 1_000) * perSecond);
  const dueMs = (index: number): number => startMs + (index / perSecond) * 1_000;
  const underWay = new Set<Promise<void>>();
  let next = 0;
  while (next < count && performance.now() - startMs < durationMs) {
    const nowMs = performance.now();
    while (next < count && underWay.size < callers && dueMs(next) <= nowMs) {
      const sent = send(dueMs(next)).finally(() => underWay.delete(sent));
      underWay.add(sent);
      next += 1;
    }
    if (underWay.size >= callers) await Promise.race(underWay);
    else await until(dueMs(next));
  }
  const endMs = performance.now();
  for (let index = next; index < count; index += 1) missed(endMs - dueMs(index));
  await Promise.all(underWay);
  return { elapsedMs: performance.now() - startMs, unsent: count - next };
}

async function until(instantMs: number): Promise<void> {
  const waitMs = instantMs - performance.now();
  if (waitMs > TIMER_LATE_MS) await sleep(waitMs - TIMER_LATE_MS);
  else await turn();
}
