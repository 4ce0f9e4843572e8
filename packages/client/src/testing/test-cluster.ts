import { seededRandom } from "@meridian/runtime";

import { connect, type ConnectOptions } from "../connect.ts";
import type { Fetch } from "../exchange.ts";
import type { MeridianClient } from "../meridian-client.ts";
import { refuseUnknown } from "../options.ts";
import { TestClock } from "./test-clock.ts";
import { TestData } from "./test-data.ts";
import { TestNode } from "./test-node.ts";

/** How a test cluster is made. */
export interface TestClusterOptions {
  /** How many nodes there are, the one to use first. Default 1. */
  readonly nodes?: number | undefined;
}

/** The options of a client of a test cluster: those of `connect`, except the ones that say where to connect. */
export type TestConnectOptions = Omit<
  ConnectOptions,
  "directory" | "location" | "nodes" | "seeds" | "transport" | "fetch" | "clock" | "random"
>;

/**
 * A cluster in memory, for the tests of programs that use a cache: its clients are the real ones, and it needs no network. Its time
 * stands still until `clock.advance`; `nodes` have faults on demand. A write to one node is on all nodes at once.
 */
export class TestCluster {
  readonly clock: TestClock = new TestClock();
  readonly nodes: readonly TestNode[];
  readonly #clients: MeridianClient[] = [];

  constructor(options: TestClusterOptions = {}) {
    refuseUnknown("`TestCluster`", options, ["nodes"]);
    const data = new TestData(this.clock);
    const length = options.nodes ?? 1;
    this.nodes = Array.from({ length }, (_, index) => new TestNode(`node-${index + 1}`, data));
  }

  /** Makes a client of the cluster, which looks like one of a separate process. */
  async connect(options: TestConnectOptions = {}): Promise<MeridianClient> {
    const client = await connect({
      ...options,
      nodes: this.nodes.map(({ url }) => url),
      fetch: this.#fetch,
      clock: this.clock,
      random: seededRandom(1),
    });
    this.#clients.push(client);
    return client;
  }

  /** Closes its clients. */
  close(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }

  readonly #fetch: Fetch = async (url, init) => {
    const { origin, pathname, searchParams } = new URL(url);
    const node = this.nodes.find((one) => one.url === origin);
    if (node === undefined || node.mood === "refused") {
      throw new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } });
    }
    const request = {
      method: init.method ?? "GET",
      path: pathname,
      query: searchParams,
      headers: new Headers(init.headers),
      body: new Uint8Array((init.body as Uint8Array | undefined) ?? []),
    };
    const answer = node.mood === "silent" ? undefined : node.answer(request);
    const isLost = answer === undefined || node.mood === "answers-lost";
    return Promise.race([isLost ? new Promise<never>(() => {}) : answer, abortOf(init.signal)]);
  };
}

function abortOf(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(signal?.reason as Error);
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
