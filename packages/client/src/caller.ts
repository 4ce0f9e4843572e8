/**
 * Makes one call by as many attempts at as many nodes as its deadline allows.
 *
 * Each attempt has a time limit. If a node is unreachable, hangs, is not ready or is about to stop, the call goes on with the
 * next one, and later calls skip the node (`Circuit`). When every node has been tried, the next round begins after a
 * jittered pause that grows from round to round, and that is no shorter than the nodes' `Retry-After`.
 *
 * Reads are repeated, and so are writes without a condition, because they give the whole value: applying one twice
 * leaves the same value. An error after an attempt that may have been applied has
 * `details.mayHaveBeenApplied`. A write with a condition is repeated only while it is certain that no attempt
 * was applied, because the condition of a second attempt would be checked against the result of the first. Otherwise the call ends with `OUTCOME_UNKNOWN`.
 */
import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { Backoff, type LiveSpan, type Random } from "@meridian/runtime";

import { beginCall, endAnswered, endFailed, traceHeaders } from "./call-spans.ts";
import type { Attempt } from "./circuit.ts";
import { channelOf } from "./diagnostics.ts";
import { eitherOf } from "./either-of.ts";
import type { Events, NamedNode } from "./events.ts";
import { exchange, type Network, type RawAnswer } from "./exchange.ts";
import { LetGo, NoAnswer, type Patience } from "./no-answer.ts";
import type { Keeper } from "./keeper.ts";
import { LifeSigns } from "./life-signs.ts";
import type { NodePool, PooledNode } from "./node-pool.ts";
import type { Opening } from "./opening.ts";
import { pause } from "./pause.ts";
import { errorOf } from "./problem.ts";
import { presenceRequest } from "./requests.ts";
import { retryAfterMs } from "./retry-after.ts";
import {
  giveUp,
  mayHaveStored,
  note,
  onMaybeApplied,
  outOfService,
  withFacts,
  type CallLimits,
  type NodeRequest,
  type Run,
} from "./run.ts";
import type { Seen, Session } from "./session.ts";
import type { SocketLinks } from "./socket-links.ts";
import type { Presented, SocketLink } from "./socket/socket-link.ts";
import { isOutOfTime, type WriteDeadlines } from "./write-deadlines.ts";

/** A node's answer: a success, or that the key has no live value. */
export interface NodeAnswer {
  readonly answer: RawAnswer;
  readonly found: boolean;
  readonly node: PooledNode;
  /** An earlier attempt of this call got no answer and may have been applied. */
  readonly repeated: boolean;
}

/** The parts that a caller uses. */
export interface CallerOptions {
  readonly network: Network;
  readonly random: Random;
  readonly pool: NodePool;
  readonly links: SocketLinks;
  readonly keeper: Keeper;
  readonly opening: Opening;
  /** Undefined with `consistency: "eventual"`. */
  readonly session: Session | undefined;
  readonly attemptMs: number;
  readonly writeDeadlines: WriteDeadlines;
  readonly events: Events;
  /** Ends every call when the client is closed; its reason is thrown. */
  readonly closed: AbortSignal;
}

/** Codes by which a node says that it is not ready to serve. */
const NOT_READY: ReadonlySet<ErrorCode> = new Set([
  "NODE_SYNCING",
  "NODE_DRAINING",
  "NODE_REFUSED",
  "NODE_NOT_ADMITTED",
]);

/** Codes of nodes that serve other requests: one whose disk is full still serves reads, one whose directory decides nothing all but conditions. */
const SERVING: ReadonlySet<ErrorCode> = new Set(["STORE_FULL", "CONDITIONS_UNAVAILABLE"]);

/** If a call ends before its attempt has timed out, the node's silence counts as a failure once this part of the attempt's time limit is over. */
const TELLING = 0.25;

/** If a larger body gets no answer, the node may have closed the connection because of the body's size, not because it fails. */
const LARGE_BODY_BYTES = 64 * 1024;

/** How long the client remembers a node's `--value-bytes-max`, in milliseconds: the node may be restarted with another one. */
const BOUND_MS = 60_000;

