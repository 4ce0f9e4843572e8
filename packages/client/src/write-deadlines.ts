/**
 * Until when a node may make a write: as long as this client waits for its answer. What the client then sends elsewhere, or gives up, no node makes later.
 *
 * The deadline is an instant of the node's own time, which is never reckoned to be later than it is: when the client stops to wait, the node's clock shows
 * the deadline or more. Before a node has told its time, the cluster's time as this client knows it has to do. If that is wrong, the node refuses the
 * write, tells its time, and is asked again at once.
 */
import type { Clock } from "@meridian/runtime";

import type { ClusterTime } from "./cluster-time.ts";
import type { RawAnswer } from "./exchange.ts";
import type { PooledNode } from "./node-pool.ts";
import { errorOf } from "./problem.ts";
import { SLOW_BODY_BYTES } from "./requests.ts";
import { changesNothing, type NodeRequest } from "./run.ts";

/** How long a node has for an attempt, in milliseconds, and when its call ends, on the clock's `elapsedMs`. */
interface AttemptBounds {
  readonly budgetMs: number;
  readonly endMs: number;
}

/** Makes the deadlines of writes. */
export class WriteDeadlines {
  readonly #clock: Clock;
  readonly #time: ClusterTime;

  /** `time` is asked for nodes that have not told theirs. */
  constructor(clock: Clock, time: ClusterTime) {
    this.#clock = clock;
    this.#time = time;
  }

  /** The deadline of a request that is sent now, in milliseconds since the Unix epoch; undefined for one that changes nothing. */
  of(node: PooledNode, request: NodeRequest, bounds: AttemptBounds): number | undefined {
    if (changesNothing(request)) return undefined;
    const elapsedMs = this.#clock.elapsedMs();
    const leftMs = Math.min(bounds.budgetMs + extraMsOf(request, bounds), bounds.endMs - elapsedMs);
    return Math.floor((node.time.at(elapsedMs) ?? this.#time.nowMs()) + leftMs);
  }

  /** A node has answered what was sent at `sentAtMs`. */
  heard(node: PooledNode, answer: RawAnswer, sentAtMs: number): void {
    const told = answer.headers.get("meridian-time");
    const nowMs = told === null ? refusalOf(answer)?.nowMs : Number(told);
    if (nowMs === undefined || !Number.isFinite(nowMs)) return;
    const elapsedMs = this.#clock.elapsedMs();
    node.time.heard(nowMs, sentAtMs, elapsedMs);
    this.#time.heard(nowMs, nowMs + elapsedMs - sentAtMs);
  }
}

/** Whether a node has refused a write because of its deadline: the node has told its time, by which the client may try again. */
export function isOutOfTime(answer: RawAnswer): boolean {
  return refusalOf(answer) !== undefined;
}

/** What a request may take beside an attempt's time: to be sent, and to wait for a lease. */
function extraMsOf({ body, waitMs = 0 }: NodeRequest, { budgetMs }: AttemptBounds): number {
  const bytes = body?.length ?? 0;
  return waitMs + (bytes > SLOW_BODY_BYTES ? (bytes / SLOW_BODY_BYTES) * budgetMs : 0);
}

/** What a refusal says of the deadline. */
interface Refusal {
  readonly deadlineMs: number;
  readonly nowMs: number;
}

function refusalOf(answer: RawAnswer): Refusal | undefined {
  if (answer.status !== 409 && answer.status !== 400) return undefined;
  const { deadlineMs, nowMs } = errorOf(answer, "")?.details ?? {};
  if (typeof deadlineMs !== "number" || typeof nowMs !== "number") return undefined;
  return { deadlineMs, nowMs };
}
