/** Clients that use a cluster moderately in every way: calls of the SDK, watches over `/watch`, requests and watches over `/ws`. */
import { connect, type MeridianClient } from "@meridian/client";
import { SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import type { Place } from "@meridian/local-cluster";
import type { Random } from "@meridian/runtime";
import { WebSocket } from "ws";

import type { Secrets } from "../support/secrets.ts";

/** What they use. */
export interface TrafficParts {
  readonly secrets: Secrets;
  readonly directories: readonly string[];
  readonly places: readonly Place[];
  /** Calls a second, of all clients together. */
  readonly rate: number;
  readonly random: Random;
}

/** Keys that the clients share. There are never more of them, so that what is stored does not grow. */
const KEYS = 2_000;
const VALUE = "v".repeat(200);
const BATCH = 20;
const PAUSE_MS = 100;
/** Entries of a batch in `fill`. */
const FILL_BATCH = 1_000;
/** How long a client, a watch or a WebSocket lives until another takes its place, in milliseconds. */
const LIFE_MS = 45_000;
/** How long a call may take, in milliseconds: a busy machine is no failure. */
const PATIENCE_MS = 30_000;

/** The clients of a soak. */
export class Traffic {
  /** What calls took, in milliseconds, by what was called. */
  readonly tookMs = new Map<string, number[]>();
  /** Calls that failed. */
  readonly failures: string[] = [];
  changes = 0;
  /** How often anything was opened: clients, watches, WebSockets. */
  opened = 0;
  readonly #parts: TrafficParts;
  readonly #running: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(parts: TrafficParts) {
    this.#parts = parts;
  }

  /**
   * Writes so many entries as fast as they are taken, while every region has a watch: what is bounded in the programs' memory, such as the
   * changes that a region keeps for watches, is full before it is measured. Then writes `frames` more, one after the other.
   */
  async fill(writes: number, frames: number): Promise<void> {
    const clients = await Promise.all(this.#parts.places.map((_, index) => this.#connect(index)));
    const watches = clients.map(async (client) => {
      for await (const _ of client.watch({ prefix: "none" }));
    });
    const [client] = clients;
    for (let done = 0; done < writes; done += FILL_BATCH) {
      const entries = Array.from({ length: FILL_BATCH }, (_, index) => ({
        key: `soak/${(done + index) % KEYS}`,
        value: VALUE,
      }));
      await client?.setMany(entries);
    }
    // Alone, each becomes a frame of its own.
    for (let done = 0; done < frames; done += 1) await client?.set(`soak/${done % KEYS}`, VALUE);
    for (const each of clients) each.close();
    await Promise.allSettled(watches);
  }

  start(): void {
    for (const index of this.#parts.places.keys()) {
      this.#running.push(
        this.#lives(index, (client) => this.#calls(client)),
        this.#lives(index, (client) => this.#watch(client)),
        this.#lives(index, (client) => this.#socket(client)),
      );
    }
  }

  /** Resolves once all have come to their end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  get calls(): number {
    let sum = 0;
    for (const all of this.tookMs.values()) sum += all.length;
    return sum;
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted;
  }

  #connect(index: number): Promise<MeridianClient> {
    const { secrets, directories, places } = this.#parts;
    const { lat, lon } = placeAt(places, index);
    this.opened += 1;
    return connect({
      directory: directories,
      location: { lat, lon },
      token: () => secrets.token,
      fetch: secrets.fetch,
      deadlineMs: PATIENCE_MS,
      attemptMs: PATIENCE_MS / 3,
    });
  }

  /** One life of a client after the other. */
  async #lives(index: number, life: (client: MeridianClient) => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      try {
        const client = await this.#connect(index);
        await life(client);
        client.close();
      } catch (cause) {
        this.failures.push(String(cause));
      }
      await pauseFor(PAUSE_MS);
    }
  }

  /** Calls at a constant rate. */
  async #calls(client: MeridianClient): Promise<void> {
    const { rate, places } = this.#parts;
    const everyMs = (1_000 * places.length) / rate;
    const endMs = performance.now() + LIFE_MS;
    let dueMs = performance.now();
    while (dueMs < endMs && !this.#isOver) {
      await pauseFor(dueMs - performance.now());
      await this.#call(client);
      dueMs = Math.max(dueMs + everyMs, performance.now() - everyMs);
    }
  }

  async #call(client: MeridianClient): Promise<void> {
    const { random } = this.#parts;
    const key = this.#key();
    const keys = [...new Set(Array.from({ length: BATCH }, () => this.#key()))];
    const options = random.next() < 0.2 ? { ttl: "5s" } : {};
    const [name, run] = pick<readonly [string, () => Promise<unknown>]>(random, [
      ["get", () => client.get(key)],
      ["get", () => client.get(key)],
      ["get", () => client.get(key)],
      ["get", () => client.get(key)],
      ["set", () => client.set(key, VALUE, options)],
      ["set", () => client.set(key, VALUE, options)],
      ["set with ack=all", () => client.set(key, VALUE, { ack: "all", timeout: "25s" })],
      ["delete", () => client.delete(key)],
      ["getMany", () => client.getMany(keys)],
      ["setMany", () => client.setMany(keys.map((each) => ({ key: each, value: VALUE })))],
      ["deleteMany", () => client.deleteMany(keys)],
      ["touch", () => client.touch(key, { ttl: "1m" })],
    ]);
    await this.#timed(name, run);
  }

  async #timed(name: string, run: () => Promise<unknown>): Promise<void> {
    const startedMs = performance.now();
    try {
      await run();
    } catch (cause) {
      this.failures.push(`${name}: ${String(cause)}`);
      return;
    }
    this.#took(name, startedMs);
  }

  /** Watches all keys as server-sent events. */
  async #watch(client: MeridianClient): Promise<void> {
    const over = this.#life();
    try {
      for await (const _ of client.watch({ prefix: "soak/", values: true, signal: over })) {
        this.changes += 1;
      }
    } catch (cause) {
      if (!over.aborted) throw cause;
    }
  }

  /** Watches and asks over a WebSocket. A region that stops, or a token that is good no more, only ends it. */
  async #socket({ nodes }: MeridianClient): Promise<void> {
    const { ca, token } = this.#parts.secrets;
    const url = nodes[0]?.url.replace("http", "ws");
    const socket = new WebSocket(`${url}/ws`, [SOCKET_PROTOCOL], { ca });
    this.opened += 1;
    const askedMs: number[] = [];
    const asking = setInterval(() => this.#askOver(socket, askedMs), 1_000);
    const over = this.#life();
    const close = (): void => socket.close();
    over.addEventListener("abort", close);
    socket.on("open", () => {
      socket.send(JSON.stringify({ id: "auth", type: "auth", token }));
      socket.send(JSON.stringify({ id: "watch", type: "watch", prefix: "soak/" }));
    });
    socket.on("message", (data: Buffer) => this.#hear(data, askedMs));
    socket.on("error", (cause) => this.failures.push(`WebSocket: ${String(cause)}`));
    await new Promise((resolve) => void socket.once("close", resolve));
    clearInterval(asking);
  }

  #life(): AbortSignal {
    return AbortSignal.any([AbortSignal.timeout(LIFE_MS), this.#stopping.signal]);
  }

  /** The number of a request is its place in `askedMs`. */
  #askOver(socket: WebSocket, askedMs: number[]): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    const type = this.#parts.random.next() < 0.5 ? "get" : "set";
    const value = type === "set" ? { value: VALUE } : {};
    const id = askedMs.push(performance.now()) - 1;
    socket.send(JSON.stringify({ id, type, key: this.#key(), ...value }));
  }

  /** A key that is not there is as good an answer as any. */
  #hear(data: Buffer, askedMs: readonly number[]): void {
    const { type, id, error } = JSON.parse(String(data)) as {
      readonly type: string;
      readonly id: unknown;
      readonly error?: { readonly code: string };
    };
    if (type === "changes") this.changes += 1;
    if (error !== undefined && error.code !== "KEY_NOT_FOUND") {
      this.failures.push(`WebSocket: ${error.code}`);
    }
    if (typeof id === "number") this.#took("over a WebSocket", askedMs[id] ?? NaN);
  }

  #took(name: string, startedMs: number): void {
    const took = this.tookMs.get(name) ?? [];
    this.tookMs.set(name, took);
    took.push(performance.now() - startedMs);
  }

  #key(): string {
    return `soak/${Math.floor(this.#parts.random.next() * KEYS)}`;
  }
}

function placeAt(places: readonly Place[], index: number): Place {
  const place = places[index];
  if (place === undefined) throw new Error(`Expected a place ${index}, got none`);
  return place;
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[Math.floor(random.next() * values.length)];
  if (value === undefined) throw new Error("Expected something to pick from, got nothing");
  return value;
}

function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
