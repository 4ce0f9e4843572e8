/**
 * A load of sessions that write and read at a constant rate, whatever happens to the regions, and that check the guarantees. The next free
 * session sends the next request, so that the rate stays the same while some regions are down.
 *
 * Every other session stays with one region and waits for it while it is down; the others change regions at random.
 * Each session carries its position token, so wherever it reads, it must find what
 * it wrote, and nothing older than what it has read.
 */
import type { Random } from "@meridian/runtime";

import { Ledger, type Attempt, type Got } from "./ledger.ts";
import { RegionRequests, type Reply, type SessionRequests } from "./region-requests.ts";

/** A region that sessions send requests to. */
export interface Destination {
  readonly name: string;
  readonly url: string;
  /** Whether the region runs. */
  readonly isUp: boolean;
}

/** The size and shape of a load. */
export interface LoadOptions {
  readonly destinations: readonly Destination[];
  /** Requests per second, of all sessions together. */
  readonly rate: number;
  readonly random: Random;
  /** The prefix of all keys. */
  readonly prefix: string;
  /** The longest time to live of a written value, in milliseconds; 0 for no bound. */
  readonly ttlMsMax: number;
  /**
   * By default each session has keys of its own, and reads them between its writes. With `sharedKeys`, all sessions set and delete
   * the same keys, so many of them, and each reads those that it has written last; the caller checks all keys when the load is over.
   */
  readonly sharedKeys?: number;
  /** How many sessions each region has. Default: as many as the rate needs. */
  readonly sessionsEach?: number;
  /** The time limit of a request, in milliseconds. */
  readonly patienceMs?: number;
  /** How the session of that number reaches regions. Default: over HTTP. */
  readonly requestsOf?: (session: number) => SessionRequests;
}

/** The results of a load. */
export interface LoadCounts {
  readonly acknowledged: number;
  readonly deletes: number;
  readonly reads: number;
  /** How many requests were refused with an error, and how many got no answer. */
  readonly refused: number;
  readonly unanswered: number;
}

const KEYS_PER_SESSION = 16;
const TTL_MS_MIN = 500;
const TTL_MS_SPREAD = 4_000;
/** Cumulative shares: up to 0.45 of all requests are sets, up to 0.55 deletes, up to 0.75 reads of own keys; the rest reads keys of others. */
const [SETS, DELETES, OWN_READS] = [0.45, 0.55, 0.75];
/** The same for shared keys: up to 0.72 of all requests are sets, up to 0.9 deletes; the rest reads keys that the session wrote last. */
const [SHARED_SETS, SHARED_DELETES] = [0.72, 0.9];
/** How many of the shared keys that it wrote or read last a session remembers. */
const SEEN_MAX = 32;
/** Requests that are later than this, in milliseconds, are dropped from the schedule. */
const LATE_MS_MAX = 1_000;
/** How long a session waits before it checks again whether a region runs, in milliseconds. */
const AWAY_MS = 20;

