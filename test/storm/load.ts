/**
 * A stream of sets and deletes to every region, whatever happens to them. It has one rate for all: what is due is
 * sent by whichever client is free, so that the regions that are there get what those that are not would have got.
 */
import type { Random } from "@meridian/runtime";
import { type Region, within } from "@meridian/harness";

import { HttpConnection } from "../bench/http-connection.ts";
import type { Oracle } from "./oracle.ts";

/** How many clients a region has. */
const CLIENTS = 24;
/** How many keys there are; few enough for regions to overwrite and delete each other's. */
const KEYS = 20_000;
const DELETES = 0.2;
/** A client gives a request up after this, and waits this long before it tries a region again that is gone. */
const PATIENCE_MS = 4_000;
const PAUSE_MS = 50;
/** What could not be sent for longer than this is not made up for: a storm is no test of throughput. */
const LATE_MS_MAX = 1_000;

/** What became of the requests. */
export interface Tally {
  sent: number;
  acknowledged: number;
  deletes: number;
  /** Refused, by status. */
  readonly refused: Map<number, number>;
  /** Without an answer. */
  open: number;
}

/** Writes to regions at a rate until it is stopped. */
export class Load {
  readonly tally: Tally = { sent: 0, acknowledged: 0, deletes: 0, refused: new Map(), open: 0 };
  readonly #oracle: Oracle;
  readonly #random: Random;
  readonly #clients: Promise<void>[] = [];
  /** Regions that nobody is to write to, and how many requests each has under way. */
  readonly #avoided = new Set<Region>();
  readonly #underWay = new Map<Region, number>();
  #everyMs = 0;
  /** When the write that was taken last was due. */
  #dueMs = 0;
  #stopped = false;

  constructor(oracle: Oracle, random: Random) {
    this.#oracle = oracle;
    this.#random = random;
  }

  /** Begins to write `rate` times a second, over all regions. */
  start(regions: readonly Region[], rate: number): void {
    this.#everyMs = 1_000 / rate;
    this.#dueMs = performance.now();
    for (const region of regions) {
      for (let client = 0; client < CLIENTS; client += 1) this.#clients.push(this.#write(region));
    }
  }

  /** Has nobody write to a region until `readmit`; resolves once none of the writes to it is under way. */
  async avoid(region: Region): Promise<void> {
    this.#avoided.add(region);
    while ((this.#underWay.get(region) ?? 0) > 0) await pause(PAUSE_MS);
  }

  readmit(region: Region): void {
    this.#avoided.delete(region);
  }

  /** Resolves once no request is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #write(region: Region): Promise<void> {
    let connection: HttpConnection | undefined;
    while (!this.#stopped) {
      try {
        connection ??= await within("a connection", HttpConnection.open(region.url), PATIENCE_MS);
      } catch {
        await pause(PAUSE_MS);
        continue;
      }
      if (this.#avoided.has(region)) {
        await pause(PAUSE_MS);
        continue;
      }
      await pause(this.#take() - performance.now());
      if (this.#avoided.has(region)) continue;
      this.#count(region, 1);
      const isAnswered = await this.#writeOnce(connection);
      this.#count(region, -1);
      if (isAnswered) continue;
      connection.close();
      connection = undefined;
      await pause(PAUSE_MS);
    }
    connection?.close();
  }

  /** Takes the next write that is due, and returns when that is. */
  #take(): number {
    this.#dueMs = Math.max(this.#dueMs + this.#everyMs, performance.now() - LATE_MS_MAX);
    return this.#dueMs;
  }

  #count(region: Region, change: number): void {
    this.#underWay.set(region, (this.#underWay.get(region) ?? 0) + change);
  }

  /** Returns whether there was an answer. */
  async #writeOnce(connection: HttpConnection): Promise<boolean> {
    const { tally } = this;
    const key = `k${Math.floor(this.#random.next() * KEYS)}`;
    tally.sent += 1;
    const value = this.#random.next() < DELETES ? undefined : `${key}/${tally.sent}`;
    const method = value === undefined ? "DELETE" : "PUT";
    try {
      const answer = connection.send(method, `/cache/${key}`, value ?? "");
      const { status, etag } = await within("an answer", answer, PATIENCE_MS);
      if (status === 200) {
        tally.acknowledged += 1;
        if (value === undefined) tally.deletes += 1;
        this.#oracle.acknowledge(key, value, etag);
      } else {
        tally.refused.set(status, (tally.refused.get(status) ?? 0) + 1);
        // A refusal of the store, unlike one of the request, may come after something was written.
        if (status === 500) this.#oracle.leaveOpen(key, value);
      }
      return true;
    } catch {
      tally.open += 1;
      this.#oracle.leaveOpen(key, value);
      return false;
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
