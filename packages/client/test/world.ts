/**
 * The outside world of a client: a directory and nodes that speak Meridian's HTTP, each a real server on a port of
 * its own, or all behind one `fetch`. They keep a log by hand: nothing a node has taken travels until `replicate`. There
 * may be several logs, as there is one for each directory: a node is attached to one of them, and what one log has
 * gets into another when that one is told to `follow` it.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import {
  formatPosition,
  formatStamp,
  MeridianError,
  parsePosition,
  stampTimeOf,
  toProblem,
} from "@meridian/protocol";

import { NOTHING_TO_WRITE } from "../src/acknowledgements.ts";
import type { Fetch } from "../src/index.ts";
import { SocketListener } from "./socket-listener.ts";

interface Held {
  readonly version: number;
  readonly etag: string;
  readonly value: Buffer | undefined;
  readonly contentType: string;
  readonly expiresAtMs: number | null;
}

interface Write extends Held {
  readonly key: string;
  readonly origin: number;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** What a node does with requests: answers, or takes them in silence, after or without doing what they ask. */
export type Mood = "ready" | "syncing" | "draining" | "hung" | "answers-lost" | "foreign";

export const problem = (error: MeridianError): Reply => {
  const body = toProblem(error);
  const headers = { "content-type": "application/problem+json" };
  return { status: body.status, headers, body: JSON.stringify(body) };
};

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

export class World {
  readonly nodes: FakeNode[] = [];
  readonly #logs = new Map<number, Write[]>();
  readonly #followed: {
    readonly from: number;
    readonly to: number;
    through: number;
    at: number;
  }[] = [];
  versions = 0;
  /** The nodes' time, by which they stamp entries and let them expire. */
  nowMs: () => number = () => 1_800_000_000_000;
  /** What the directory answers instead, if anything. */
  directoryMood: "ready" | "hung" | "failing" = "ready";
  /** Ids that `/nearest` leaves out. */
  readonly hidden = new Set<string>();
  /** How far behind the directory says that nodes are, in milliseconds. */
  readonly lags = new Map<string, number>();
  readonly directoryCalls: Call[] = [];

  addNode(id: string, distanceMeters: number = (this.nodes.length + 1) * 1000): FakeNode {
    const node = new FakeNode(this, id, this.nodes.length + 1, distanceMeters);
    this.nodes.push(node);
    return node;
  }

  /** Every living node's writes go to every living node. */
  replicate(): void {
    const alive = this.nodes.filter((node) => node.mood !== "hung");
    for (const node of alive) this.log(node.logId).push(...node.outbox.splice(0));
    for (const node of alive) node.catchUp();
  }

  log(id: number): Write[] {
    const log = this.#logs.get(id) ?? [];
    this.#logs.set(id, log);
    return log;
  }

  /** What one log has and the other has not gets into that one. */
  follow(from: number, to: number): void {
    const [source, target] = [this.log(from), this.log(to)];
    target.push(...source.filter((write) => !target.includes(write)));
    this.#followed.push({ from, to, through: source.length, at: target.length });
  }

  /** How far in other logs one is who is so far in this one. */
  impliedBy(logId: number, sequence: number): readonly (readonly [number, number])[] {
    return this.#followed
      .filter(({ to, at }) => to === logId && at <= sequence)
      .map(({ from, through }) => [from, through] as const);
  }

  answerDirectory(call: Call): Reply | undefined {
    this.directoryCalls.push(call);
    if (this.directoryMood === "hung") return undefined;
    if (this.directoryMood === "failing") return { status: 502, body: "bad gateway" };
    const ready = this.nodes
      .filter((node) => node.mood === "ready" && !this.hidden.has(node.id))
      .toSorted((a, b) => a.distanceMeters - b.distanceMeters);
    if (ready.length === 0) return problem(new MeridianError("NO_READY_NODE", "none"));
    const nodes = ready.slice(0, Number(call.query.get("limit") ?? 3)).map((node) => ({
      id: node.id,
      region: node.id,
      url: node.url,
      distanceMeters: node.distanceMeters,
      lagMs: this.lags.get(node.id) ?? 0,
    }));
    return json(200, { nodes });
  }
}

