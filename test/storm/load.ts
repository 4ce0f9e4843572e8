/** A stream of sets and deletes to every region, whatever happens to them. */
import type { Random } from "@meridian/runtime";

import { HttpConnection } from "../bench/http-connection.ts";
import type { Region } from "../support/cluster.ts";
import { within } from "../support/until.ts";
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
  #stopped = false;

  constructor(oracle: Oracle, random: Random) {
    this.#oracle = oracle;
    this.#random = random;
  }

  /** Begins to write `rate` times a second, over all regions. */
  start(regions: readonly Region[], rate: number): void {
    const everyMs = (1_000 * regions.length * CLIENTS) / rate;
    for (const region of regions) {
      for (let client = 0; client < CLIENTS; client += 1) {
        this.#clients.push(this.#write(region, everyMs));
      }
    }
  }

  /** Resolves once no request is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #write(region: Region, everyMs: number): Promise<void> {
    let connection: HttpConnection | undefined;
    let dueMs = performance.now() + this.#random.next() * everyMs;
    while (!this.#stopped) {
      await pause(dueMs - performance.now());
      dueMs = Math.max(dueMs, performance.now() - LATE_MS_MAX) + everyMs;
      try {
        connection ??= await within("a connection", HttpConnection.open(region.url), PATIENCE_MS);
      } catch {
        await pause(PAUSE_MS);
        continue;
      }
      if (!(await this.#writeOnce(connection))) {
        connection.close();
        connection = undefined;
        await pause(PAUSE_MS);
      }
    }
    connection?.close();
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
