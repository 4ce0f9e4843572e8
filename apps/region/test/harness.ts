import type { Dial } from "@meridian/ports";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  EventStreams,
  HistoryNews,
  OriginPolicy,
  type HttpServerOptions,
  type RoutedApp,
} from "@meridian/http";
import type { ReplicaRecord } from "@meridian/protocol";
import {
  History,
  Metrics,
  seededRandom,
  silentLogger,
  systemClock,
  type Clock,
} from "@meridian/runtime";
import {
  openReplicaStore,
  type SqliteReplicaStore,
  type StoreTuning,
  LiveBackup,
} from "@meridian/store";
import { Revocations } from "@meridian/tokens";
import Database from "better-sqlite3";

import {
  HttpListener,
  httpNode,
  type HttpListenerOptions,
} from "../src/listeners/http/http-listener.ts";
import { REGION_LINES } from "../src/history-lines.ts";
import { regionApp } from "../src/listeners/http/region-app.ts";
import { RegionNode, type RegionNodeOptions } from "../src/region-node.ts";

/** A clock that stands still until it is told. */
export class ManualClock implements Clock {
  #nowMs = Date.parse("2026-01-01T00:00:00Z");
  readonly #startMs = this.#nowMs;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  elapsedMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    // Whole milliseconds, as of a platform's timers: no delay is too small for time to pass.
    const timer = { atMs: this.#nowMs + Math.ceil(delayMs), callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let turn = 0; turn < 100_000; turn += 1) {
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = untilMs;
        return;
      }
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    throw new Error("The timers never came to an end");
  }
}

/** Where pages of a node without a server would come from. */
const OWN_URLS = ["http://127.0.0.1:7401", "http://localhost:7401"];

/** A directory that is away: links close without opening. */
const dialNobody: Dial = (events) => {
  queueMicrotask(() => events.onClose(1006, "nobody there"));
  return { bufferedBytes: 0, send: () => {}, close: () => {} };
};

/** Keeps a store from writing, as a disk does that has come to a halt. */
interface Stall {
  end(): void;
}