export class FakeNode {
  readonly #world: World;
  readonly id: string;
  readonly index: number;
  readonly distanceMeters: number;
  readonly calls: Call[] = [];
  readonly data = new Map<string, Held>();
  readonly outbox: Write[] = [];
  url: string;
  mood: Mood = "ready";
  /** Answers with this instead, once for each. */
  readonly scripted: Reply[] = [];
  /** Answers are given once this resolves; requests are done at once. */
  holding: Promise<void> | undefined;
  /** Paths that hang whatever the mood. */
  readonly slowPaths = new Set<string>();
  /** The log of the directory that it is attached to. */
  logId = 1;
  readonly #applied = new Map<number, number>();
  #written = 0;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(world: World, id: string, index: number, distanceMeters: number) {
    this.#world = world;
    this.id = id;
    this.index = index;
    this.distanceMeters = distanceMeters;
    this.url = `http://${id}.test`;
  }

  /** Data requests so far, those about health left out. */
  get served(): number {
    return this.calls.filter(({ path }) => path !== "/readyz" && path !== "/healthz").length;
  }

  /** Resolves once the node has received `count` requests. */
  received(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#wake();
    });
  }

  /** As if it had never been attached to that log. */
  forgetLog(logId: number): void {
    this.#applied.delete(logId);
    this.data.clear();
  }

  catchUp(): void {
    const log = this.#world.log(this.logId);
    for (const write of log.slice(this.#appliedOf(this.logId))) this.#merge(write);
    const reached = [[this.logId, log.length], ...this.#world.impliedBy(this.logId, log.length)];
    for (const [id = 0, sequence = 0] of reached) {
      this.#applied.set(id, Math.max(this.#appliedOf(id), sequence));
    }
  }

  #appliedOf(logId: number): number {
    return this.#applied.get(logId) ?? 0;
  }

  /** Undefined for no answer at all. */
  answer(call: Call): Reply | undefined {
    this.calls.push(call);
    this.#wake();
    if (this.mood === "hung" || this.slowPaths.has(call.path)) return undefined;
    if (this.mood === "foreign") return { status: 200, body: "<html>hello</html>" };
    const reply = this.scripted.shift() ?? this.#route(call);
    if (this.mood === "answers-lost") return undefined;
    return { ...reply, headers: { ...this.#headers(), ...reply.headers } };
  }

  #wake(): void {
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.calls.length >= count) resolve();
      return this.calls.length < count;
    });
  }

  #headers(): Record<string, string> {
    const pending = this.outbox.length > 0;
    const position = {
      logId: this.logId,
      epoch: 1,
      sequence: this.#appliedOf(this.logId),
      incarnation: pending ? this.index : 0,
      outboxPosition: pending ? this.#written : 0,
    };
    return { "meridian-node": this.id, "meridian-position": formatPosition(position) };
  }

  #hasReached(token: string): boolean {
    const { logId, sequence, incarnation, outboxPosition } = parsePosition(token);
    const known = [...this.#applied].flatMap(([id, count]) => this.#world.log(id).slice(0, count));
    const theirs = new Set(known.filter(({ origin }) => origin === incarnation)).size;
    const written = incarnation === this.index || theirs >= outboxPosition;
    return this.#appliedOf(logId) >= sequence && written;
  }

  #route(call: Call): Reply {
    if (call.path === "/healthz") return json(200, { status: "ok" });
    if (this.mood === "syncing") return problem(new MeridianError("NODE_SYNCING", "catching up"));
    if (this.mood === "draining") return problem(new MeridianError("NODE_DRAINING", "stopping"));
    if (call.path === "/readyz") return json(200, { status: "ready" });
    const token = call.headers["meridian-position"];
    if (token !== undefined && !this.#hasReached(token)) {
      return problem(new MeridianError("POSITION_NOT_REACHED", "not there yet"));
    }
    return this.#serve(call);
  }

  #serve(call: Call): Reply {
    if (call.path === "/batch/get") {
      const { keys } = JSON.parse(String(call.body)) as { keys: string[] };
      return json(200, { entries: keys.map((key) => this.#entry(key)) });
    }
    if (call.path === "/batch/set") return this.#setMany(call);
    if (call.path === "/keys") return this.#list(call.query);
    const key = decodeURIComponent(call.path.slice("/cache/".length));
    const held = this.data.get(key);
    switch (call.method) {
      case "PUT":
        return this.#put(key, held, call);
      case "DELETE": {
        const written = this.#write(key, undefined, "", null);
        return json(200, { ...written, deleted: held?.value !== undefined });
      }
      default:
        if (held?.value === undefined || !this.#isLive(held)) return this.#miss();
        if (call.headers["if-none-match"] === "*") return { status: 304 };
        return this.#carry(held, held.value);
    }
  }

  #isLive({ value, expiresAtMs }: Held): boolean {
    return value !== undefined && (expiresAtMs === null || this.#world.nowMs() < expiresAtMs);
  }

  #carry({ etag, contentType, expiresAtMs }: Held, body: Buffer): Reply {
    const headers = { "content-type": contentType, etag };
    if (expiresAtMs === null) return { status: 200, headers, body };
    return { status: 200, headers: { ...headers, "meridian-expires-at": `${expiresAtMs}` }, body };
  }

  #put(key: string, held: Held | undefined, call: Call): Reply {
    const { "if-match": ifMatch, "if-none-match": ifNoneMatch } = call.headers;
    const etag = held !== undefined && this.#isLive(held) ? held.etag : undefined;
    const refused =
      (ifNoneMatch === "*" && etag !== undefined) || (ifMatch !== undefined && ifMatch !== etag);
    if (refused) return problem(new MeridianError("PRECONDITION_FAILED", "changed meanwhile"));
    const ttl = call.query.get("ttl");
    const expiresAtMs = ttl === null ? null : this.#world.nowMs() + parseInt(ttl, 10);
    const type = call.headers["content-type"] ?? "";
    const written = this.#write(key, call.body, type, expiresAtMs);
    return { ...json(200, written), headers: { etag: written.etag } };
  }

  #setMany(call: Call): Reply {
    const { entries } = JSON.parse(String(call.body)) as {
      entries: { key: string; value: string; encoding: BufferEncoding; contentType: string }[];
    };
    const written = entries.map(({ key, value, encoding, contentType }) =>
      this.#write(key, Buffer.from(value, encoding), contentType, null),
    );
    return json(200, { entries: written, acknowledged: written[0]?.acknowledged });
  }

  #list(query: URLSearchParams): Reply {
    const limit = Number(query.get("limit"));
    const keys = [...this.data]
      .filter(([, held]) => held.value !== undefined)
      .map(([key]) => key)
      .filter(
        (key) => key.startsWith(query.get("prefix") ?? "") && key > (query.get("after") ?? ""),
      )
      .toSorted();
    const page = keys.slice(0, limit).map((key) => ({ ...this.#entry(key), bytes: 1 }));
    return json(200, { keys: page, next: keys.length > limit ? page.at(-1)?.key : null });
  }

  #entry(key: string): { readonly key: string; readonly found: boolean } {
    const held = this.data.get(key);
    if (held?.value === undefined || !this.#isLive(held)) return { key, found: false };
    const { etag, value, contentType, expiresAtMs } = held;
    const utf8 = Buffer.from(value.toString()).equals(value);
    const text = utf8
      ? { value: value.toString(), encoding: "utf8" }
      : { value: value.toString("base64"), encoding: "base64" };
    return { key, found: true, ...text, contentType, etag, expiresAtMs } as never;
  }

  #miss(): Reply {
    const reply = problem(new MeridianError("KEY_NOT_FOUND", "nothing there"));
    return { ...reply, headers: { ...reply.headers, "meridian-cache": "miss" } };
  }

  #write(key: string, value: Buffer | undefined, contentType: string, expiresAtMs: number | null) {
    const version = (this.#world.versions += 1);
    const time = stampTimeOf(this.#world.nowMs()) + version;
    const etag = `"${formatStamp({ time, origin: this.index })}"`;
    const write = { key, value, contentType, version, etag, expiresAtMs, origin: this.index };
    this.outbox.push(write);
    this.#written += 1;
    this.#merge(write);
    const acknowledged = { ...NOTHING_TO_WRITE, ready: ["one"] };
    return { key, etag, expiresAtMs, acknowledged };
  }

  #merge(write: Write): void {
    const held = this.data.get(write.key);
    if (held === undefined || write.version > held.version) this.data.set(write.key, write);
  }
}

