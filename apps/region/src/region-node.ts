/** The parts of a regional node, put together. */
import type { NodeStatus } from "@meridian/protocol";
import { digestAll, Replica, type Dial, type NodeIdentity } from "@meridian/replication";
import type { Clock, Logger, Random } from "@meridian/runtime";
import type { SqliteReplicaStore } from "@meridian/store";

import type { Answer } from "./http/answers.ts";
import { OriginPolicy, type AllowedOrigins } from "./http/origins.ts";
import { regionApp, type RegionApp } from "./http/region-app.ts";
import { refusalOf, requestListener, type RequestListener } from "./http/request-listener.ts";
import { RequestTracker } from "./http/request-tracker.ts";
import { Memory } from "./memory.ts";
import { LoadMeter } from "./node-load.ts";
import type { NodeReport } from "./node-status.ts";
import { RegionService } from "./region-service.ts";
import { programVersion } from "./version.ts";

/** What a node is made of. */
export interface RegionNodeOptions {
  readonly node: NodeIdentity;
  /** Where the node is reached from this machine. */
  readonly url: string;
  /** The origins of web pages that may write, beside the node's own. */
  readonly allowOrigin: AllowedOrigins;
  readonly store: SqliteReplicaStore;
  /** The URLs of the directories, the preferred one first; `dial` is told which by its place. */
  readonly directories: readonly string[];
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly valueBytesMax: number;
  readonly ttlMsDefault: number;
  /** See `RegionServiceOptions`. */
  readonly backlogBytesMax?: number;
  readonly onStatus?: (status: NodeStatus) => void;
}

/** A regional node without its sockets. */
export class RegionNode {
  readonly service: RegionService;
  readonly app: RegionApp;
  readonly tracker: RequestTracker = new RequestTracker();
  readonly #options: RegionNodeOptions;
  readonly #replica: Replica;
  readonly #memory: Memory;
  readonly #meter: LoadMeter;
  readonly #origins: OriginPolicy;
  readonly #startedAtMs: number;

  constructor(options: RegionNodeOptions) {
    const { node, store, clock, random, logger, dial, onStatus } = options;
    this.#options = options;
    this.#startedAtMs = clock.nowMs();
    this.#replica = new Replica({
      node,
      store,
      dial,
      directories: options.directories.length,
      clock,
      random,
      logger,
      defer: (callback) => setImmediate(callback),
      onChange: (entries) => this.service.follow(entries),
      onForget: (keys) => this.service.forget(keys),
      load: () => this.#meter.read(),
      ...(onStatus && { onStatus }),
    });
    this.#memory = new Memory({
      entriesMax: options.cacheEntries,
      bytesMax: options.cacheBytes,
      nowMs: () => this.#replica.nowMs(),
      clock: {
        nowMs: () => clock.elapsedMs(),
        after: (delayMs, callback) => clock.after(delayMs, callback),
      },
    });
    this.service = new RegionService({
      nodeId: node.id,
      replica: this.#replica,
      memory: this.#memory,
      store,
      valueBytesMax: options.valueBytesMax,
      ttlMsDefault: options.ttlMsDefault,
      backlogBytesMax: options.backlogBytesMax,
    });
    this.#meter = new LoadMeter(this.service, this.#memory, clock);
    const facts = { status: () => this.#report(), digest: () => this.#digest() };
    this.#origins = new OriginPolicy(options.allowOrigin, ownUrls(options));
    this.app = regionApp({ service: this.service, origins: this.#origins, facts, logger });
  }

  /** Cluster time, or undefined while no directory has been heard. */
  get knownNowMs(): number | undefined {
    return this.#replica.knownNowMs;
  }

  get status(): NodeStatus {
    return this.#replica.status;
  }

  /** Answers requests. With `appOnly` all of them go through the app. */
  listener(appOnly: boolean = false): RequestListener {
    const { service, app, tracker } = this;
    const [origins, { logger }] = [this.#origins, this.#options];
    return requestListener({ service, origins, app, tracker, logger, appOnly });
  }

  /** The answer to bytes that are no HTTP request. */
  refuse(cause: NodeJS.ErrnoException): Answer {
    return refusalOf(this.service, cause);
  }

  /** Starts replicating. */
  start(): void {
    this.#replica.start();
  }

  /**
   * Refuses new requests, has the directory send clients elsewhere, lets the requests under way finish for up to
   * `finishMs`, and stops replicating.
   */
  async stop(finishMs: number): Promise<void> {
    this.service.drain();
    this.#replica.drain();
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(finishMs, resolve);
      this.tracker.onIdle(() => {
        cancel();
        resolve();
      });
    });
    await this.#replica.stop();
    this.#memory.close();
  }

  #report(): NodeReport {
    const { node, url, store } = this.#options;
    const { id, region, lat, lon, cluster } = node;
    return {
      id,
      region,
      lat,
      lon,
      url,
      cluster,
      version: programVersion(),
      startedAtMs: this.#startedAtMs,
      nowMs: this.#replica.nowMs(),
      status: this.service.draining ? "draining" : this.#replica.status,
      readyPeers: this.service.peers().map((peer) => peer.id),
      directory: this.#options.directories[this.#replica.info().directory] ?? null,
      replica: this.#replica.info(),
      store: store.stats(),
      cache: { ...this.#memory.stats(), reads: this.service.reads() },
      requests: {
        active: this.tracker.active,
        perSecond: this.#meter.read().requestsPerSecond,
      },
    };
  }

  async #digest(): Promise<object> {
    const { store } = this.#options;
    const sequence = this.#replica.info().applied;
    const digest = await digestAll(store, (callback) => setImmediate(callback));
    return { ...digest, sequence };
  }
}

/** The URLs under which pages of the node itself would be reached. */
function ownUrls({ url, node }: RegionNodeOptions): string[] {
  const { protocol, hostname, port } = new URL(url);
  const isLoopback = /^(127\.|\[::1\]|localhost$)/.test(hostname);
  const hosts = [node.ip?.replace(/^(.*:.*)$/, "[$1]"), isLoopback ? "localhost" : undefined];
  const others = hosts.flatMap((host) =>
    host === undefined ? [] : `${protocol}//${host}:${port}`,
  );
  return [url, ...others, ...(node.url === null ? [] : [node.url])];
}
