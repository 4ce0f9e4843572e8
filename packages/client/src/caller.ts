/**
 * One call, over as many nodes and attempts as its deadline allows.
 *
 * Each attempt has a budget. A node that is unreachable, hangs, is not ready or is about to stop is left for the
 * next one, and later calls pass it over (`Circuit`). When every node has been tried, the round begins again after a
 * jittered pause that grows, and that is no shorter than the nodes ask for (`Retry-After`).
 *
 * What is repeated: reads; and writes without a condition, because they say what the value is to be, not how it
 * changes. Of those, only the *answer* cannot be repeated: errors after an attempt that may have been applied carry
 * `details.mayHaveBeenApplied`. A write with a condition is repeated only while it is certain that no attempt
 * was applied: a second one would be judged by what the first has done. Else it ends with `OUTCOME_UNKNOWN`.
 */
import { MeridianError, type ErrorCode, type ErrorDetails } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import type { Attempt } from "./circuit.ts";
import { eitherOf } from "./either-of.ts";
import { exchange, NoAnswer, type Answer, type Network, type Request } from "./exchange.ts";
import type { Keeper } from "./keeper.ts";
import { LifeSigns } from "./life-signs.ts";
import type { NodePool, PooledNode } from "./node-pool.ts";
import { pause } from "./pause.ts";
import { errorOf } from "./problem.ts";
import { retryAfterMs } from "./retry-after.ts";
import type { Seen, Session } from "./session.ts";

/** A request to whichever node serves it. */
export interface NodeRequest {
  readonly method: Request["method"];
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** It may rightly take longer than an attempt's budget: the node is asked for signs of life meanwhile. */
  readonly slow?: boolean;
  /** A write that is applied only if a condition holds. */
  readonly conditional?: boolean;
}

/** The bounds of one call. */
export interface CallLimits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A node's answer: a success, or that the key has no live value. */
export interface NodeAnswer {
  readonly answer: Answer;
  readonly found: boolean;
  readonly node: PooledNode;
  /** An earlier attempt of this call got no answer and may have been applied. */
  readonly repeated: boolean;
}

/** What a caller works with. */
export interface CallerOptions {
  readonly network: Network;
  readonly random: Random;
  readonly pool: NodePool;
  readonly keeper: Keeper;
  /** Undefined where the caller wants no session guarantees. */
  readonly session: Session | undefined;
  readonly attemptMs: number;
  /** Ends every call when the client is closed; its reason is thrown. */
  readonly closed: AbortSignal;
}

/** How far one call has come. */
interface Run {
  readonly request: NodeRequest;
  readonly limits: CallLimits;
  readonly signal: AbortSignal;
  readonly endMs: number;
  readonly pauses: Backoff;
  /** What has gone wrong, each thing once. */
  readonly failures: { readonly node: string; readonly reason: string }[];
  /** Attempts without an answer. Each later attempt gets a larger budget: it may be an ocean away. */
  unanswered: number;
  /** Whether any node has been asked. */
  asked: boolean;
  mayHaveBeenApplied: boolean;
  lastError: MeridianError | undefined;
}

/** How many failures an error tells of. */
const FAILURES_MAX = 10;

/** Codes by which a node says that it is not ready to serve. */
const NOT_READY: ReadonlySet<ErrorCode> = new Set([
  "NODE_SYNCING",
  "NODE_DRAINING",
  "NODE_REFUSED",
]);

/** The part of an attempt's budget after which silence counts against a node although the call ended first. */
const TELLING = 0.25;

