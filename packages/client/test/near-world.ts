/**
 * Nodes that tell of their changes, behind a network that delays, loses and reorders requests, and delays and cuts streams. Everything
 * happens on a clock that moves when told to. Writers write at a node; what they wrote reaches other nodes with `replicate`.
 */
import {
  formatPosition,
  formatStamp,
  MeridianError,
  parsePosition,
  stampTimeOf,
  toProblem,
} from "@meridian/protocol";

import type { Fetch } from "../src/index.ts";
import type { TestClock } from "../src/testing/index.ts";

/** A value is the number of its write. */
export interface Written {
  readonly key: string;
  readonly version: number;
  /** The node that it was written at, and the how manieth write there it is. */
  readonly origin: number;
  readonly place: number;
  readonly isSet: boolean;
  readonly expiresAtMs: number | null;
  readonly etag: string;
}

interface Stream {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly prefix: string;
  readonly openedAtMs: number;
  through: number;
  arrivesAtMs: number;
  readonly underWay: string[];
  isOver: boolean;
}

/** How many changes a node remembers. */
const RING = 6;

export class NearWorld {
  readonly clock: TestClock;
  readonly nodes: readonly NearNode[];
  readonly log: Written[] = [];
  versions = 0;
  /** A number from 0 to 1, from the test's own chance. */
  readonly chance: () => number;
  /** The longest delay of a message, in milliseconds. */
  delayMs = 4;
  /** Nodes refuse to tell of changes, with this. */
  refusal: MeridianError | undefined;
  /** Whether what streams send arrives only later. */
  hold = false;
  /** The share of requests that are lost. */
  loss = 0;
  /** The node whose stream has reached the client last. */
  watched: NearNode | undefined;

  constructor(clock: TestClock, chance: () => number, count = 2) {
    this.clock = clock;
    this.chance = chance;
    this.nodes = Array.from({ length: count }, (_, index) => new NearNode(this, index + 1));
  }

  /** Everything that was written becomes known everywhere, or only at one node. */
  replicate(to?: NearNode): void {
    for (const node of this.nodes) this.log.push(...node.outbox.splice(0));
    for (const node of to === undefined ? this.nodes : [to]) node.catchUp();
  }

  later(work: () => void): void {
    this.clock.after(1 + Math.floor(this.chance() * this.delayMs), work);
  }

  readonly fetch: Fetch = (url, init) =>
    new Promise((resolve, reject) => {
      const { host, pathname, searchParams } = new URL(url);
      const node = this.nodes.find((one) => one.id === host);
      const { signal } = init;
      const abort = (): void => reject(signal?.reason as Error);
      if (signal?.aborted === true) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      if (node?.isDown !== false) {
        reject(new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } }));
        return undefined;
      }
      const isLost = this.chance() < this.loss;
      this.later(() => {
        if (isLost || node.isDown) return;
        const headers = new Headers(init.headers);
        const body = (init.body as Uint8Array | undefined) ?? new Uint8Array(0);
        const method = init.method ?? "GET";
        const answer = node.answer({ method, path: pathname, query: searchParams, headers, body });
        this.later(() => resolve(answer));
      });
      return undefined;
    });
}

export interface NearCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class NearNode {
  readonly #world: NearWorld;
  readonly #index: number;
  readonly id: string;
  readonly url: string;
  readonly data = new Map<string, Written>();
  readonly outbox: Written[] = [];
  /** When each version was replaced here, on the clock's `elapsedMs`. */
  readonly replacedAtMs = new Map<number, number>();
  isDown = false;
  onWrite: (written: Written) => void = () => {};
  #run = 1;
  #written = 0;
  #applied = 0;
  #feed: Written[] = [];
  #streams: Stream[] = [];

  constructor(world: NearWorld, index: number) {
    this.#world = world;
    this.#index = index;
    this.id = `node-${index}`;
    this.url = `http://${this.id}`;
    this.#beat();
  }