/** A `fetch` that reaches every party of a world by the host of its URL. */
export function fetchOf(world: World): Fetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const { host, pathname, searchParams } = new URL(url);
      const node = world.nodes.find((one) => one.url === `http://${host}`);
      const { signal } = init;
      const abort = (): void => reject(signal?.reason as Error);
      if (signal?.aborted === true) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      const call: Call = {
        method: init.method ?? "GET",
        path: pathname,
        query: searchParams,
        headers: init.headers as Record<string, string>,
        body: Buffer.from((init.body as Uint8Array | undefined) ?? []),
      };
      const reply = node === undefined ? world.answerDirectory(call) : node.answer(call);
      if (reply === undefined) return undefined;
      const { status, headers = {}, body } = reply;
      const bodiless = status === 304 || body === undefined;
      const response = new Response(bodiless ? null : (body as string), { status, headers });
      void (node?.holding ?? Promise.resolve()).then(() => resolve(response));
      return undefined;
    });
}

/** A party of the world behind a real server. */
export class Listener {
  readonly #answer: (call: Call) => Reply | undefined;
  #server: Server | undefined;
  #port = 0;
  #inFlight = 0;
  /** How many requests were under way at one time, at most. */
  mostInFlight = 0;
  /** How many connections are open, and were at one time, at most. */
  #sockets = 0;
  mostSockets = 0;
  /** How many HTTP requests have come. */
  requests = 0;
  /** Answers are given once this resolves. */
  holding: Promise<void> | undefined;
  /** Those who ask over WebSockets; undefined where the server takes none. */
  readonly webSockets: SocketListener | undefined;

