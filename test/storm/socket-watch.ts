/**
 * Follows the keys of a region over its WebSocket, whatever happens to the region, and knows what each key has become.
 *
 * When it comes back it goes on where it was; when the region does not know that place any more, it reads all keys again. Either
 * way it must end up with what the region holds: a change that it was not told of shows as a difference.
 */
import type { Destination } from "@meridian/local-cluster";
import { compareStamps, parseStamp, type Stamp } from "@meridian/protocol";
import type { WebSocket } from "ws";

import { openSocket, type Told } from "./sockets.ts";

const AGAIN_MS = 50;
const PAGE_KEYS = 1_000;
const WATCH_ID = 0;

/** What a key was seen to be. */
interface Seen {
  readonly stamp: Stamp;
  readonly isLive: boolean;
}

/** Watches all keys with a prefix. */
export class SocketWatch {
  readonly region: Destination;
  readonly #prefix: string;
  readonly #seen = new Map<string, Seen>();
  #socket: WebSocket | undefined;
  /** The place behind the last change that it was told of. */
  #place = "";
  /** Whether it has read all keys, so that it can go on from its place. */
  #isWhole = false;
  /** How often it asked to go on where it was, and how often it read all keys. */
  resumed = 0;
  reloads = 0;
  #isOver = false;

  constructor(region: Destination, prefix: string) {
    this.region = region;
    this.#prefix = prefix;
  }

  start(): void {
    if (!this.region.isUp) return this.#startLater();
    const socket = openSocket(this.region.url);
    this.#socket = socket;
    socket.once("open", () => {
      const resume = this.#isWhole ? { resume: this.#place } : {};
      send(socket, { id: WATCH_ID, type: "watch", prefix: this.#prefix, ...resume });
    });
    socket.on("message", (data: Buffer) => this.#hear(socket, JSON.parse(data.toString()) as News));
    socket.once("close", () => this.#startLater());
  }

  #startLater(): void {
    setTimeout(() => this.#isOver || this.start(), AGAIN_MS);
  }

  /** Breaks the connection, and comes back. */
  hangUp(): void {
    this.#socket?.terminate();
  }

  stop(): void {
    this.#isOver = true;
    this.#socket?.terminate();
  }

  /** Why it does not know of a key what the region holds, which is the ETag of its value, or nothing; undefined if it does. */
  differs(key: string, held: string | undefined): string | undefined {
    const seen = this.#seen.get(key);
    const known = seen?.isLive === true ? seen.stamp : undefined;
    const stamp = held === undefined ? undefined : stampOf(held);
    if (known === undefined ? stamp === undefined : stamp && compareStamps(known, stamp) === 0) {
      return undefined;
    }
    return `${key} is ${JSON.stringify(stamp)}, and its watch was told ${JSON.stringify(seen)}`;
  }

  #hear(socket: WebSocket, news: News): void {
    if (news.id !== WATCH_ID) return this.#readPage(socket, news);
    switch (news.type) {
      case "changes":
        for (const { event, key, etag } of news.changes) {
          this.#see(key, { stamp: stampOf(etag), isLive: event === "set" });
        }
        this.#place = news.resume;
        return;
      case "result":
        if (this.#isWhole) this.resumed += 1;
        else this.#readAll(socket, news.result?.resume ?? "");
        return;
      case "reload":
        return this.#readAll(socket, news.resume);
      case "error":
        // The region cannot serve it now.
        this.hangUp();
    }
  }

  #readAll(socket: WebSocket, place: string): void {
    this.reloads += 1;
    this.#place = place;
    this.#isWhole = false;
    this.#seen.clear();
    this.#askPage(socket, WATCH_ID + 1, "");
  }

  #askPage(socket: WebSocket, id: number, after: string): void {
    send(socket, { id, type: "entries", prefix: this.#prefix, after, limit: PAGE_KEYS });
  }

  #readPage(socket: WebSocket, { id, result }: News): void {
    if (result === undefined) return this.hangUp();
    const { keys = [], next = null } = result;
    for (const { key, etag } of keys) this.#see(key, { stamp: stampOf(etag), isLive: true });
    if (next === null) this.#isWhole = true;
    else this.#askPage(socket, Number(id) + 1, next);
  }

  /** A page may be older than a change that has come before it. */
  #see(key: string, seen: Seen): void {
    const before = this.#seen.get(key);
    if (before === undefined || compareStamps(before.stamp, seen.stamp) <= 0) {
      this.#seen.set(key, seen);
    }
  }
}

interface News {
  readonly id: unknown;
  readonly type: "result" | "changes" | "reload" | "error";
  readonly changes: readonly {
    readonly event: string;
    readonly key: string;
    readonly etag: string;
  }[];
  readonly resume: string;
  readonly result?: {
    readonly resume?: string;
    readonly keys?: readonly { readonly key: string; readonly etag: string }[];
    readonly next?: string | null;
  };
}

function stampOf(etag: string): Stamp {
  return parseStamp(etag.slice(1, -1));
}

function send(socket: WebSocket, message: Told): void {
  socket.send(JSON.stringify(message));
}
