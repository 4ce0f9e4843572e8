/**
 * One call, over as many nodes and attempts as its deadline allows.
 *
 * Each attempt has a budget. A node that is unreachable, hangs, is not ready or is about to stop is left for the
 * next one and not used again until a check in the background finds it ready. When every node has been tried, the
 * round begins again after a short pause.
 *
 * Every request is repeatable: reads trivially, writes because they say what the value is to be, not how it
 * changes. What cannot be repeated is the *answer*: after an attempt that may have been applied without an answer,
 * a failed condition may be the doing of that attempt. Such errors carry `details.mayHaveBeenApplied`.
 */
import { MeridianError, type ErrorDetails } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import { eitherOf } from "./either-of.ts";
import { exchange, NoAnswer, type Answer, type Network, type Request } from "./exchange.ts";
import type { Keeper } from "./keeper.ts";
import type { NodePool, PooledNode } from "./node-pool.ts";
import { pause } from "./pause.ts";
import { errorOf } from "./problem.ts";
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
  mayHaveBeenApplied: boolean;
  lastError: MeridianError | undefined;
}

/** How many failures an error tells of. */
const FAILURES_MAX = 10;

/** Puts requests to nodes. */
export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /**
   * Sends a request until a node has answered it. Throws the server's error where that is final, the last one when
   * the deadline is over (`NO_READY_NODE` if no node answered at all), or the signal's reason.
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
      pauses: new Backoff({ random, firstMs: 50, maxMs: 400 }),
      failures: [],
      unanswered: 0,
      mayHaveBeenApplied: false,
      lastError: undefined,
    };
    const tried = new Set<PooledNode>();
    for (;;) {
      run.signal.throwIfAborted();
      const node = pool.next(tried);
      if (node === undefined) {
        await this.#pause(run);
        tried.clear();
        continue;
      }
      tried.add(node);
      const answer = await this.#attempt(node, run);
      if (answer !== undefined) return answer;
      if (network.clock.elapsedMs() >= run.endMs) throw giveUp(run);
    }
  }

  async #attempt(node: PooledNode, run: Run): Promise<NodeAnswer | undefined> {
    const { keeper } = this.#options;
    let answer: Answer;
    try {
      answer = await this.#ask(node, run);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      if (!cause.cutShort) keeper.failed(node);
      note(run, node, cause.message);
      run.unanswered += 1;
      run.mayHaveBeenApplied ||= cause.mayHaveArrived;
      return undefined;
    }
    const error = errorOf(answer, `Node ${node.info.id}`);
    const found = error?.code !== "KEY_NOT_FOUND";
    if (error === undefined || !found) {
      keeper.succeeded(node);
      return { answer, found, node, repeated: run.mayHaveBeenApplied };
    }
    if (!error.retryable) throw withFacts(run, error);
    if (error.code === "NODE_SYNCING" || error.code === "NODE_DRAINING") keeper.failed(node);
    // A node that failed inside may have failed after it had stored the write.
    run.mayHaveBeenApplied ||= answer.status === 500;
    note(run, node, error.message);
    // That a position was not reached says more than what other nodes failed of.
    if (run.lastError?.code !== "POSITION_NOT_REACHED") run.lastError = error;
    return undefined;
  }

  /** One request to one node, once that node has reached everything that the session has seen. */
  async #ask(node: PooledNode, run: Run): Promise<Answer> {
    const { attemptMs, session } = this.#options;
    const budgetMs = attemptMs * (1 + run.unanswered);
    const presented = session?.toPresent(node.info.url) ?? [];
    for (const seen of presented.slice(1)) {
      const probe: NodeRequest = { method: "HEAD", path: "/cache/position" };
      const answer = await this.#send(node, probe, [seen], budgetMs, run);
      if (answer.status >= 400 && answer.status !== 404) return answer;
    }
    const answer = await this.#send(node, run.request, presented.slice(0, 1), budgetMs, run);
    const token = answer.headers.get("meridian-position");
    if (token !== null && answer.status !== 409 && answer.status !== 503) {
      session?.note(node.info.url, token, presented);
    }
    return answer;
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
    const life = request.slow === true ? new LifeSigns(network, node, budgetMs, run) : undefined;
    try {
      const answer = await exchange(
        network,
        { method: request.method, url: node.info.url + request.path, headers, body: request.body },
        {
          quietMs: life === undefined ? budgetMs : Infinity,
          endMs: run.endMs,
          signal: life?.signal ?? run.signal,
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

  async #pause(run: Run): Promise<void> {
    const { network } = this.#options;
    const leftMs = run.endMs - network.clock.elapsedMs();
    const pauseMs = run.pauses.nextMs();
    if (leftMs <= pauseMs) throw giveUp(run);
    await pause(network, pauseMs, run.signal);
  }
}

/**
 * Asks a node, over and over, whether it lives, while it works on a request that may take long; ends that
 * request when it does not.
 */
class LifeSigns {
  readonly #network: Network;
  readonly #node: PooledNode;
  readonly #everyMs: number;
  readonly #run: Run;
  readonly #hung = new AbortController();
  readonly #stopped = new AbortController();
  readonly signal: AbortSignal;
  readonly #release: () => void;
  #cancel: () => void = () => {};

  constructor(network: Network, node: PooledNode, budgetMs: number, run: Run) {
    this.#network = network;
    this.#node = node;
    this.#everyMs = budgetMs / 2;
    this.#run = run;
    const either = eitherOf(run.signal, this.#hung.signal);
    this.signal = either.signal;
    this.#release = either.release;
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
    this.#stopped.abort();
    this.#release();
  }

  #schedule(): void {
    this.#cancel = this.#network.deadlines.after(this.#everyMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const url = `${this.#node.info.url}/healthz`;
    const quietMs = this.#everyMs;
    const { signal } = this.#stopped;
    try {
      const patience = { quietMs, endMs: this.#run.endMs, signal };
      await exchange(this.#network, { method: "GET", url }, patience);
      if (!signal.aborted) this.#schedule();
    } catch (cause) {
      if (!signal.aborted)
        this.#hung.abort(new NoAnswer("no sign of life", { mayHaveArrived: true }, cause));
    }
  }
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
