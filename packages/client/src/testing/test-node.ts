/** A node of a test cluster: the requests that a client makes, answered as a region does. */
import {
  formatPosition,
  fromBase64,
  MeridianError,
  parseTtlMs,
  toProblem,
  type ErrorCode,
} from "@meridian/protocol";

import { toldOf, type TestData, type TestEntry } from "./test-data.ts";
import { TestStreams } from "./test-streams.ts";

/**
 * How a node behaves. `draining`, `syncing`: it answers that it does not serve. `refused`: it refuses connections. `silent`: it accepts requests,
 * and neither executes nor answers them. `frozen`: the same, but it reads them once it has another mood. `answers-lost`: it executes requests, and its
 * answers are lost.
 */
export type TestNodeMood =
  | "ready"
  | "draining"
  | "syncing"
  | "refused"
  | "silent"
  | "frozen"
  | "answers-lost";

/** A request as a node is given it. */
export interface TestRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

interface Body {
  readonly keys?: readonly string[];
  readonly entries?: readonly {
    readonly key: string;
    readonly value: string;
    readonly encoding?: string;
    readonly contentType: string;
    readonly ttl?: string;
  }[];
  readonly ack?: string | number;
}

/** How far ahead a deadline may be, in milliseconds. */
const DEADLINE_AHEAD_MS_MAX = 3_600_000;

const encoder = new TextEncoder();

/** A simulated node. */
export class TestNode {
  readonly id: string;
  readonly url: string;
  #mood: TestNodeMood = "ready";
  /** How many requests have come, without those to `/readyz`. */
  requests = 0;
  /** How far its clock is ahead of the cluster's, in milliseconds. It judges by it until when a write may be made. */
  clockAheadMs = 0;
  readonly #data: TestData;
  readonly #streams: TestStreams;
  readonly #faults: ErrorCode[] = [];
  /** Each reads a request that has come while the node was frozen. */
  #unread: (() => void)[] = [];

