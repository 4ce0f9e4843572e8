/**
 * Clients that increment counters by conditions for the whole cluster, through all regions, whatever is killed meanwhile. A value names the client and the
 * increment that wrote it, so no two are equal, and what each client was told must be the history of one register.
 */
import { until } from "@meridian/local-cluster";
import { connectionFailure } from "@meridian/protocol";
import { wrongOrder, type RegisterOperation } from "@meridian/testkit";

/** A request without an answer for so long counts as lost. */
const PATIENCE_MS = 15_000;

/** How long a client rests after a failure. */
const REST_MS = 20;

interface Held {
  readonly etag: string;
  readonly value: string;
}

/** What the clients were told of one counter. */
class Counter {
  readonly key: string;
  readonly history: RegisterOperation[] = [];
  done = 0;
  unknown = 0;

  constructor(key: string) {
    this.key = key;
  }
}

/** Several clients at several counters. */
export class Counters {
  readonly #regions: () => readonly string[];
  readonly #counters: readonly Counter[];
  #clients: readonly Promise<void>[] = [];
  #isOver = false;

  /** `regions` gives their URLs, which change when they are started again. */
  constructor(regions: () => readonly string[], counters: number) {
    this.#regions = regions;
    this.#counters = Array.from({ length: counters }, (_, index) => new Counter(`count/${index}`));
  }

  /** How many increments were answered as made. */
  get done(): number {
    return this.#counters.reduce((sum, { done }) => sum + done, 0);
  }

  /** How many nobody knows of. */
  get unknown(): number {
    return this.#counters.reduce((sum, { unknown }) => sum + unknown, 0);
  }

  /** How many operations there are in all histories. */
  get operations(): number {
    return this.#counters.reduce((sum, { history }) => sum + history.length, 0);
  }

  start(clients: number): void {
    this.#clients = Array.from({ length: clients }, (_, client) => this.#live(client));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  /** What is wrong with the counters, as each region has them in the order of the cluster now. */
  async violations(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const counter of this.#counters) {
      const { key, done, unknown } = counter;
      for (const url of this.#regions()) {
        const read = (): Promise<Held | undefined> => this.#read(`last, at ${url}`, counter, url);
        const { value } = await until(`${url} reads ${key}`, read);
        if (countOf(value) < done || countOf(value) > done + unknown) {
          wrong.push(`${key} is ${value}, made were ${done}, and perhaps ${unknown} more`);
        }
      }
    }
    for (const { key, history } of this.#counters) {
      const order = wrongOrder(history);
      if (order !== undefined) wrong.push(`${key}: ${order}`);
    }
    return wrong;
  }

  async #live(client: number): Promise<void> {
    for (let turn = 0; !this.#isOver; turn += 1) {
      const counter = this.#counters[(client + turn) % this.#counters.length];
      const regions = this.#regions();
      const url = regions[(client + turn * 7) % regions.length];
      if (counter === undefined || url === undefined) throw new Error("Expected a counter");
      const by = `${client}-${turn}`;
      const held = await this.#read(by, counter, url);
      const isMade = held === undefined ? false : await this.#increment(by, counter, held);
      if (!isMade) await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  }

  /** What the counter holds: the ETag "" where it holds nothing; undefined without an answer. */
  async #read(by: string, { key, history }: Counter, url: string): Promise<Held | undefined> {
    const beganAt = performance.now();
    try {
      const answer = await ask(url, key, {});
      const value = await answer.text();
      if (answer.status !== 200 && answer.status !== 404) return undefined;
      const isThere = answer.status === 200;
      const version = isThere ? value : null;
      history.push({ kind: "read", version, beganAt, endedAt: performance.now(), by });
      return isThere ? { etag: answer.headers.get("etag") ?? "", value } : { etag: "", value: "0" };
    } catch {
      return undefined;
    }
  }

  /** Returns whether the increment was made. */
  async #increment(by: string, counter: Counter, held: Held): Promise<boolean> {
    const regions = this.#regions();
    const url = regions[by.length % regions.length] ?? "";
    const beganAt = performance.now();
    const isFirst = held.etag === "";
    const condition = isFirst ? { "if-none-match": "*" } : { "if-match": held.etag };
    const version = `${countOf(held.value) + 1} by ${by}`;
    const isDone = await answered(ask(url, counter.key, condition, version));
    if (isDone === "nothing") return false;
    const endedAt = isDone === undefined ? Infinity : performance.now();
    const over = isFirst ? null : held.value;
    counter.history.push({ kind: "change", over, version, isDone, beganAt, endedAt, by });
    if (isDone === true) counter.done += 1;
    if (isDone === undefined) counter.unknown += 1;
    return isDone === true;
  }
}

/** Whether a change was made: undefined where nobody knows, `nothing` where it was certainly not even decided. */
async function answered(asked: Promise<Response>): Promise<boolean | undefined | "nothing"> {
  try {
    const answer = await asked;
    const { code } = (await answer.json()) as { readonly code?: string };
    if (answer.status === 200) return true;
    if (code === "PRECONDITION_FAILED") return false;
    return code === "CONDITIONS_UNAVAILABLE" || code === "NODE_SYNCING" ? "nothing" : undefined;
  } catch (failure) {
    // Nobody has listened there.
    return connectionFailure(failure).code === "ECONNREFUSED" ? "nothing" : undefined;
  }
}

function ask(
  url: string,
  key: string,
  headers: Readonly<Record<string, string>>,
  value?: string,
): Promise<Response> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const write = value === undefined ? {} : { method: "PUT", body: value };
  return fetch(`${url}/cache/${key}?scope=cluster`, { headers, signal, ...write });
}

function countOf(value: string): number {
  return Number.parseInt(value, 10);
}
