/** The state of one call over all its attempts, and the errors that it may end with. */
import { MeridianError, type ErrorDetails } from "@meridian/protocol";
import type { SocketRequestOf, SocketRequestType } from "@meridian/protocol/socket-api";
import type { Backoff, LiveSpan } from "@meridian/runtime";

import type { RawAnswer, Request } from "./exchange.ts";
import type { PooledNode } from "./node-pool.ts";

/** A request that any node may answer. */
export interface NodeRequest {
  readonly method: Request["method"];
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** The request may take longer than an attempt's time limit, such as one that waits for acknowledgements. Meanwhile the client checks that the node still answers. */
  readonly slow?: boolean;
  /** How long the node may wait before it does what is asked, in milliseconds. Default 0. */
  readonly waitMs?: number;
  /** A write that is applied only if a condition holds. */
  readonly conditional?: boolean;
  /** The same over a WebSocket, if it can carry the request. */
  readonly message?: SocketMessage | undefined;
}

/** A request over a WebSocket, without its id and its session. Values are bytes. */
export type SocketMessage = {
  [Type in SocketRequestType]: Omit<
    SocketRequestOf<Type>,
    "id" | "position" | "waitMs" | "deadlineMs"
  >;
}[SocketRequestType];

/** The bounds of one call. */
export interface CallLimits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The state of one call. */
export interface Run {
  readonly request: NodeRequest;
  readonly limits: CallLimits;
  readonly signal: AbortSignal;
  /** The span of the call, if the application takes spans. */
  readonly span: LiveSpan | undefined;
  readonly endMs: number;
  readonly pauses: Backoff;
  /** The failures so far, each one once. */
  readonly failures: { readonly node: string; readonly reason: string }[];
  /** How many attempts got no answer. Each later attempt gets more time, because the node may be far away. */
  unanswered: number;
  /** Whether any node has been asked. */
  asked: boolean;
  mayHaveBeenApplied: boolean;
  lastError: MeridianError | undefined;
}

/** How many failures an error lists at most. */
const FAILURES_MAX = 10;

/** Notes that an attempt may have been applied. Throws `OUTCOME_UNKNOWN` if the call must not be repeated then. */
export function onMaybeApplied(run: Run): void {
  run.mayHaveBeenApplied = true;
  if (run.request.conditional !== true) return;
  const message = `Expected an answer to a write with a condition, got none that says what became of it (${toldBy(run)})`;
  throw withFacts(run, new MeridianError("OUTCOME_UNKNOWN", message, { cause: run.lastError }));
}

/** Whether a node that answers with an error may have stored the write all the same. */
export function mayHaveStored(
  answer: RawAnswer,
  error: MeridianError,
  request: NodeRequest,
): boolean {
  // One that is stored may find too many others waiting for their acknowledgement; one that hangs, the node tells of.
  const isOverloaded = error.code === "OVERLOADED" && request.slow === true;
  return answer.status === 500 || isOverloaded || error.details?.["mayHaveBeenApplied"] === true;
}

/** Adds a failure of a node. */
export function note(run: Run, node: PooledNode, reason: string): void {
  const known = run.failures.some((one) => one.node === node.info.id && one.reason === reason);
  if (known) return;
  if (run.failures.length === FAILURES_MAX) run.failures.shift();
  run.failures.push({ node: node.info.id, reason });
}

/** The error of a call whose deadline is over. */
export function giveUp(run: Run): MeridianError {
  if (run.lastError !== undefined) return withFacts(run, run.lastError);
  const withinMs = Math.round(run.limits.deadlineMs);
  const message = `Expected an answer within ${withinMs} ms, got none (${toldBy(run)})`;
  return withFacts(run, new MeridianError("NO_READY_NODE", message));
}

/** The error of a call that fails before its deadline: every circuit is open, and no node says that it is ready. */
export function outOfService(run: Run, nodes: readonly PooledNode[]): MeridianError {
  for (const node of nodes) if (node.lastFailure !== "") note(run, node, node.lastFailure);
  const message = `Expected a node whose circuit is not open, got none (${toldBy(run)})`;
  return withFacts(run, new MeridianError("NO_READY_NODE", message));
}

/** The error with the earlier failures of this call in its details. */
export function withFacts(run: Run, error: MeridianError): MeridianError {
  const details: Record<string, unknown> = { ...error.details };
  let { message } = error;
  if (run.failures.length > 0) details["failures"] = [...run.failures];
  if (run.mayHaveBeenApplied && !changesNothing(run.request)) {
    details["mayHaveBeenApplied"] = true;
    message += "; an attempt without an answer may have been applied";
  }
  const facts: ErrorDetails = details;
  return new MeridianError(error.code, message, { details: facts, cause: error.cause });
}

function toldBy(run: Run): string {
  return run.failures.map(({ node, reason }) => `${node}: ${reason}`).join("; ");
}

/** Whether a request only reads. */
export function changesNothing({ method, path }: NodeRequest): boolean {
  return method === "GET" || path === "/batch/get" || path === "/batch/has";
}

/** The error of a call whose deadline is over while it waits for a request that it shares with other calls. */
export function giveUpWaiting({ deadlineMs }: CallLimits): MeridianError {
  const message = `Expected an answer within ${Math.round(deadlineMs)} ms, got none`;
  return new MeridianError("NO_READY_NODE", message);
}