/** Puts requests to nodes. */
export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /**
   * Sends a request until a node has answered it. Throws the server's error where that is final, the last one when
   * the deadline is over (`NO_READY_NODE` if no node answered at all), `OUTCOME_UNKNOWN`, or the signal's reason.
   */
  async call(request: NodeRequest, limits: CallLimits): Promise<NodeAnswer> {
    const either = eitherOf(limits.signal, this.#options.closed);
    try {
      return await this.#run(request, limits, either.signal);
    } finally {
      either.release();
    }
  }

  async #run(request: NodeRequest, limits: CallLimits, signal: AbortSignal): Promise<NodeAnswer> {
    const { network, random, pool } = this.#options;
    const run: Run = {
      request,
      limits,
      signal,
      endMs: network.clock.elapsedMs() + limits.deadlineMs,
      pauses: new Backoff({ random, firstMs: 50, maxMs: 1_000 }),
      failures: [],
      unanswered: 0,
      asked: false,
      mayHaveBeenApplied: false,
      lastError: undefined,
    };
    const tried = new Set<PooledNode>();
    for (;;) {
      run.signal.throwIfAborted();
      let node = pool.next(tried, network.clock.elapsedMs());
      if (node === undefined && (await this.#pause(run))) {
        tried.clear();
        continue;
      }
      node ??= this.#anyNode(run);
      tried.add(node);
      const answer = await this.#attempt(node, run);
      if (answer !== undefined) return answer;
      if (network.clock.elapsedMs() >= run.endMs) throw giveUp(run);
    }
  }

  async #attempt(node: PooledNode, run: Run): Promise<NodeAnswer | undefined> {
    const { network } = this.#options;
    const startMs = network.clock.elapsedMs();
    const attempt = node.circuit.begin();
    run.asked = true;
    try {
      return this.#judge(node, attempt, await this.#ask(node, run), run);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      const { keeper, attemptMs } = this.#options;
      // The end of a short call says little of the node; of several in a row, it does.
      const waitedMs = network.clock.elapsedMs() - startMs;
      if (!cause.cutShort || waitedMs >= attemptMs * TELLING) {
        keeper.failed(node, attempt, { decided: !cause.cutShort, restMs: 0 });
      }
      note(run, node, cause.message);
      run.unanswered += 1;
      if (cause.mayHaveArrived) onMaybeApplied(run);
      return undefined;
    } finally {
      node.circuit.released(attempt);
    }
  }

  /** What an answer is to the call: its result, or undefined for the next attempt, or an error that ends it. */
  #judge(node: PooledNode, attempt: Attempt, answer: Answer, run: Run): NodeAnswer | undefined {
    const { keeper, network } = this.#options;
    const error = errorOf(answer, `Node ${node.info.id}`);
    const found = error?.code !== "KEY_NOT_FOUND";
    if (error === undefined || !found) {
      keeper.succeeded(node, attempt);
      return { answer, found, node, repeated: run.mayHaveBeenApplied };
    }
    if (answer.status < 500 || !error.retryable) keeper.succeeded(node, attempt);
    else {
      const decided = NOT_READY.has(error.code);
      const restMs = retryAfterMs(answer.headers, network.clock.nowMs());
      keeper.failed(node, attempt, { decided, restMs });
    }
    if (!error.retryable) throw withFacts(run, error);
    note(run, node, error.message);
    // That a position was not reached says more than what other nodes failed of.
    if (run.lastError?.code !== "POSITION_NOT_REACHED") run.lastError = error;
    if (mayHaveStored(answer, error, run.request)) onMaybeApplied(run);
    return undefined;
  }

  /** One request to one node, once that node has reached everything that the session has seen. */
  async #ask(node: PooledNode, run: Run): Promise<Answer> {
    const { attemptMs, session } = this.#options;
    const budgetMs = attemptMs * (1 + run.unanswered);
    const presented = session?.toPresent(node.info.url) ?? [];
    for (const seen of presented.slice(1)) {
      const answer = await this.#probe(node, seen, budgetMs, run);
      if (answer.status >= 400 && answer.status !== 404) return answer;
    }
    const answer = await this.#send(node, run.request, presented.slice(0, 1), budgetMs, run);
    const token = answer.headers.get("meridian-position");
    if (token !== null && answer.status !== 409 && answer.status !== 503) {
      session?.note(node.info.url, token, presented);
    }
    return answer;
  }

  /** Whether a node has reached what was seen: a request that gives nothing else away. */
  async #probe(node: PooledNode, seen: Seen, budgetMs: number, run: Run): Promise<Answer> {
    try {
      const probe: NodeRequest = { method: "HEAD", path: "/cache/position" };
      return await this.#send(node, probe, [seen], budgetMs, run);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      const { message, cutShort } = cause;
      throw new NoAnswer(message, { mayHaveArrived: false, cutShort }, cause);
    }
  }

  async #send(
    node: PooledNode,
    request: NodeRequest,
    presented: readonly Seen[],
    budgetMs: number,
    run: Run,
  ): Promise<Answer> {
    const { network } = this.#options;
    const headers: Record<string, string> = { ...request.headers };
    const [seen] = presented;
    if (seen !== undefined) {
      headers["meridian-position"] = seen.token;
      headers["meridian-wait-ms"] = String(Math.min(10_000, Math.floor(budgetMs / 2)));
    }
    const { endMs, signal } = run;
    const bounds = { budgetMs, endMs, signal };
    const life = request.slow === true ? new LifeSigns(network, node, bounds) : undefined;
    try {
      const answer = await exchange(
        network,
        { method: request.method, url: node.info.url + request.path, headers, body: request.body },
        {
          quietMs: life === undefined ? budgetMs : Infinity,
          endMs,
          signal: life?.signal ?? signal,
        },
      );
      if (answer.headers.get("meridian-node") !== null) return answer;
      throw new NoAnswer(`answered HTTP ${answer.status}, but not as a Meridian node`, {
        mayHaveArrived: true,
      });
    } finally {
      life?.stop();
    }
  }

  /** Waits for the next round. Resolves to false if a node is to be asked now, as this call has asked none yet. */
  async #pause(run: Run): Promise<boolean> {
    const { network, pool } = this.#options;
    const nowMs = network.clock.elapsedMs();
    const leftMs = run.endMs - nowMs;
    const pauseMs = Math.max(run.pauses.nextMs(), pool.restMs(nowMs));
    if (leftMs > pauseMs) await pause(network, pauseMs, run.signal);
    else if (run.asked) throw giveUp(run);
    else return false;
    return true;
  }

  #anyNode(run: Run): PooledNode {
    const node = this.#options.pool.anyway();
    if (node === undefined) throw giveUp(run);
    return node;
  }
}

