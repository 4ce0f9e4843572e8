/**
 * The clients of a drill. Every other session is at home in one region and waits for it while it is away; the rest write
 * and read at whatever region comes, as people on the move do. Each carries its position token along, so that
 * wherever it reads it must find what it wrote, and nothing older than what it has read.
 */
import type { Random } from "@meridian/runtime";

import { Ledger, type Attempt } from "./ledger.ts";
import { RegionRequests, type Reply } from "./region-requests.ts";

/** A region that clients go to. */
export interface Destination {
  readonly name: string;
  /** Undefined while there is nobody to be asked. */
  readonly url: string | undefined;
}

/** How much there is to do. */
export interface LoadOptions {
  readonly destinations: readonly Destination[];
  /** Requests a second, of all sessions together. */
  readonly rate: number;
  readonly random: Random;
  /** What every key begins with. */
  readonly prefix: string;
  /** Nothing that is written lives longer, in milliseconds; 0 for no bound. */
  readonly ttlMsMax: number;
}

/** What came of it. */
export interface LoadCounts {
  readonly acknowledged: number;
  readonly deletes: number;
  readonly reads: number;
  /** Requests that were refused in plain words, and those without an answer. */
  readonly refused: number;
  readonly unanswered: number;
}

const KEYS_PER_SESSION = 16;
const TTL_MS_MIN = 500;
const TTL_MS_SPREAD = 4_000;

/** The sessions of a drill. */
export class Load {
  readonly ledger: Ledger = new Ledger();
  /** Broken promises, in plain words. */
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #avoided = new Set<string>();
  /** How many requests each region has not answered. */
  readonly #asking = new Map<string, number>();
  #running: Promise<void>[] = [];
  #stopping = false;
  #reads = 0;
  #refused = 0;
  #unanswered = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Begins. */
  start(): void {
    const { rate, destinations } = this.#options;
    const sessions = Math.max(2 * destinations.length, Math.min(64, Math.ceil(rate / 10)));
    const everyMs = (1000 * sessions) / rate;
    for (let index = 0; index < sessions; index += 1) {
      this.#running.push(this.#session(index, sessions, everyMs));
    }
  }

  /** Ends; resolves once every request has its answer or none. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  /** Has no session go to a region until `readmit`; resolves once nobody waits for its answer any more. */
  async avoid(name: string): Promise<void> {
    this.#avoided.add(name);
    while ((this.#asking.get(name) ?? 0) > 0) await pauseFor(10);
  }

  readmit(name: string): void {
    this.#avoided.delete(name);
  }

  counts(): LoadCounts {
    return {
      acknowledged: this.ledger.count("acknowledged"),
      deletes: this.ledger.count("acknowledged", "delete"),
      reads: this.#reads,
      refused: this.#refused,
      unanswered: this.#unanswered,
    };
  }

  async #session(index: number, sessions: number, everyMs: number): Promise<void> {
    const { random, prefix } = this.#options;
    const requests = new RegionRequests();
    /** What this session has read of others' keys: it may read nothing older. */
    const seen = new Map<string, Attempt>();
    const keyOf = (session: number): string =>
      `${prefix}${session}/${Math.floor(random.next() * KEYS_PER_SESSION)}`;
    while (!this.#stopping) {
      await pauseFor(everyMs * (0.5 + random.next()));
      const { name, url } = this.#destination(index) ?? {};
      if (name === undefined || url === undefined || this.#stopping) continue;
      const choice = random.next();
      this.#asking.set(name, (this.#asking.get(name) ?? 0) + 1);
      if (choice < 0.45) await this.set(requests, url, keyOf(index), this.#ttlMs());
      else if (choice < 0.55) await this.delete(requests, url, keyOf(index));
      else if (choice < 0.75) await this.#readOwn(requests, url, keyOf(index));
      else {
        const other = Math.floor(random.next() * sessions);
        if (other !== index) await this.#readOther(requests, url, keyOf(other), seen);
      }
      this.#asking.set(name, (this.#asking.get(name) ?? 0) - 1);
    }
  }

  #destination(session: number): Destination | undefined {
    const { destinations, random } = this.#options;
    const isOpen = ({ name, url }: Destination): boolean =>
      url !== undefined && !this.#avoided.has(name);
    if (session % 2 === 1) {
      const home = destinations[((session - 1) / 2) % destinations.length];
      return home !== undefined && isOpen(home) ? home : undefined;
    }
    const open = destinations.filter(isOpen);
    return open[Math.floor(random.next() * open.length)];
  }

  /** Sets a key by way of a session; `ttlMs` is 0 for ever. */
  async set(requests: RegionRequests, url: string, key: string, ttlMs: number): Promise<void> {
    const attempt = this.ledger.attempt(key, "set", ttlMs, Date.now());
    this.#settle(attempt, await requests.set(url, key, String(attempt.number), ttlMs));
  }

  /** Deletes a key by way of a session. */
  async delete(requests: RegionRequests, url: string, key: string): Promise<void> {
    const attempt = this.ledger.attempt(key, "delete", 0, Date.now());
    this.#settle(attempt, await requests.delete(url, key));
  }

  #ttlMs(): number {
    const { random, ttlMsMax } = this.#options;
    const isShort = random.next() < 0.25;
    return isShort ? TTL_MS_MIN + Math.floor(random.next() * TTL_MS_SPREAD) : ttlMsMax;
  }

  #settle(attempt: Attempt, reply: Reply): void {
    if (reply.kind === "done") this.ledger.acknowledge(attempt, reply.expiresAtMs);
    else attempt.outcome = this.#count(reply) ? "refused" : "unknown";
  }

  async #readOwn(requests: RegionRequests, url: string, key: string): Promise<void> {
    const floor = this.ledger.floor(key);
    const got = await this.#read(requests, url, key);
    if (got !== undefined) this.#judge(url, key, got.number, floor, "read-your-writes");
  }

  async #readOther(
    requests: RegionRequests,
    url: string,
    key: string,
    seen: Map<string, Attempt>,
  ): Promise<void> {
    const got = await this.#read(requests, url, key);
    if (got === undefined) return;
    this.#judge(url, key, got.number, seen.get(key), "monotonic reads");
    const shown = this.ledger.find(got.number);
    // A write of which nobody knows may take effect after a later one: it says nothing of the order.
    if (shown !== undefined && shown.outcome !== "unknown") seen.set(key, shown);
  }

  async #read(
    requests: RegionRequests,
    url: string,
    key: string,
  ): Promise<{ readonly number: number | undefined } | undefined> {
    const reply = await requests.get(url, key);
    if (reply.kind === "done") {
      this.#reads += 1;
      return { number: reply.value === undefined ? undefined : Number(reply.value) };
    }
    this.#count(reply);
    return undefined;
  }

  /** Counts a request that came to nothing; whether it was refused in plain words. */
  #count(reply: Reply): boolean {
    const isRefused = reply.kind === "refused";
    if (isRefused) this.#refused += 1;
    else this.#unanswered += 1;
    return isRefused;
  }

  #judge(
    url: string,
    key: string,
    got: number | undefined,
    floor: Attempt | undefined,
    promise: string,
  ): void {
    const broken = this.ledger.broken(key, got, floor, Date.now());
    const { name = url } = this.#options.destinations.find((each) => each.url === url) ?? {};
    if (broken !== undefined) this.violations.push(`${promise}, at ${name}: ${broken}`);
  }
}

function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