/** Sends requests to nodes. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #channel = channelOf("call");
  /** The node that answered last. */
  #served: NamedNode | undefined;
  #underWay = 0;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /**
   * Sends a request until a node has answered it. Throws the server's error if it is final, the last error when
   * the deadline is over (`NO_READY_NODE` if no node answered at all), `OUTCOME_UNKNOWN`, or the signal's reason.
   */
  async call(request: NodeRequest, limits: CallLimits): Promise<NodeAnswer> {
    const either = eitherOf(limits.signal, this.#options.closed);
    const told = this.#channel?.hasSubscribers === true ? this.#watched(request) : undefined;
    const span = beginCall(request);
    this.#underWay += 1;
    try {
      const answer = await this.#run(request, limits, either.signal, span);
      if (span !== undefined) endAnswered(span, answer);
      const { status, transport = "http" } = answer.answer;
      told?.({ node: answer.node.info.id, status, transport });
      return answer;
    } catch (error) {
      told?.({ error });
      if (span !== undefined) endFailed(span, error);
      throw error;
    } finally {
      this.#underWay -= 1;
      either.release();
    }
  }

  /** How many calls are under way. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Publishes a call on the diagnostics channel once it is over. */
  #watched({ method, path }: NodeRequest): (outcome: object) => void {
    const { clock } = this.#options.network;
    const begunAtMs = clock.elapsedMs();
    return (outcome) => {
      const durationMs = clock.elapsedMs() - begunAtMs;
      this.#channel?.publish({ method, path, durationMs, ...outcome });
    };
  }

  /** Takes note of who has answered. */
  #answered({ info: { id, url } }: PooledNode): void {
    const from = this.#served;
    if (from?.url === url) return;
    this.#served = { id, url };
    if (from !== undefined) this.#options.events.tell("failover", { from, to: this.#served });
  }

  async #run(
    request: NodeRequest,
    limits: CallLimits,
    signal: AbortSignal,
    span: LiveSpan | undefined,
  ): Promise<NodeAnswer> {
    const { network, random, pool, keeper, opening } = this.#options;
    const run: Run = {
      request,
      limits,
      signal,
      span,
      endMs: network.clock.elapsedMs() + limits.deadlineMs,
      pauses: new Backoff({ random, firstMs: 50, maxMs: 1_000 }),
      failures: [],
      unanswered: 0,
      asked: false,
      mayHaveBeenApplied: false,
      lastError: undefined,
    };
    signal.throwIfAborted();
    if (!opening.isDone) await opening.wait(run);
    if (pool.isOpen && !(await keeper.revive(limits.deadlineMs)))
      throw outOfService(run, pool.nodes);
    const tried = new Set<PooledNode>();
    for (;;) {
      run.signal.throwIfAborted();
      const node = await this.#choose(run, tried);
      const answer = node === undefined ? undefined : await this.#attempt(node, run);
      if (answer !== undefined) return answer;
      if (network.clock.elapsedMs() >= run.endMs) throw giveUp(run);
    }
  }

  /** The node to ask next, with a slot taken at it; undefined to choose anew. */
  async #choose(run: Run, tried: Set<PooledNode>): Promise<PooledNode | undefined> {
    const { network, pool, keeper } = this.#options;
    const { clock, deadlines } = network;
    if (run.asked && pool.isDown) {
      if (!(await keeper.revive(run.endMs - clock.elapsedMs()))) {
        throw outOfService(run, pool.nodes);
      }
      tried.clear();
    }
    let node = pool.next(tried, clock.elapsedMs());
    if (node === undefined && (await this.#pause(run))) {
      tried.clear();
      return undefined;
    }
    node ??= this.#anyNode(run);
    if (!node.slots.take()) {
      const leftMs = run.endMs - clock.elapsedMs();
      if (!(await node.slots.wait(deadlines, { leftMs, signal: run.signal }))) {
        note(run, node, "too many requests before this one");
        return undefined;
      }
    }
    tried.add(node);
    return node;
  }

  async #attempt(node: PooledNode, run: Run): Promise<NodeAnswer | undefined> {
    const { network, attemptMs } = this.#options;
    const { clock, ownLag } = network;
    const startMs = clock.elapsedMs() - ownLag.lostMs;
    const attempt = node.circuit.begin();
    try {
      refuseTooLarge(node, run, clock.elapsedMs());
      run.asked = true;
      return this.#judge(node, attempt, await this.#askInTime(node, run), run);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      // One short call that ends without an answer says little of the node; several in a row do.
      const waitedMs = clock.elapsedMs() - ownLag.lostMs - startMs;
      if (cause.kind !== "cut-short" || waitedMs >= attemptMs * TELLING) {
        this.#options.keeper.failed(node, attempt, {
          decided: this.#isDecided(cause, run.request),
          silent: true,
          restMs: 0,
          reason: cause.message,
        });
      }
      note(run, node, cause.message);
      run.unanswered += 1;
      if (cause.mayHaveArrived) onMaybeApplied(run);
      return undefined;
    } finally {
      node.circuit.released(attempt);
      node.slots.give();
    }
  }

  /** Whether one request without an answer is enough to leave the node. */
  #isDecided({ kind }: NoAnswer, request: NodeRequest): boolean {
    if (kind !== "broken") return kind !== "cut-short";
    const large = (request.body?.length ?? 0) > LARGE_BODY_BYTES;
    // While this process stalled, servers have closed idle connections, which is not a failure of theirs.
    return !large && !this.#options.network.ownLag.isStalled;
  }

  /** Decides what an answer means for the call. Returns the result, or undefined if another attempt is needed; throws the error that ends the call. */
  #judge(node: PooledNode, attempt: Attempt, answer: RawAnswer, run: Run): NodeAnswer | undefined {
    const { keeper, network } = this.#options;
    const error = errorOf(answer, `Node ${node.info.id}`);
    const found = error?.code !== "KEY_NOT_FOUND";
    if (error === undefined || !found) {
      keeper.succeeded(node, attempt);
      this.#answered(node);
      return { answer, found, node, repeated: run.mayHaveBeenApplied };
    }
    const serves = answer.status < 500 || !error.retryable || SERVING.has(error.code);
    if (serves) keeper.succeeded(node, attempt);
    else {
      const decided = NOT_READY.has(error.code);
      const restMs = retryAfterMs(answer.headers, network.clock.nowMs());
      keeper.failed(node, attempt, { decided, restMs, silent: false, reason: error.message });
    }
    if (error.code === "VALUE_TOO_LARGE") {
      learnBound(node, run.request, error, network.clock.elapsedMs());
    }
    if (!error.retryable) throw withFacts(run, error);
    note(run, node, error.message);
    // The node needs more time than it had, as one that does not answer.
    if (error.code === "DEADLINE_PASSED") run.unanswered += 1;
    // `POSITION_NOT_REACHED` tells the caller more than the failures of other nodes.
    if (run.lastError?.code !== "POSITION_NOT_REACHED") run.lastError = error;
    if (mayHaveStored(answer, error, run.request)) onMaybeApplied(run);
    return undefined;
  }

  /** Asks a node, and once more if it has refused the write because of its deadline: it has told its time with that. */
  async #askInTime(node: PooledNode, run: Run): Promise<RawAnswer> {
    const answer = await this.#ask(node, run);
    const isOver = this.#options.network.clock.elapsedMs() >= run.endMs;
    return isOutOfTime(answer) && !isOver ? this.#ask(node, run) : answer;
  }

  /** Sends one request to one node, once that node has reached all positions that the session has seen. */
  async #ask(node: PooledNode, run: Run): Promise<RawAnswer> {
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
      session?.note(node.info.url, token, hasReached(answer) ? presented : []);
    }
    return answer;
  }

  /** Asks a node whether it has reached the positions that the session has seen, by a request without other effects. */
  async #probe(node: PooledNode, seen: Seen, budgetMs: number, run: Run): Promise<RawAnswer> {
    try {
      return await this.#send(node, presenceRequest("position"), [seen], budgetMs, run);
    } catch (cause) {
      if (!(cause instanceof NoAnswer)) throw cause;
      throw new NoAnswer(cause.message, cause.kind, false, cause);
    }
  }

  async #send(
    node: PooledNode,
    request: NodeRequest,
    presented: readonly Seen[],
    budgetMs: number,
    run: Run,
  ): Promise<RawAnswer> {
    const { network, writeDeadlines } = this.#options;
    const [seen] = presented;
    const { endMs, signal } = run;
    const sentAtMs = network.clock.elapsedMs();
    const session: Presented = {
      ...(seen && { position: seen.token, waitMs: Math.min(10_000, Math.floor(budgetMs / 2)) }),
      deadlineMs: writeDeadlines.of(node, request, { budgetMs, endMs }),
    };
    const bounds = { budgetMs, signal, closed: this.#options.closed };
    const life = request.slow === true ? new LifeSigns(network, node, bounds) : undefined;
    const patience = {
      quietMs: life === undefined ? budgetMs : Infinity,
      endMs,
      signal: life?.signal ?? signal,
    };
    try {
      const overSocket = await this.#sendMessage(node, request, session, patience, run);
      if (overSocket !== undefined) {
        writeDeadlines.heard(node, overSocket, sentAtMs);
        return overSocket;
      }
      const headers = { ...request.headers, ...traceHeaders(run.span), ...headersOf(session) };
      const { method, body } = request;
      const url = node.info.url + request.path;
      const ask = (): Promise<RawAnswer> =>
        exchange(network, { method, url, headers, body }, patience);
      const answer = await (run.span === undefined ? ask() : run.span.quietly(ask));
      writeDeadlines.heard(node, answer, sentAtMs);
      if (answer.headers.get("meridian-node") !== null) return answer;
      const said = `answered HTTP ${answer.status}, but not as a Meridian node`;
      throw new NoAnswer(said, "silent", true);
    } finally {
      life?.stop();
    }
  }

  /** Sends a request over a WebSocket. Resolves to undefined if it has to go over HTTP. */
  async #sendMessage(
    node: PooledNode,
    { message }: NodeRequest,
    session: Presented,
    patience: Patience,
    run: Run,
  ): Promise<RawAnswer | undefined> {
    if (message === undefined) return undefined;
    const open = (): Promise<SocketLink | undefined> => this.#options.links.linkFor(node, patience);
    const link = await (run.span === undefined ? open() : run.span.quietly(open));
    const trace = traceHeaders(run.span);
    const isTraced = trace.traceparent !== undefined;
    if (link === undefined || (isTraced && !link.takesTraces)) return undefined;
    const { deadlineMs, ...rest } = session;
    const hasDeadline = deadlineMs !== undefined && link.takesDeadlines;
    const presented = { ...rest, ...trace, ...(hasDeadline && { deadlineMs }) };
    try {
      const answer = await link.ask(message, presented, patience);
      const code = codeOf(answer);
      if (code === "UNKNOWN_OPTION" && hasDeadline) link.takesDeadlines = false;
      else if (code === "UNKNOWN_OPTION" && isTraced) link.takesTraces = false;
      // Over HTTP, an answer may be larger. An older node does not know every request over a WebSocket.
      if (code === "VALUE_TOO_LARGE" && message.type === "getMany") return undefined;
      return code === "MALFORMED_MESSAGE" || code === "UNKNOWN_OPTION" ? undefined : answer;
    } catch (cause) {
      if (cause instanceof RangeError) return undefined;
      if (!(cause instanceof LetGo)) throw cause;
      if (cause.mayHaveArrived && message === run.request.message) onMaybeApplied(run);
      return undefined;
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

/** Whether an answer shows that the node had the position that the request carried: others are given before a node looks at it. */
function hasReached(answer: RawAnswer): boolean {
  const { status } = answer;
  if (status < 400 || status === 412 || status === 504) return true;
  return status === 404 && errorOf(answer, "")?.code === "KEY_NOT_FOUND";
}

/** What goes with a request, as headers. */
function headersOf({ position, waitMs, deadlineMs }: Presented): Record<string, string> {
  return {
    ...(position !== undefined && { "meridian-position": position }),
    ...(waitMs !== undefined && { "meridian-wait-ms": String(waitMs) }),
    ...(deadlineMs !== undefined && { "meridian-deadline": String(deadlineMs) }),
  };
}

function codeOf({ json }: RawAnswer): unknown {
  return (json as { readonly code?: unknown } | undefined)?.code;
}

/** Remembers the largest value that a node accepts. */
function learnBound(
  node: PooledNode,
  request: NodeRequest,
  error: MeridianError,
  nowMs: number,
): void {
  const bytes = error.details?.["bytesMax"];
  if (request.method !== "PUT" || typeof bytes !== "number" || bytes < 0) return;
  node.valueBytesMax = { bytes, untilMs: nowMs + BOUND_MS };
}

/** Throws `VALUE_TOO_LARGE` for a value that the node is known to refuse, without sending it. */
function refuseTooLarge(node: PooledNode, run: Run, nowMs: number): void {
  const { method, body } = run.request;
  const bound = node.valueBytesMax;
  if (bound === undefined || method !== "PUT" || body === undefined) return;
  if (body.length <= bound.bytes || bound.untilMs <= nowMs) return;
  const message = `Expected a value of at most ${bound.bytes} bytes, as node ${node.info.id} has said, got ${body.length}`;
  const details = { bytesMax: bound.bytes };
  throw withFacts(run, new MeridianError("VALUE_TOO_LARGE", message, { details }));
}
