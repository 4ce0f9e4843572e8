/**
 * Nodes that tell of their changes, behind a network that delays, loses and reorders requests, and delays and cuts streams and WebSockets. Everything
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

import { NOTHING_TO_WRITE } from "../src/acknowledgements.ts";
import type { Fetch } from "../src/index.ts";
import type { Dial } from "../src/socket/wire.ts";
import type { TestClock } from "../src/testing/index.ts";
import { NearSocket } from "./near-socket.ts";
import { Pipe } from "./pipe.ts";
import type { Reply } from "./world.ts";

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

/** What a node says to a watch. */
export type NearTold = { readonly token: string } & (
  | { readonly event: "open" | "reload" }
  | { readonly event: "set" | "delete" | "expire"; readonly key: string; readonly etag: string }
  | {
      readonly event: "position";
      readonly position: string;
      readonly elapsedMs: number;
      readonly nowMs: number;
    }
);

/** A watch of a node: over a stream, or over a WebSocket. */
export interface NearWatch {
  readonly prefix: string;
  readonly openedAtMs: number;
  readonly say: (told: NearTold) => void;
  through: number;
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
  /** Nodes do not know the requests of these types over WebSockets. */
  unknown: readonly string[] = [];
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

  readonly dial: Dial = (url, _, events) => new NearSocket(this, new URL(url).host, events);

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
  #watches: NearWatch[] = [];
  /** What ends each stream and each WebSocket. */
  readonly cuts = new Set<() => void>();

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

  /** All streams and WebSockets are cut. What was on its way is lost. */
  cut(): void {
    for (const watch of this.#watches.splice(0)) watch.isOver = true;
    for (const cut of this.cuts) cut();
    this.cuts.clear();
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
    const reply = call.path === "/watch" ? this.#stream(call) : this.reply(call);
    const { status, headers = {}, body = "" } = reply;
    return new Response(body as ConstructorParameters<typeof Response>[0], { status, headers });
  }

  reply(call: NearCall): Reply {
    try {
      return this.#route(call);
    } catch (cause) {
      return this.failed(cause);
    }
  }

  /** How a request fails. */
  failed(cause: unknown): Reply {
    if (!(cause instanceof MeridianError)) throw cause;
    const problem = toProblem(cause);
    return this.#respond(problem.status, JSON.stringify(problem), {
      "content-type": "application/problem+json",
    });
  }

  #route(call: NearCall): Reply {
    const { method, path, headers, body } = call;
    if (path === "/readyz" || path === "/healthz") return this.#json({});
    const presented = headers.get("meridian-position");
    if (presented !== null && !this.#has(presented)) {
      throw new MeridianError("POSITION_NOT_REACHED", "not there yet");
    }
    if (path === "/keys") return this.#json({ keys: [], next: null });
    if (path.startsWith("/batch/")) {
      const { keys } = JSON.parse(new TextDecoder().decode(body)) as { keys: readonly string[] };
      return this.#json({ entries: keys.map((key) => this.#told(key)) });
    }
    const key = decodeURIComponent(path.slice("/cache/".length));
    if (method === "PUT") {
      const { etag } = this.write(key, true);
      const acknowledged = NOTHING_TO_WRITE;
      return this.#json({ key, etag, expiresAtMs: null, acknowledged }, { etag });
    }
    const held = this.#live(key);
    if (held === undefined) throw new MeridianError("KEY_NOT_FOUND", "nothing there");
    const { etag, expiresAtMs, version } = held;
    const expiry = expiresAtMs === null ? {} : { "meridian-expires-at": String(expiresAtMs) };
    const type = { "content-type": "application/json" };
    return this.#respond(200, String(version), { etag, ...type, ...expiry });
  }

  #stream({ query, headers }: NearCall): Omit<Reply, "body"> & { readonly body?: unknown } {
    const world = this.#world;
    const token = headers.get("last-event-id") ?? undefined;
    let end = (): void => {};
    try {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          const pipe = new Pipe<string>(world, (text) => {
            world.watched = this;
            controller.enqueue(new TextEncoder().encode(text));
          });
          const say = (told: NearTold): void => pipe.send(eventOf(told));
          const watch = this.watch(query.get("prefix") ?? "", token, say);
          end = (): void => {
            watch.isOver = true;
            pipe.end();
          };
          this.cuts.add(() => {
            pipe.end();
            controller.error(new TypeError("terminated"));
          });
        },
        // The client reads no more, and takes nothing that is still under way.
        cancel: () => end(),
      });
      return { ...this.#respond(200, "", { "content-type": "text/event-stream" }), body };
    } catch (cause) {
      return this.failed(cause);
    }
  }

  /** Begins to tell. */
  watch(prefix: string, token: string | undefined, say: NearWatch["say"]): NearWatch {
    const world = this.#world;
    if (world.refusal !== undefined) throw world.refusal;
    const [run, sequence] = (token ?? "").split(".").map(Number);
    const isKnown = run === this.#run && (sequence ?? 0) >= this.#feed.length - RING;
    const through = token === undefined || !isKnown ? this.#feed.length : (sequence ?? 0);
    const openedAtMs = world.clock.elapsedMs();
    const watch = { prefix, openedAtMs, say, through, isOver: false };
    this.#watches.push(watch);
    say({ event: "open", token: token ?? this.#token(through) });
    if (token !== undefined && !isKnown) say({ event: "reload", token: this.#token(through) });
    world.later(() => this.#tell(watch));
    return watch;
  }

  /** Tells what a watch has not been told, and that this is all. */
  #tell(watch: NearWatch): void {
    if (watch.isOver) return;
    if (watch.through < this.#feed.length - RING) {
      watch.through = this.#feed.length;
      watch.say({ event: "reload", token: this.#token(watch.through) });
    }
    for (const { key, version, etag } of this.#feed.slice(watch.through)) {
      watch.through += 1;
      const held = this.data.get(key);
      if (!key.startsWith(watch.prefix) || held?.version !== version) continue;
      const event = !held.isSet ? "delete" : this.#live(key) === undefined ? "expire" : "set";
      watch.say({ event, key, etag, token: this.#token(watch.through) });
    }
    const { clock } = this.#world;
    const elapsedMs = Math.floor(clock.elapsedMs() - watch.openedAtMs);
    const word = { position: this.#position(), elapsedMs, nowMs: clock.nowMs() };
    watch.say({ event: "position", token: this.#token(watch.through), ...word });
  }

  #token(sequence: number): string {
    return `${this.#run}.${sequence}`;
  }

  #beat(): void {
    this.#world.clock.after(1_000, () => {
      for (const watch of this.#watches) this.#tell(watch);
      this.#beat();
    });
  }

  #merge(written: Written): void {
    const held = this.data.get(written.key);
    if (held !== undefined && held.version >= written.version) return;
    if (held !== undefined) this.replacedAtMs.set(held.version, this.#world.clock.elapsedMs());
    this.data.set(written.key, written);
    this.#feed.push(written);
    for (const watch of this.#watches) this.#world.later(() => this.#tell(watch));
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

  #json(body: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
    const type = { "content-type": "application/json" };
    return this.#respond(200, JSON.stringify(body), { ...type, ...headers });
  }

  #respond(status: number, body: string, headers: Readonly<Record<string, string>>): Reply {
    const own = { "meridian-node": this.id, "meridian-position": this.#position() };
    return { status, body, headers: { ...headers, ...own } };
  }
}

function eventOf({ token, event, ...told }: NearTold): string {
  if (event === "open") return `id: ${token}\n\n`;
  return `id: ${token}\nevent: ${event}\ndata: ${JSON.stringify(told)}\n\n`;
}