  write(key: string, isSet: boolean, ttlMs?: number): Written {
    const world = this.#world;
    const version = (world.versions += 1);
    const nowMs = world.clock.nowMs();
    const time = stampTimeOf(nowMs) + version;
    const place = (this.#written += 1);
    const expiresAtMs = ttlMs === undefined ? null : nowMs + ttlMs;
    const etag = `"${formatStamp({ time, origin: this.#index })}"`;
    const written = { key, version, origin: this.#index, place, isSet, expiresAtMs, etag };
    this.onWrite(written);
    this.outbox.push(written);
    this.#merge(written);
    return written;
  }

  catchUp(): void {
    for (const written of this.#world.log.slice(this.#applied)) this.#merge(written);
    this.#applied = this.#world.log.length;
  }

  /** All streams are cut. What was on its way is lost. */
  cut(): void {
    for (const stream of this.#streams.splice(0)) {
      stream.isOver = true;
      stream.controller.error(new TypeError("terminated"));
    }
  }

  /** It refuses connections. */
  stop(): void {
    this.isDown = true;
    this.cut();
  }

  /** As when its program is killed and started again: it does not know what it has told. */
  restart(): void {
    this.cut();
    this.#run += 1;
    this.#feed = [];
  }

  answer(call: NearCall): Response {
    try {
      return this.#route(call);
    } catch (cause) {
      if (!(cause instanceof MeridianError)) throw cause;
      const problem = toProblem(cause);
      return this.#respond(problem.status, JSON.stringify(problem), {
        "content-type": "application/problem+json",
      });
    }
  }

  #route(call: NearCall): Response {
    const { method, path, query, headers, body } = call;
    if (path === "/readyz" || path === "/healthz") return this.#json({});
    const presented = headers.get("meridian-position");
    if (presented !== null && !this.#has(presented)) {
      throw new MeridianError("POSITION_NOT_REACHED", "not there yet");
    }
    if (path === "/watch") return this.#watch(query, headers.get("last-event-id"));
    if (path === "/keys") return this.#json({ keys: [], next: null });
    if (path.startsWith("/batch/")) {
      const { keys } = JSON.parse(new TextDecoder().decode(body)) as { keys: readonly string[] };
      return this.#json({ entries: keys.map((key) => this.#told(key)) });
    }
    const key = decodeURIComponent(path.slice("/cache/".length));
    if (method === "PUT") {
      const { etag } = this.write(key, true);
      const acknowledged = {
        level: "local",
        reached: true,
        local: true,
        directory: false,
        nodes: [],
        ready: [],
      };
      return this.#json({ key, etag, expiresAtMs: null, acknowledged }, { etag });
    }
    const held = this.#live(key);
    if (held === undefined) throw new MeridianError("KEY_NOT_FOUND", "nothing there");
    const { etag, expiresAtMs, version } = held;
    const expiry = expiresAtMs === null ? {} : { "meridian-expires-at": String(expiresAtMs) };
    const type = { "content-type": "application/json" };
    return this.#respond(200, String(version), { etag, ...type, ...expiry });
  }