/** Takes note that an attempt may have been applied. Throws where the call must not be repeated then. */
function onMaybeApplied(run: Run): void {
  run.mayHaveBeenApplied = true;
  if (run.request.conditional !== true) return;
  const told = run.failures.map(({ node, reason }) => `${node}: ${reason}`).join("; ");
  const message = `Expected an answer to a write with a condition, got none that says what became of it (${told})`;
  throw withFacts(run, new MeridianError("OUTCOME_UNKNOWN", message, { cause: run.lastError }));
}

/** Whether a node that answers with an error may all the same have stored the write. */
function mayHaveStored(answer: Answer, error: MeridianError, request: NodeRequest): boolean {
  // One that is stored may find too many others waiting for their acknowledgement; one that hangs, the node tells of.
  const isOverloaded = error.code === "OVERLOADED" && request.slow === true;
  return answer.status === 500 || isOverloaded || error.details?.["mayHaveBeenApplied"] === true;
}

function note(run: Run, node: PooledNode, reason: string): void {
  const known = run.failures.some((one) => one.node === node.info.id && one.reason === reason);
  if (known) return;
  if (run.failures.length === FAILURES_MAX) run.failures.shift();
  run.failures.push({ node: node.info.id, reason });
}

/** The error of a call whose deadline is over. */
function giveUp(run: Run): MeridianError {
  if (run.lastError !== undefined) return withFacts(run, run.lastError);
  const told = run.failures.map(({ node, reason }) => `${node}: ${reason}`).join("; ");
  const message = `Expected an answer within ${run.limits.deadlineMs} ms, got none (${told})`;
  return withFacts(run, new MeridianError("NO_READY_NODE", message));
}

function withFacts(run: Run, error: MeridianError): MeridianError {
  const details: Record<string, unknown> = { ...error.details };
  let { message } = error;
  if (run.failures.length > 0) details["failures"] = [...run.failures];
  if (run.mayHaveBeenApplied && !isRead(run.request)) {
    details["mayHaveBeenApplied"] = true;
    message += "; an attempt without an answer may have been applied";
  }
  const facts: ErrorDetails = details;
  return new MeridianError(error.code, message, { details: facts, cause: error.cause });
}

function isRead(request: NodeRequest): boolean {
  return request.method === "GET" || request.method === "HEAD" || request.path === "/batch/get";
}