  constructor(id: string, data: TestData) {
    this.id = id;
    this.url = `http://${id}`;
    this.#data = data;
    this.#streams = new TestStreams({
      id,
      data,
      position: () => this.#position(),
      isHeard: () => this.#mood === "ready",
    });
  }

  /** Default `ready`. */
  get mood(): TestNodeMood {
    return this.#mood;
  }

  set mood(mood: TestNodeMood) {
    this.#mood = mood;
    if (mood !== "frozen") for (const read of this.#unread.splice(0)) read();
    // Connections stay open where a node says nothing; otherwise it ends them.
    if (mood === "refused" || mood === "draining" || mood === "syncing") this.#streams.cut();
  }

  /** Makes the node answer the next `times` requests with an error, without executing them. */
  failNext(code: ErrorCode, times = 1): void {
    for (let time = 0; time < times; time += 1) this.#faults.push(code);
  }

  /** Answers a request. */
  async answer(request: TestRequest): Promise<Response> {
    if (this.#mood === "frozen") await new Promise<void>((read) => this.#unread.push(read));
    try {
      return await this.#route(request);
    } catch (cause) {
      if (!(cause instanceof MeridianError)) throw cause;
      const problem = toProblem(cause);
      const miss = cause.code === "KEY_NOT_FOUND" ? { "meridian-cache": "miss" } : {};
      const type = { "content-type": "application/problem+json" };
      return this.#respond(problem.status, JSON.stringify(problem), { ...type, ...miss });
    }
  }

  async #route(request: TestRequest): Promise<Response> {
    const { path, query, body } = request;
    if (this.mood === "draining") throw new MeridianError("NODE_DRAINING", "The node is stopping");
    if (this.mood === "syncing") throw new MeridianError("NODE_SYNCING", "The node catches up");
    if (path === "/readyz" || path === "/healthz") return this.#json({ status: "ready" });
    this.requests += 1;
    const fault = this.#faults.shift();
    if (fault !== undefined) throw new MeridianError(fault, "A fault that the test asked for");
    this.#checkDeadline(request);
    if (path.startsWith("/cache/")) {
      return this.#single(request, decodeURIComponent(path.slice("/cache/".length)));
    }
    const key = query.get("key") ?? "";
    switch (path) {
      case "/watch":
        return this.#watch(request);
      case "/keys":
        return this.#keys(query);
      case "/touch":
        return this.#touch(key, query);
      case "/lease":
        return this.#lease(request, key);
      default:
        return this.#batch(path, JSON.parse(new TextDecoder().decode(body)) as Body);
    }
  }

  #checkDeadline({ method, headers }: TestRequest): void {
    const deadline = headers.get("meridian-deadline");
    if (method === "GET" || deadline === null) return;
    const [deadlineMs, nowMs] = [Number(deadline), this.#nowMs];
    if (deadlineMs > nowMs && deadlineMs <= nowMs + DEADLINE_AHEAD_MS_MAX) return;
    const code = deadlineMs > nowMs ? "INVALID_ARGUMENT" : "DEADLINE_PASSED";
    const said = `Expected a deadline within an hour from ${nowMs} on, got ${deadline}`;
    throw new MeridianError(code, said, { details: { deadlineMs, nowMs } });
  }

  get #nowMs(): number {
    return Math.floor(this.#data.clock.nowMs()) + this.clockAheadMs;
  }

  #single({ method, query, headers, body }: TestRequest, key: string): Response {
    const held = this.#data.get(key);
    if (method === "GET") {
      const { value, contentType, etag, expiresAtMs } = this.#data.need(key);
      const expiry = expiresAtMs === null ? {} : { "meridian-expires-at": String(expiresAtMs) };
      const facts = { etag, ...expiry };
      if (headers.get("if-none-match") === "*") return this.#respond(304, null, facts);
      return this.#respond(200, value, { "content-type": contentType, ...facts });
    }
    checkCondition(headers, held);
    if (method === "DELETE")
      return this.#written({ ...this.#data.delete(key), expiresAtMs: null }, query);
    const contentType = headers.get("content-type") ?? "application/octet-stream";
    const expiresAtMs = this.#expiryOf(query.get("ttl"));
    return this.#written(this.#data.set({ key, value: body, contentType, expiresAtMs }), query);
  }

  #touch(key: string, query: URLSearchParams): Response {
    const held = this.#data.need(key);
    const at = query.get("expiresAt");
    const expiresAtMs =
      at === null ? this.#expiryOf(query.get("ttl")) : at === "never" ? null : Number(at);
    return this.#written(this.#data.set({ ...held, expiresAtMs }), query);
  }

  async #lease({ method, query }: TestRequest, key: string): Promise<Response> {
    if (method === "DELETE") {
      return this.#json({ key, released: this.#data.release(key, query.get("lease") ?? "") });
    }
    const [ttl, wait] = [query.get("ttl") ?? "10s", query.get("wait")];
    const waitMs = wait === null ? 0 : parseTtlMs(wait);
    return this.#json({ key, lease: await this.#data.acquire(key, parseTtlMs(ttl), waitMs) });
  }

  #watch({ query, headers }: TestRequest): Response {
    const body = this.#streams.open({
      key: query.get("key"),
      prefix: query.get("prefix"),
      values: query.get("values") === "true",
      positions: query.get("positions") === "true",
      token: headers.get("last-event-id"),
    });
    return this.#respond(200, body, { "content-type": "text/event-stream" });
  }

  #keys(query: URLSearchParams): Response {
    const limit = Number(query.get("limit") ?? 100);
    const all = this.#data.list(query.get("prefix") ?? "", query.get("after") ?? "");
    const keys = all.slice(0, limit).map((entry) => {
      const { key, contentType, etag, expiresAtMs, value } = entry;
      const told = query.get("values") === "true" ? toldOf(entry) : {};
      return { key, bytes: value.length, contentType, etag, expiresAtMs, ...told };
    });
    return this.#json({ keys, next: all.length > limit ? keys.at(-1)?.key : null });
  }

  #batch(path: string, { keys = [], entries = [], ack }: Body): Response {
    const data = this.#data;
    const acknowledged = this.#acknowledged(ack);
    switch (path) {
      case "/batch/get": {
        const found = keys.map((key) => {
          const entry = data.get(key);
          return entry === undefined ? { key, found: false } : { ...toldOf(entry), found: true };
        });
        return this.#json({ entries: found });
      }
      case "/batch/has":
        return this.#json({
          entries: keys.map((key) => {
            const etag = data.get(key)?.etag;
            return etag === undefined ? { key, found: false } : { key, found: true, etag };
          }),
        });
      case "/batch/delete":
        return this.#json({ entries: keys.map((key) => data.delete(key)), acknowledged });
      case "/batch/set": {
        const written = entries.map(({ key, value, encoding, contentType, ttl }) => {
          const bytes = encoding === "base64" ? fromBase64(value) : encoder.encode(value);
          const expiresAtMs = this.#expiryOf(ttl ?? null);
          const { etag } = data.set({ key, value: bytes, contentType, expiresAtMs });
          return { key, etag, expiresAtMs };
        });
        return this.#json({ entries: written, acknowledged });
      }
      default:
        throw new MeridianError("ROUTE_NOT_FOUND", `There is nothing at \`${path}\``);
    }
  }

  #expiryOf(ttl: string | null): number | null {
    return ttl === null ? null : this.#data.clock.nowMs() + parseTtlMs(ttl);
  }

  #written(
    {
      key,
      etag,
      expiresAtMs,
      ...facts
    }: Pick<TestEntry, "key" | "etag" | "expiresAtMs"> & {
      readonly deleted?: boolean;
    },
    query: URLSearchParams,
  ): Response {
    const acknowledged = this.#acknowledged(query.get("ack") ?? undefined);
    const deleted = facts.deleted === undefined ? {} : { deleted: facts.deleted };
    return this.#json({ key, etag, expiresAtMs, ...deleted, acknowledged }, { etag });
  }

  #acknowledged(ack: string | number = "local"): object {
    const level = Number.isNaN(Number(ack)) ? ack : Number(ack);
    const nodes = [this.id];
    return { level, reached: true, local: true, directory: true, nodes, ready: nodes };
  }

  #position(): string {
    const [logId, epoch, incarnation, outboxPosition] = [1, 1, 0, 0];
    const sequence = this.#data.writes;
    return formatPosition({ logId, epoch, sequence, incarnation, outboxPosition });
  }

  #json(body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
    const type = { "content-type": "application/json" };
    return this.#respond(200, JSON.stringify(body), { ...type, ...headers });
  }

  #respond(
    status: number,
    body: string | Uint8Array | ReadableStream<Uint8Array> | null,
    headers: Readonly<Record<string, string>>,
  ): Response {
    const own = {
      "meridian-node": this.id,
      "meridian-position": this.#position(),
      "meridian-time": String(this.#nowMs),
    };
    return new Response(body as ConstructorParameters<typeof Response>[0], {
      status,
      headers: { ...headers, ...own },
    });
  }
}

function checkCondition(headers: Headers, held: TestEntry | undefined): void {
  const [match, noneMatch] = [headers.get("if-match"), headers.get("if-none-match")];
  if (match !== null && match !== held?.etag) refuse("If-Match");
  if (noneMatch !== null && held !== undefined) refuse("If-None-Match");
}

function refuse(header: string): never {
  throw new MeridianError("PRECONDITION_FAILED", `Expected \`${header}\` to hold`);
}
