/**
 * The directories of a cluster, in order of priority. Each of them knows all nodes, so the answer of any one is enough.
 *
 * A directory that does not answer, or answers that it is not ready, is not asked for a while: a back-off, at least as long as
 * its `Retry-After`. Then it is asked again in its place. If all directories are in their back-off, they are asked all the
 * same, the one whose back-off ends first at the front.
 */
import { MeridianError, type ErrorCode } from "@meridian/protocol";
import { Backoff, type Random } from "@meridian/runtime";

import type { ClusterTime } from "./cluster-time.ts";
import { nodesOf, type NodeInfo, type Wanted } from "./directory.ts";
import { exchange, type Network, type RawAnswer } from "./exchange.ts";
import { NoAnswer, type Patience } from "./no-answer.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Codes for an invalid request, which every directory would answer. */
const WRONG: ReadonlySet<ErrorCode> = new Set([
  "INVALID_ARGUMENT",
  "INVALID_COORDINATES",
  "UNKNOWN_OPTION",
]);

interface Known {
  readonly url: string;
  readonly retries: Backoff;
  /** When the directory is asked again, and the end of its `Retry-After`, on the clock's `elapsedMs`. */
  dueAtMs: number;
  restsUntilMs: number;
}

/** A request for nodes, and how long each directory may take. */
export interface Question {
  readonly wanted: Wanted;
  readonly patience: Patience;
}

/** Asks the directories of one cluster. */
export class Directories {
  readonly #network: Network;
  readonly #time: ClusterTime;
  readonly #known: readonly Known[];
  #current: Known | undefined;

  /** `urls` in order of priority, without a last slash. */
  constructor(network: Network, random: Random, time: ClusterTime, urls: readonly string[]) {
    this.#network = network;
    this.#time = time;
    this.#known = urls.map((url) => ({
      url,
      retries: new Backoff({ random, firstMs: 1_000, maxMs: 30_000 }),
      dueAtMs: -Infinity,
      restsUntilMs: -Infinity,
    }));
  }

  /** How many there are. */
  get count(): number {
    return this.#known.length;
  }

  /** The one that answered last. */
  get current(): string | undefined {
    return this.#current?.url;
  }

  /** How long the `Retry-After` of all directories still lasts, in milliseconds. */
  get restMs(): number {
    const nowMs = this.#network.clock.elapsedMs();
    const rests = this.#known.map(({ restsUntilMs }) => Math.max(0, restsUntilMs - nowMs));
    return rests.length === 0 ? 0 : Math.min(...rests);
  }

  /**
   * The ready nodes nearest to a place, nearest first, at least one. Throws `NO_READY_NODE` if the directories that
   * answer know of none, `DIRECTORY_UNREACHABLE` if none answers, or what is wrong with the question.
   */
  async nearest(question: Question): Promise<readonly NodeInfo[]> {
    const failures: string[] = [];
    let last: unknown;
    let empty: MeridianError | undefined;
    let odd: MeridianError | undefined;
    for (const directory of this.#inOrder()) {
      try {
        return await this.#ask(directory, question);
      } catch (cause) {
        last = cause;
        const error = cause instanceof MeridianError ? cause : undefined;
        if (!(cause instanceof NoAnswer) && (error === undefined || WRONG.has(error.code))) {
          throw cause;
        }
        // Another directory may know nodes that this one does not.
        if (error?.code === "NO_READY_NODE") empty ??= error;
        else directory.dueAtMs = this.#network.clock.elapsedMs() + directory.retries.nextMs();
        if (error?.retryable === false) odd ??= error;
        failures.push(`${directory.url}: ${(error ?? (cause as NoAnswer)).message}`);
      }
    }
    if (empty !== undefined) throw empty;
    if (odd !== undefined && this.#known.length === 1) throw odd;
    throw new MeridianError(
      "DIRECTORY_UNREACHABLE",
      `Expected an answer of the directory, got none (${failures.join("; ")})`,
      { details: { directories: this.#known.map(({ url }) => url) }, cause: last },
    );
  }

  /** The date of an answer is in whole seconds, and as old as its way back was long. */
  #hearDate(answer: RawAnswer, tookMs: number): void {
    const dateMs = Date.parse(answer.headers.get("date") ?? "");
    if (!Number.isNaN(dateMs)) this.#time.heard(dateMs, dateMs + 1_000 + tookMs);
  }

  #inOrder(): readonly Known[] {
    const nowMs = this.#network.clock.elapsedMs();
    const due = this.#known.filter(({ dueAtMs, restsUntilMs }) => {
      return dueAtMs <= nowMs && restsUntilMs <= nowMs;
    });
    const others = this.#known.filter((directory) => !due.includes(directory));
    return [...due, ...others.toSorted((a, b) => a.dueAtMs - b.dueAtMs)];
  }

  async #ask(directory: Known, { wanted, patience }: Question): Promise<readonly NodeInfo[]> {
    const { clock } = this.#network;
    const { lat, lon } = wanted.location;
    const url = `${directory.url}/nearest?lat=${lat}&lon=${lon}&limit=${wanted.limit}`;
    const sentAtMs = clock.elapsedMs();
    const answer = await exchange(this.#network, { method: "GET", url }, patience);
    this.#hearDate(answer, clock.elapsedMs() - sentAtMs);
    directory.restsUntilMs = clock.elapsedMs() + retryAfterMs(answer.headers, clock.nowMs());
    const nodes = nodesOf(answer, directory.url);
    if (nodes.length === 0) {
      throw new MeridianError("NO_READY_NODE", "Expected a ready node, got an empty list");
    }
    directory.retries.reset();
    directory.dueAtMs = -Infinity;
    this.#current = directory;
    return nodes;
  }
}