/** Runs the sessions of a load. */
export class Load {
  readonly ledger: Ledger;
  /** Broken guarantees, one sentence each. */
  readonly violations: string[] = [];
  readonly #options: LoadOptions;
  readonly #avoided = new Set<string>();
  /** How many requests of each region are still running. */
  readonly #asking = new Map<string, number>();
  readonly #running: Promise<void>[] = [];
  #stopping = false;
  /** When the request that was taken last was due. */
  #dueMs = 0;
  #reads = 0;
  #refused = 0;
  #unanswered = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.sharedKeys === undefined ? "writer" : "stamp");
  }

  /** Starts the sessions. */
  start(): void {
    const { rate, destinations, sessionsEach } = this.#options;
    const needed = Math.max(2 * destinations.length, Math.min(64, Math.ceil(rate / 10)));
    const sessions = sessionsEach === undefined ? needed : sessionsEach * destinations.length;
    this.#dueMs = performance.now();
    for (let index = 0; index < sessions; index += 1) {
      this.#running.push(this.#session(index, sessions));
    }
  }

  /** Stops the sessions. Resolves once every request was answered or has timed out. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  /** Keeps all sessions away from a region until `readmit`. Resolves once no request to it is running. */
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

  async #session(index: number, sessions: number): Promise<void> {
    const { patienceMs, requestsOf = () => new RegionRequests(patienceMs) } = this.#options;
    const requests = requestsOf(index);
    /** The last write that this session knows of a key of others, or of all: it must never read an older one. */
    const seen = new Map<string, Attempt>();
    const turn = { requests, index, sessions, seen };
    while (!this.#stopping) {
      if (this.#destination(index) === undefined) {
        await pauseFor(AWAY_MS);
        continue;
      }
      await pauseFor(this.#take() - performance.now());
      // The region may have stopped during the pause.
      const destination = this.#destination(index);
      if (destination === undefined) continue;
      const { name, url } = destination;
      this.#asking.set(name, (this.#asking.get(name) ?? 0) + 1);
      await this.#act({ ...turn, url });
      this.#asking.set(name, (this.#asking.get(name) ?? 0) - 1);
    }
    requests.close();
  }

  /** Takes the next request of the schedule, and returns when it is due. */
  #take(): number {
    const everyMs = 1_000 / this.#options.rate;
    this.#dueMs = Math.max(this.#dueMs + everyMs, performance.now() - LATE_MS_MAX);
    return this.#dueMs;
  }

  #act(turn: Turn): Promise<void> {
    return this.#options.sharedKeys === undefined ? this.#actAlone(turn) : this.#actAmongAll(turn);
  }

  async #actAlone({ requests, url, index, sessions, seen }: Turn): Promise<void> {
    const { random, prefix } = this.#options;
    const keyOf = (session: number): string =>
      `${prefix}${session}/${Math.floor(random.next() * KEYS_PER_SESSION)}`;
    const choice = random.next();
    if (choice < SETS) return void (await this.set(requests, url, keyOf(index), this.#ttlMs()));
    if (choice < DELETES) return void (await this.delete(requests, url, keyOf(index)));
    if (choice < OWN_READS) return this.#readOwn(requests, url, keyOf(index));
    const other = Math.floor(random.next() * sessions);
    if (other !== index) await this.#readOther(requests, url, keyOf(other), seen);
  }

  async #actAmongAll({ requests, url, seen }: Turn): Promise<void> {
    const { random, prefix, sharedKeys = 1, ttlMsMax } = this.#options;
    const key = `${prefix}${Math.floor(random.next() * sharedKeys)}`;
    const choice = random.next();
    if (choice < SHARED_SETS) return note(seen, await this.set(requests, url, key, ttlMsMax));
    if (choice < SHARED_DELETES) return note(seen, await this.delete(requests, url, key));
    const known = [...seen.keys()][Math.floor(random.next() * seen.size)];
    if (known !== undefined) await this.#readAgain(requests, url, known, seen);
  }

  #destination(session: number): Destination | undefined {
    const { destinations, random } = this.#options;
    const isOpen = ({ name, isUp }: Destination): boolean => isUp && !this.#avoided.has(name);
    if (session % 2 === 1) {
      const home = destinations[((session - 1) / 2) % destinations.length];
      return home !== undefined && isOpen(home) ? home : undefined;
    }
    const open = destinations.filter(isOpen);
    return open[Math.floor(random.next() * open.length)];
  }

  /** Sets a key in a session. `ttlMs` 0 means for ever. */
  async set(requests: SessionRequests, url: string, key: string, ttlMs: number): Promise<Attempt> {
    const attempt = this.#attempt(url, key, "set", ttlMs);
    return this.#settle(attempt, await requests.set(url, key, String(attempt.number), ttlMs));
  }

  /** Deletes a key in a session. */
  async delete(requests: SessionRequests, url: string, key: string): Promise<Attempt> {
    const attempt = this.#attempt(url, key, "delete", 0);
    return this.#settle(attempt, await requests.delete(url, key));
  }

  #attempt(url: string, key: string, kind: Attempt["kind"], ttlMs: number): Attempt {
    const attempt = this.ledger.attempt(key, kind, ttlMs, Date.now());
    attempt.region = this.#nameOf(url);
    return attempt;
  }

  #ttlMs(): number {
    const { random, ttlMsMax } = this.#options;
    const isShort = random.next() < 0.25;
    return isShort ? TTL_MS_MIN + Math.floor(random.next() * TTL_MS_SPREAD) : ttlMsMax;
  }

  #settle(attempt: Attempt, reply: Reply): Attempt {
    if (reply.kind === "done") this.ledger.acknowledge(attempt, reply);
    else attempt.outcome = this.#count(reply) ? "refused" : "unknown";
    return attempt;
  }

  async #readOwn(requests: SessionRequests, url: string, key: string): Promise<void> {
    const floor = this.ledger.floor(key);
    const got = await this.#read(requests, url, key);
    if (got !== undefined) this.#judge(url, key, got.of, floor, "read-your-writes");
  }

  /** Reads a shared key that this session has written or read. */
  async #readAgain(
    requests: SessionRequests,
    url: string,
    key: string,
    seen: Map<string, Attempt>,
  ): Promise<void> {
    const shown = await this.#readSeen(requests, url, key, seen, "a session's own reads");
    if (shown !== undefined) note(seen, shown);
  }

  async #readOther(
    requests: SessionRequests,
    url: string,
    key: string,
    seen: Map<string, Attempt>,
  ): Promise<void> {
    const shown = await this.#readSeen(requests, url, key, seen, "monotonic reads");
    // A write without an answer may be applied after a later one, so it does not show which of two states is older.
    if (shown !== undefined && shown.outcome !== "unknown") seen.set(key, shown);
  }

  /** Reads a key, and judges the answer by what the session has seen of it. Returns the write that the answer shows. */
  async #readSeen(
    requests: SessionRequests,
    url: string,
    key: string,
    seen: ReadonlyMap<string, Attempt>,
    promise: string,
  ): Promise<Attempt | undefined> {
    const got = await this.#read(requests, url, key);
    if (got === undefined) return undefined;
    this.#judge(url, key, got.of, seen.get(key), promise);
    return this.ledger.find(got.of);
  }

  async #read(
    requests: SessionRequests,
    url: string,
    key: string,
  ): Promise<{ readonly of: Got } | undefined> {
    const reply = await requests.get(url, key);
    if (reply.kind === "done") {
      this.#reads += 1;
      return { of: gotOf(reply) };
    }
    this.#count(reply);
    return undefined;
  }

  /** Counts a request that was not done. Returns whether the region refused it, so that it certainly had no effect. */
  #count(reply: Reply): boolean {
    const isRefused = reply.kind === "refused";
    if (isRefused) this.#refused += 1;
    else this.#unanswered += 1;
    return isRefused;
  }

  /** What is down has no URL. */
  #nameOf(url: string): string {
    return this.#options.destinations.find((each) => each.isUp && each.url === url)?.name ?? url;
  }

  #judge(url: string, key: string, got: Got, floor: Attempt | undefined, promise: string): void {
    const broken = this.ledger.broken(key, got, floor, Date.now());
    if (broken === undefined) return;
    const at = new Date().toISOString();
    const asked =
      floor === undefined
        ? ""
        : `; ${floor.region} was asked to write that at ${new Date(floor.atMs).toISOString()}`;
    this.violations.push(`${at} ${promise}, at ${this.#nameOf(url)}: ${broken}${asked}`);
  }
}

/** The next request of a session: its connection, the region, and the session's own state. */
interface Turn {
  readonly requests: SessionRequests;
  readonly url: string;
  readonly index: number;
  readonly sessions: number;
  readonly seen: Map<string, Attempt>;
}

/** Remembers the last acknowledged writes that a session knows, each under its key. */
function note(seen: Map<string, Attempt>, attempt: Attempt): void {
  if (attempt.outcome !== "acknowledged") return;
  seen.delete(attempt.key);
  seen.set(attempt.key, attempt);
  const [oldest] = seen.keys();
  if (seen.size > SEEN_MAX && oldest !== undefined) seen.delete(oldest);
}

/** The result of a read in the form of the ledger. */
export function gotOf({ value, stamp }: Extract<Reply, { kind: "done" }>): Got {
  return value === undefined ? undefined : { number: Number(value), stamp };
}

function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
