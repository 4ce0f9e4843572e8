/** The parts of a regional node, put together. */
import {
  OriginPolicy,
  refusalOf,
  RequestLimit,
  type AllowedOrigins,
  type AnswerStyle,
  type HttpHandlers,
  type PageQuery,
  type RoutedApp,
} from "@meridian/http";
import type { Dial } from "@meridian/ports";
import type { MeridianError, NodeStatus } from "@meridian/protocol";
import {
  admissionOf,
  digestAll,
  digestPage,
  Replica,
  type Admission,
  type NodeIdentity,
} from "@meridian/replication";
import type { Clock, Gauge, Logger, Random } from "@meridian/runtime";
import type { SqliteReplicaStore } from "@meridian/store";
import { LINK_BYTES_MAX } from "@meridian/transport";

import { AdmissionGate } from "./service/admission-gate.ts";
import { DirectoryFinder } from "./directory-finder.ts";
import { entryPageOf } from "./service/entry-page.ts";
import { answerStyle } from "./listeners/http/answers.ts";
import type { NodeFacts } from "./listeners/http/node-routes.ts";
import { regionApp } from "./listeners/http/region-app.ts";
import { regionListener } from "./listeners/http/region-listener.ts";
import { Memory } from "./service/memory.ts";
import { LoadMeter } from "./node-load.ts";
import type { NodeReport } from "./node-status.ts";
import { RegionService } from "./service/region-service.ts";
import { programVersion } from "./version.ts";

/** What a node is made of. */
export interface RegionNodeOptions {
  readonly node: NodeIdentity;
  /** Where the node is reached from this machine. */
  readonly url: string;
  /** Where the node's own pages would come from, which may ask it. */
  readonly ownUrls: readonly string[];
  /** The origins of other web pages that may ask it. */
  readonly allowOrigin: AllowedOrigins;
  readonly store: SqliteReplicaStore;
  /** The URLs of the directories, the preferred one first; `dial` is told which by its place. */
  readonly directories: readonly string[];
  readonly dial: Dial;
  /** Whether writes are taken before any directory has ever admitted the node. */
  readonly standalone: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly valueBytesMax: number;
  readonly ttlMsDefault: number;
  /** See `RegionServiceOptions`. */
  readonly backlogBytesMax?: number;
  /** How full what the node's sockets hold is. */
  readonly socketGauges?: () => readonly Gauge[];
  readonly onStatus?: (status: NodeStatus) => void;
}