/** A node on a real store in a folder of its own, under a clock that stands still. */
export interface TestNode {
  readonly node: RegionNode;
  /** Answers without a server. */
  readonly app: RoutedApp;
  readonly clock: ManualClock;
  request(target: string, init?: RequestInit): Promise<Response>;
  /** Listens on a port of its own; `appOnly` and `plainReads` as in `HttpListenerOptions`. */
  serve(appOnly?: boolean, plainReads?: boolean): Promise<number>;
  /** Requests under way at its listeners. */
  readonly requests: number;
  /** Resolves once there are none. */
  idle(): Promise<unknown>;
  /** Stalls the node's disk. */
  stall(): Stall;
  /** Waits for a promise while time passes. */
  settle<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Options of a `TestNode`. */
export type TestNodeOptions = Partial<
  Pick<
    RegionNodeOptions,
    | "cacheEntries"
    | "cacheBytes"
    | "valueBytesMax"
    | "ttlMsDefault"
    | "backlogBytesMax"
    | "dial"
    | "directories"
    | "standalone"
    | "shareHeat"
  >
> & {
  readonly allowOrigin?: HttpListenerOptions["allowOrigin"];
  /** The clock of its servers. Default: that of the platform. */
  readonly serverClock?: Clock;
  /** Bounds of its servers. */
  readonly limits?: Partial<
    Pick<HttpServerOptions, "connectionsMax" | "answerBytesMax" | "timeouts">
  >;
  /** Leaves the node as it is when it has just started. */
  readonly joining?: boolean;
  /** Told to the store before the node starts. */
  readonly records?: readonly ReplicaRecord[];
  readonly tuning?: Partial<StoreTuning>;
};

/** Starts a node that is cut off, and so `standalone`. */
export async function testNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-region-"));
  const clock = new ManualClock();
  const random = seededRandom(1);
  const logger = silentLogger;
  const path = join(folder, "region.db");
  const context = { clock, random, logger };
  const metrics = new Metrics();
  const store = await openStore(path, context, options);
  const { allowOrigin = [] } = options;
  const listeners: HttpListener[] = [];
  const identity = { cluster: "test", id: "fra", region: "eu", lat: 50.1, lon: 8.7 };
  const node = new RegionNode({
    cacheEntries: 1_000,
    cacheBytes: 64 * 1024 * 1024,
    cachePolicy: "lru",
    cacheTtl: null,
    shareHeat: false,
    valueBytesMax: 1024 * 1024,
    ttlMsDefault: 0,
    directories: ["http://directory.test"],
    credentials: () => ({}),
    standalone: true,
    dial: dialNobody,
    ...options,
    node: { ...identity, ip: null, port: 7401, url: null },
    listeners,
    revocations: new Revocations({ ageMaxMs: Infinity, knownAtMs: 0, clock, logger }),
    store,
    metrics,
    backups: new LiveBackup({ path, kind: "replica", version: "0.0.0", ...context }),
    ...context,
  });
  node.start();
  if (options.joining !== true) clock.advance(10_000);
  const origins = new OriginPolicy(allowOrigin, OWN_URLS);
  const streams = new EventStreams({ clock, metrics: new Metrics() });
  const kept = new History({ lines: REGION_LINES, metrics, clock });
  const history = new HistoryNews({ history: kept, streams, logger });
  const app = regionApp(httpNode(node, { origins, clock, streams, history }), logger);
  return {
    node,
    app,
    clock,
    request: async (target, init) => app.request(target, init),
    serve: async (appOnly = false, plainReads = true) => {
      const bounds = { connectionsMax: 100, ...options.limits };
      const own = listeners.length === 0 ? metrics : new Metrics();
      const { serverClock = systemClock } = options;
      const served = { clock: serverClock, logger, metrics: own, allowOrigin, appOnly, plainReads };
      const listener = new HttpListener({ ...served, ...bounds });
      await listener.listen("127.0.0.1", 0);
      listeners.push(listener);
      listener.start(node);
      return listener.port;
    },
    get requests() {
      return listeners.reduce((sum, { requests }) => sum + requests, 0);
    },
    idle: () => Promise.all(listeners.map((listener) => listener.drain())),
    stall: () => stallOf(path),
    settle: (promise) => settle(promise, clock),
    close: async () => {
      for (const listener of listeners) await listener.stop();
      await settle(node.stop(1_000), clock);
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function openStore(
  path: string,
  context: Pick<RegionNodeOptions, "clock" | "random" | "logger">,
  { tuning, records = [] }: TestNodeOptions,
): Promise<SqliteReplicaStore> {
  // The clock stands still, and a stall is one of the database.
  const tuned = { tuning: { redo: false, ...tuning } };
  const store = await openReplicaStore({ path, durability: "process", ...context, ...tuned });
  for (const record of records) {
    await new Promise<void>((resolve, reject) => {
      store.append(record, (failure) => (failure === undefined ? resolve() : reject(failure)));
    });
  }
  return store;
}

function stallOf(path: string): Stall {
  const database = new Database(path);
  // The only lock on writing that there is.
  database.exec("BEGIN IMMEDIATE");
  return { end: () => database.close() };
}

async function settle<T>(promise: Promise<T>, clock: ManualClock): Promise<T> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  watched.catch(() => {});
  for (let turn = 0; turn < 10_000 && !settled; turn += 1) {
    // The disk is a real one: its thread needs real time, while the clock of the region runs ahead.
    await new Promise((resolve) => (turn < 100 ? setImmediate(resolve) : setTimeout(resolve, 1)));
    clock.advance(10);
  }
  return watched;
}

/** Sends bytes over a new connection and returns everything that comes back, as Latin-1. */
export function exchangeBytes(
  port: number,
  ...parts: readonly (string | Buffer)[]
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1" }, () => {
      for (const part of parts) {
        socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
      }
    });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** The parts of a raw answer; header names in lower case. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Reads a raw answer that the end of the connection ends. */
export function parseAnswer(bytes: string): RawAnswer {
  const end = bytes.indexOf("\r\n\r\n");
  const [first = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(first.split(" ")[1]), headers, body: bytes.slice(end + 4) };
}

/** The body of an answer as JSON. */
export async function jsonOf(answer: Response): Promise<Record<string, unknown>> {
  return (await answer.json()) as Record<string, unknown>;
}

/** The value of a header that must be there. */
export function headerOf(answer: Response, name: string): string {
  const value = answer.headers.get(name);
  if (value === null) throw new Error(`Expected the header \`${name}\`, got none`);
  return value;
}