  constructor(answer: (call: Call) => Reply | undefined, takesWebSockets: boolean = false) {
    this.#answer = answer;
    if (!takesWebSockets) return;
    this.webSockets = new SocketListener({
      answer,
      holding: () => this.holding,
      count: (change) => this.#count(change),
    });
  }

  /** Listens on a free port the first time, on the same one after that. Returns the URL. */
  async start(): Promise<string> {
    const server = createServer((request, response) => {
      void (async () => {
        this.#count(1);
        this.requests += 1;
        response.once("close", () => this.#count(-1));
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
        const reply = this.#answer({
          method: request.method ?? "GET",
          path: pathname,
          query: searchParams,
          headers: request.headers as Record<string, string>,
          body: Buffer.concat(chunks),
        });
        if (reply === undefined) return;
        await this.holding;
        response.writeHead(reply.status, reply.headers);
        response.end(reply.body);
      })();
    });
    this.webSockets?.listen(server);
    server.on("connection", (socket) => {
      this.#sockets += 1;
      this.mostSockets = Math.max(this.mostSockets, this.#sockets);
      socket.once("close", () => {
        this.#sockets -= 1;
      });
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}`;
  }

  /** As `kill -9` does: every connection is cut, the port refuses. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      this.webSockets?.close();
    });
  }

  /** Resolves once no connection is open. */
  async empty(): Promise<void> {
    while (this.#sockets > 0) await new Promise(setImmediate);
  }

  #count(change: number): void {
    this.#inFlight += change;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
  }
}