/** A regional node without its sockets. */
export class RegionNode {
  readonly service: RegionService;
  readonly app: RoutedApp;
  readonly limit: RequestLimit = new RequestLimit();
  readonly #options: RegionNodeOptions;
  readonly #replica: Replica;
  readonly #memory: Memory;
  readonly #meter: LoadMeter;
  readonly #finder: DirectoryFinder;
  readonly #style: AnswerStyle;
  readonly #startedAtMs: number;
  #digesting: Promise<object> | undefined;

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
    this.#finder = new DirectoryFinder({
      urls: options.directories,
      clock,
      logger,
      isAdmitted: () => this.#admission() !== "never",
    });
    this.service = new RegionService({
      gate: new AdmissionGate({
        nodeId: node.id,
        standalone: options.standalone,
        admission: () => this.#admission(),
        refusal: () => this.#replica.link.refusal,
        found: () => this.#finder.found,
      }),
      nodeId: node.id,
      replica: this.#replica,
      memory: this.#memory,
      store,
      clock,
      valueBytesMax: options.valueBytesMax,
      ttlMsDefault: options.ttlMsDefault,
      backlogBytesMax: options.backlogBytesMax,
    });
    this.#meter = new LoadMeter(this.service, this.#memory, clock, () => this.#gauges());
    const facts: NodeFacts = {
      status: () => this.#report(),
      digest: () => this.#sharedDigest(),
      digestPage: (query) => this.#digestPage(query),
      entryPage: (query) => this.#entryPage(query),
    };
    const origins = new OriginPolicy(options.allowOrigin, options.ownUrls);
    this.#style = answerStyle(this.service, origins);
    this.app = regionApp({ service: this.service, style: this.#style, facts, logger });
  }

  /** Cluster time that a majority of the members has agreed on for a while; undefined where none has. */
  get confirmedNowMs(): number | undefined {
    return this.#replica.confirmedNowMs;
  }

  get status(): NodeStatus {
    return this.#replica.status;
  }

  /** What answers a server's requests. With `appOnly` all of them go through the app. */
  handlers(appOnly: boolean = false): HttpHandlers {
    const { service, app, limit } = this;
    const [style, { clock, logger }] = [this.#style, this.#options];
    return {
      request: regionListener({ service, style, app, limit, clock, logger, appOnly }),
      refuse: (error) => refusalOf(style, error),
    };
  }

  /**
   * The database is damaged. The node serves nobody any more and has the directory say so; what others do not have yet
   * it goes on handing over, as far as it can be read.
   */
  fail(damage: MeridianError): void {
    if (this.service.damage !== undefined) return;
    this.#options.logger.error(
      "the database is damaged; stop this node and delete its data folder, it fills itself again",
      { code: damage.code, why: damage.message },
    );
    this.service.fail(damage);
    this.#replica.drain();
  }

  /** Starts replicating. */
  start(): void {
    this.#replica.start();
    if (!this.#options.standalone) this.#finder.start();
  }

  /**
   * Refuses new requests, has the directory send clients elsewhere, lets the requests under way finish for up to
   * `finishMs`, and stops replicating.
   */
  async stop(finishMs: number): Promise<void> {
    this.#finder.stop();
    this.service.drain();
    this.#replica.drain();
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(finishMs, resolve);
      this.limit.onIdle(() => {
        cancel();
        resolve();
      });
    });
    await this.#replica.stop();
    this.#memory.close();
  }

  #admission(): Admission {
    return admissionOf(this.#options.store, this.#replica.link.refusal?.code ?? null);
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
      damage: this.service.damage?.message ?? null,
      shortage: store.shortage?.message ?? null,
      directory: this.#options.directories[this.#replica.info().directory] ?? null,
      directoriesFound: this.#finder.found,
      replica: this.#replica.info(),
      gauges: this.#gauges(),
      store: store.stats(),
      cache: { ...this.#memory.stats(), reads: this.service.reads() },
      requests: {
        active: this.limit.active,
        perSecond: this.#meter.read().requestsPerSecond,
      },
    };
  }

  #gauges(): readonly Gauge[] {
    const { cacheEntries, cacheBytes, socketGauges } = this.#options;
    const { entries, bytes } = this.#memory.stats();
    return [
      ...(socketGauges?.() ?? []),
      this.limit.gauge(),
      ...this.service.gauges(),
      ...this.#replica.gauges(),
      { name: "linkBytes", now: this.#replica.link.bufferedBytes, max: LINK_BYTES_MAX },
      { name: "cacheEntries", now: entries, max: cacheEntries },
      { name: "cacheBytes", now: bytes, max: cacheBytes },
    ];
  }

  /** One for all who ask while it is taken. */
  #sharedDigest(): Promise<object> {
    this.#digesting ??= this.#digest().finally(() => {
      this.#digesting = undefined;
    });
    return this.#digesting;
  }

  async #digest(): Promise<object> {
    const { store } = this.#options;
    const sequence = this.#replica.info().applied;
    const nowMs = this.#replica.nowMs();
    const digest = await digestAll(store, (callback) => setImmediate(callback), nowMs);
    return { ...digest, sequence };
  }

  async #digestPage({ limit, ...range }: PageQuery): Promise<object> {
    const sequence = this.#replica.info().applied;
    const defer = (callback: () => void): unknown => setImmediate(callback);
    const { store } = this.#options;
    const page = await digestPage(store, range, limit, defer, this.#replica.nowMs());
    return { ...page, horizon: store.horizon, sequence };
  }

  #entryPage(query: PageQuery): object {
    const sequence = this.#replica.info().applied;
    return { ...entryPageOf(this.#options.store, query, this.#replica.nowMs()), sequence };
  }
}
