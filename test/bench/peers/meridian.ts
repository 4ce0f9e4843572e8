/** Meridian as a contender. */
import {
  directoryArguments,
  type NodePrograms,
  placeArguments,
  PLACES,
  Program,
  regionArguments,
  until,
  within,
} from "@meridian/local-cluster";

import { HttpConnection } from "../http-connection.ts";
import { missedKey, missedValue, type WithAbsentee } from "./catch-up-row.ts";
import type { Replicated } from "./replication-row.ts";
import type { Workplace } from "./workplace.ts";

const BATCH = 1_000;
const PATIENCE_MS = 120_000;
const JSON_TYPE = "application/json";
const QUIET = "--log-level=error";

/** Programs that were started together. */
class Programs {
  readonly #started: Program[] = [];

  async start(
    programs: NodePrograms,
    program: keyof NodePrograms,
    args: readonly string[],
  ): Promise<Program> {
    const started = await Program.start({ name: program, program, args, programs });
    this.#started.push(started);
    return started;
  }

  get pids(): readonly number[] {
    return this.#started.filter(({ isRunning }) => isRunning).map(({ pid }) => pid ?? NaN);
  }

  async stop(): Promise<void> {
    for (const program of this.#started.toReversed()) await program.stop();
  }
}

/** Two regions and their directory. The sets go to the first region, the second one is asked. */
export class TwoRegions implements Replicated, WithAbsentee {
  readonly #programs = new Programs();
  readonly #which: NodePrograms;
  readonly #args: readonly string[];
  readonly #folders: readonly string[];
  readonly #writers: HttpConnection[] = [];
  readonly #readers: HttpConnection[] = [];
  #directory = "";
  #first: Program | undefined;
  #last: Program | undefined;

  private constructor(workplace: Workplace, programs: NodePrograms, args: readonly string[]) {
    this.#args = args;
    this.#which = programs;
    this.#folders = ["directory", "first", "last"].map((name) => workplace.folder(name));
  }

  /** Starts all, the regions with further options. Resolves once both regions are ready. */
  static async start(
    workplace: Workplace,
    programs: NodePrograms,
    options: readonly string[] = [],
  ): Promise<TwoRegions> {
    const cluster = new TwoRegions(workplace, programs, options);
    const [folder = ""] = cluster.#folders;
    const args = [...placeArguments("127.0.0.1", 0, folder), ...directoryArguments([]), QUIET];
    const directory = await cluster.#programs.start(programs, "directory", args);
    cluster.#directory = directory.url;
    cluster.#first = await cluster.#startRegion(0);
    cluster.#last = await cluster.#startRegion(1);
    return cluster;
  }

  get pids(): readonly number[] {
    return this.#programs.pids;
  }

  /** The region that is written to. */
  get first(): Program {
    if (this.#first === undefined) throw new Error("Expected a region");
    return this.#first;
  }

  async set(key: string, value: string): Promise<void> {
    const connection = await openOne(this.#writers.shift(), this.first);
    const status = await connection.put(`/cache/${key}`, value);
    if (status !== 200) throw new Error(`Expected 200, got ${status}`);
    this.#writers.push(connection);
  }

  async read(reader: number, key: string): Promise<string | undefined> {
    if (this.#last === undefined) throw new Error("Expected a region");
    const connection = await openOne(this.#readers[reader], this.#last);
    this.#readers[reader] = connection;
    const { status, body } = await connection.get(`/cache/${key}`);
    return status === 200 ? body : undefined;
  }

  async leave(): Promise<void> {
    for (const connection of this.#readers.splice(0)) connection.close();
    await this.#last?.stop();
  }

  async write(count: number, mark: string, first = 0): Promise<void> {
    const connection = await HttpConnection.open(this.first.url);
    const value = missedValue(mark);
    for (let from = first; from < count; from += BATCH) {
      const length = Math.min(BATCH, count - from);
      const entries = Array.from({ length }, (_, index) => ({
        key: missedKey(from + index),
        value,
      }));
      const body = JSON.stringify({ entries });
      await until("a batch is accepted", async () => {
        const { status } = await connection.send("POST", "/batch/set", body, JSON_TYPE);
        if (status !== 200 && status !== 503) throw new Error(`Expected 200, got ${status}`);
        return status === 200;
      });
    }
    connection.close();
    const urls = [this.#directory, this.first.url];
    if (this.#last?.isRunning === true) urls.push(this.#last.url);
    await until("all hold the same", () => sameDigests(urls), PATIENCE_MS);
  }

  async rejoin(count: number, mark: string): Promise<void> {
    const region = await this.#startRegion(1);
    this.#last = region;
    const connection = await HttpConnection.open(region.url);
    const path = `/cache/${missedKey(count - 1)}`;
    const value = missedValue(mark);
    while ((await connection.get(path)).body !== value) await pause();
    connection.close();
  }

  async stop(): Promise<void> {
    for (const connection of [...this.#readers, ...this.#writers]) connection.close();
    await this.#programs.stop();
  }

  async #startRegion(index: number): Promise<Program> {
    const place = PLACES[index] ?? { id: "", lat: 0, lon: 0 };
    const args = placeArguments("127.0.0.1", 0, this.#folders[index + 1] ?? "");
    const all = [...args, ...regionArguments(place, [this.#directory]), QUIET, ...this.#args];
    const region = await this.#programs.start(this.#which, "region", all);
    const ready = async (): Promise<void> => {
      while (region.status !== "ready") await pause();
    };
    await within("the region is ready", ready(), PATIENCE_MS);
    return region;
  }
}

/** A connection to a region, which closes those that are idle: the given one if it is still open, or else a new one. */
async function openOne(
  connection: HttpConnection | undefined,
  { url }: Program,
): Promise<HttpConnection> {
  return connection?.isOpen === true ? connection : HttpConnection.open(url);
}

/** So short that it hardly lengthens what is timed. */
async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 2));
}

async function sameDigests(urls: readonly string[]): Promise<boolean> {
  const digests = await Promise.all(
    urls.map(async (url) => {
      const { count, fingerprint } = (await (await fetch(`${url}/digest`)).json()) as {
        readonly count: number;
        readonly fingerprint: string;
      };
      return `${count} ${fingerprint}`;
    }),
  );
  return new Set(digests).size === 1;
}