  #watch(query: URLSearchParams, token: string | null): Response {
    const world = this.#world;
    if (world.refusal !== undefined) throw world.refusal;
    const [run, sequence] = (token ?? "").split(".").map(Number);
    const isKnown = run === this.#run && (sequence ?? 0) >= this.#feed.length - RING;
    const through = token === null || !isKnown ? this.#feed.length : (sequence ?? 0);
    let stream: Stream | undefined;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const opened: Stream = {
          controller,
          prefix: query.get("prefix") ?? "",
          openedAtMs: world.clock.elapsedMs(),
          through,
          arrivesAtMs: 0,
          underWay: [],
          isOver: false,
        };
        stream = opened;
        this.#streams.push(opened);
        this.#send(opened, `id: ${token ?? this.#token(through)}\n\n`);
        if (token !== null && !isKnown) {
          this.#send(opened, `id: ${this.#token(through)}\nevent: reload\ndata: {}\n\n`);
        }
        world.later(() => this.#tell(opened));
      },
      // The client reads no more, and takes nothing that is still under way.
      cancel: () => {
        if (stream !== undefined) stream.isOver = true;
      },
    });
    return this.#respond(200, body, { "content-type": "text/event-stream" });
  }

  /** Tells what a stream has not been told, and that this is all. */
  #tell(stream: Stream): void {
    if (stream.isOver) return;
    if (stream.through < this.#feed.length - RING) {
      stream.through = this.#feed.length;
      this.#send(stream, `id: ${this.#token(stream.through)}\nevent: reload\ndata: {}\n\n`);
    }
    for (const { key, version, etag } of this.#feed.slice(stream.through)) {
      stream.through += 1;
      const held = this.data.get(key);
      if (!key.startsWith(stream.prefix) || held?.version !== version) continue;
      const event = !held.isSet ? "delete" : this.#live(key) === undefined ? "expire" : "set";
      const data = JSON.stringify({ key, etag });
      this.#send(stream, `id: ${this.#token(stream.through)}\nevent: ${event}\ndata: ${data}\n\n`);
    }
    const { clock } = this.#world;
    const elapsedMs = Math.floor(clock.elapsedMs() - stream.openedAtMs);
    const word = { position: this.#position(), elapsedMs, nowMs: clock.nowMs() };
    const id = this.#token(stream.through);
    this.#send(stream, `id: ${id}\nevent: position\ndata: ${JSON.stringify(word)}\n\n`);
  }

  #token(sequence: number): string {
    return `${this.#run}.${sequence}`;
  }

  /** What is sent arrives later, in its order, unless the stream is cut before. */
  #send(stream: Stream, text: string): void {
    const { clock, delayMs, chance } = this.#world;
    const nowMs = clock.elapsedMs();
    stream.arrivesAtMs = Math.max(stream.arrivesAtMs, nowMs + 1 + Math.floor(chance() * delayMs));
    stream.underWay.push(text);
    clock.after(stream.arrivesAtMs - nowMs, () => this.#deliver(stream, 1));
  }

  /** Hands over what was sent first, unless it is held. */
  #deliver(stream: Stream, count: number): void {
    const { clock, hold } = this.#world;
    if (stream.isOver) return;
    if (hold) return void clock.after(5, () => this.#deliver(stream, count));
    this.#world.watched = this;
    const arrived = stream.underWay.splice(0, count).join("");
    stream.controller.enqueue(new TextEncoder().encode(arrived));
  }

  #beat(): void {
    this.#world.clock.after(1_000, () => {
      for (const stream of this.#streams) this.#tell(stream);
      this.#beat();
    });
  }

  #merge(written: Written): void {
    const held = this.data.get(written.key);
    if (held !== undefined && held.version >= written.version) return;
    if (held !== undefined) this.replacedAtMs.set(held.version, this.#world.clock.elapsedMs());
    this.data.set(written.key, written);
    this.#feed.push(written);
    for (const stream of this.#streams) this.#world.later(() => this.#tell(stream));
  }

  #live(key: string): Written | undefined {
    const held = this.data.get(key);
    if (held?.isSet !== true) return undefined;
    const { expiresAtMs } = held;
    return expiresAtMs === null || this.#world.clock.nowMs() < expiresAtMs ? held : undefined;
  }

  #told(key: string): object {
    const held = this.#live(key);
    if (held === undefined) return { key, found: false };
    const { etag, expiresAtMs, version } = held;
    const value = { value: String(version), encoding: "utf8", contentType: "application/json" };
    return { key, found: true, etag, expiresAtMs, ...value };
  }

  #has(token: string): boolean {
    const { sequence, incarnation, outboxPosition } = parsePosition(token);
    if (sequence > this.#applied) return false;
    if (incarnation === 0 || incarnation === this.#index) return true;
    const known = this.#world.log.slice(0, this.#applied);
    return known.filter(({ origin }) => origin === incarnation).length >= outboxPosition;
  }

  #position(): string {
    const isPending = this.outbox.length > 0;
    const [incarnation, outboxPosition] = isPending ? [this.#index, this.#written] : [0, 0];
    const own = { incarnation, outboxPosition };
    return formatPosition({ logId: 1, epoch: 1, sequence: this.#applied, ...own });
  }

  #json(body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
    const type = { "content-type": "application/json" };
    return this.#respond(200, JSON.stringify(body), { ...type, ...headers });
  }

  #respond(
    status: number,
    body: string | ReadableStream<Uint8Array>,
    headers: Readonly<Record<string, string>>,
  ): Response {
    const own = { "meridian-node": this.id, "meridian-position": this.#position() };
    return new Response(body, { status, headers: { ...headers, ...own } });
  }
}
