/** Makes the parts of a regional node and connects them. */
import type { Dial } from "@meridian/ports";
import type { MeridianError, NodeStatus } from "@meridian/protocol";
import type { Described, regionStatus } from "@meridian/protocol/http-api";
import {
  admissionOf,
  Replica,
  type Admission,
  type NodeIdentity,
  type TracedFrame,
} from "@meridian/replication";
import type { Clock, Logger, Metrics, Random } from "@meridian/runtime";
import type { LiveBackup, SqliteReplicaStore } from "@meridian/store";
import type { Revocations } from "@meridian/tokens";
import { LINK_BYTES_MAX } from "@meridian/transport";

import { DirectoryFinder, type DirectoryFinderOptions } from "./directory-finder.ts";
import { DirectoryLearner } from "./directory-learner.ts";
import type { Listener, ServedNode } from "./listeners/listener.ts";
import { LoadMeter } from "./node-load.ts";
import { RequestAdmission } from "./service/admission.ts";
import { ChangeFeed } from "./service/change-feed.ts";
import { Contents } from "./service/contents.ts";
import { EntryReports } from "./service/entry-reports.ts";
import { HeatShare } from "./service/heat-share.ts";
import { Leases } from "./service/leases.ts";
import { packedBytesMaxOf } from "./service/cached-record.ts";
import { Memory, type CachePolicy } from "./service/memory.ts";
import { Reads } from "./service/reads.ts";
import type { RegionService } from "./service/region-service.ts";
import { ScopedEntries } from "./service/scoped-entries.ts";
import { WriteGate } from "./service/write-gate.ts";
import { Watches } from "./service/watches.ts";
import { Writes, type WritesOptions } from "./service/writes.ts";
import { programVersion } from "./version.ts";

/** What a node is made of. */
export interface RegionNodeOptions extends Pick<
  WritesOptions,
  "valueBytesMax" | "ttlMsDefault" | "backlogBytesMax"
> {
  readonly node: NodeIdentity;
  readonly store: SqliteReplicaStore;
  /** The URLs of the directories, the preferred one first. `dial` gets the index of one of them. Those that come are added, if `keepDirectories` is given. */
  readonly directories: string[];
  /** Keeps the directories that are there for the next start. */
  readonly keepDirectories?: ((directories: readonly string[]) => void) | undefined;
  readonly dial: Dial;
  /** The credentials for asking the directories over TLS. */
  readonly credentials: DirectoryFinderOptions["credentials"];
  /** Whether writes are taken before any directory has ever admitted the node. */
  readonly standalone: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Where the parts of the node register their numbers. */
  readonly metrics: Metrics;
  readonly backups: LiveBackup;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly cachePolicy: CachePolicy;
  /** In milliseconds; null for as long as values live. */
  readonly cacheTtl: number | null;
  /** Whether nodes tell each other what their clients read. */
  readonly shareHeat: boolean;
  /** The tokens that are revoked according to the store. The node adds later revocations. */
  readonly revocations: Revocations;
  /** The listeners through which clients reach the node. They listen already. The node reports the URL of the first. */
  readonly listeners: readonly Listener[];
  readonly onStatus?: (status: NodeStatus) => void;
  /** Told of traced writes of others that are durable here. */
  readonly onTraced?: (frame: TracedFrame) => void;
}

/** The statuses in which a node may lack much of what its directory has. */
const BEHIND: ReadonlySet<NodeStatus> = new Set(["joining", "syncing", "standalone"]);

/** A regional node. */
export class RegionNode implements ServedNode {
  readonly service: RegionService;
  readonly contents: Contents;
  readonly metrics: Metrics;
  readonly backups: LiveBackup;
  readonly #options: RegionNodeOptions;
  readonly #replica: Replica;
  readonly #memory: Memory;
  readonly #heat: HeatShare | undefined;
  readonly #changes: ChangeFeed;
  readonly #meter: LoadMeter;
  readonly #finder: DirectoryFinder;
  readonly #learner: DirectoryLearner | undefined;
  readonly #startedAtMs: number;

  constructor(options: RegionNodeOptions) {
    const { node, store, clock, random, logger, dial, onStatus, onTraced } = options;
    this.#options = options;
    this.metrics = options.metrics;
    this.backups = options.backups;
    this.#startedAtMs = clock.nowMs();
    this.#changes = new ChangeFeed({ random, clock, logger, metrics: this.metrics });
    this.#replica = new Replica({
      node,
      store,
      dial,
      directories: options.directories.length,
      clock,
      random,
      logger,
      metrics: this.metrics,
      defer: (callback) => setImmediate(callback),
      onChange: (entries, isNew) => this.#changes.changed(entries, isNew),
      onRestamped: (entries) => this.#changes.restamped(entries),
      load: () => this.#meter.read(),
      ...(options.shareHeat && { onHeat: (keys) => this.#heat?.hear(keys) }),
      ...(onStatus && { onStatus }),
      ...(onTraced && { onTraced }),
    });
    this.#memory = new Memory({
      entriesMax: options.cacheEntries,
      bytesMax: options.cacheBytes,
      packedBytesMax: packedBytesMaxOf(options.cacheBytes),
      policy: options.cachePolicy,
      trustMs: options.cacheTtl ?? Infinity,
      warms: options.shareHeat,
      nowMs: () => this.#replica.nowMs(),
      metrics: this.metrics,
      clock: {
        nowMs: () => clock.elapsedMs(),
        after: (delayMs, callback) => clock.after(delayMs, callback),
      },
    });
    this.#changes.observe(this.#memory);
    const [replica, memory] = [this.#replica, this.#memory];
    const { shareHeat, metrics } = options;
    this.#heat = shareHeat ? new HeatShare({ replica, memory, clock, logger, metrics }) : undefined;
    const { revocations } = options;
    this.#changes.observe({
      changed: (entries) => revocations.take(entries),
      restamped: () => {},
    });
    this.#finder = new DirectoryFinder({
      urls: options.directories,
      credentials: options.credentials,
      clock,
      logger,
      isAdmitted: () => this.#admission() !== "never",
    });
    const { keepDirectories: keep } = options;
    if (keep !== undefined) {
      const { cluster } = node;
      const onNew = (): void => this.#replica.directories.add();
      this.#learner = new DirectoryLearner({ ...options, cluster, onNew, keep });
    }
    this.contents = new Contents(store, this.#replica);
    this.service = this.#makeService();
    this.#meter = new LoadMeter(this.service, this.#memory, clock, () => this.metrics.levels());
    this.metrics.level(() => [
      { name: "linkBytes", now: this.#replica.link.bufferedBytes, max: LINK_BYTES_MAX },
    ]);
  }

  /** Cluster time that a majority of the members has agreed on for a while; undefined where none has. */
  get confirmedNowMs(): number | undefined {
    return this.#replica.confirmedNowMs;
  }

  get directoryUrl(): string | null {
    return this.#options.directories[this.#replica.info().directory] ?? null;
  }

  get status(): NodeStatus {
    return this.#replica.status;
  }

  /** When the node last had all that its directory had, in milliseconds since the Unix epoch; undefined while it is cut off or catches up. */
  get wholeAtMs(): number | undefined {
    const { connected, reconciling, lagMs } = this.#replica.info();
    const isThere = connected && !reconciling && !BEHIND.has(this.status);
    return isThere ? this.#options.clock.nowMs() - lagMs : undefined;
  }

  /**
   * The database is damaged. The node serves no client any more, and reports this to the directory. It goes on sending the writes that the directory
   * lacks, as far as they can be read.
   */
  fail(damage: MeridianError): void {
    if (this.service.admission.damage !== undefined) return;
    this.#options.logger.error(
      "the database is damaged; stop this node and delete its data folder, it fills itself again",
      { code: damage.code, why: damage.message },
    );
    this.service.admission.fail(damage);
    this.#replica.drain();
  }

  /** Starts replicating, and has the listeners answer. */
  start(): void {
    for (const listener of this.#options.listeners) listener.start(this);
    this.#replica.start();
    if (!this.#options.standalone) this.#finder.start();
    this.#learner?.start();
  }

  /**
   * Refuses new requests, makes the directory send clients elsewhere, lets requests under way finish for up to `finishMs`, stops replicating, and
   * cuts the connections.
   */
  async stop(finishMs: number): Promise<void> {
    const { clock, listeners } = this.#options;
    this.#finder.stop();
    this.#learner?.stop();
    this.#heat?.stop();
    this.service.admission.drain();
    this.service.leases.close();
    this.#replica.drain();
    await this.service.watches.close();
    await new Promise<void>((resolve) => {
      const cancel = clock.after(finishMs, resolve);
      void Promise.all(listeners.map((listener) => listener.drain())).then(() => {
        cancel();
        resolve();
      });
    });
    await this.#replica.stop();
    await Promise.all(listeners.map((listener) => listener.stop()));
    await this.backups.stop();
    this.#memory.close();
  }

  #admission(): Admission {
    return admissionOf(this.#options.store, this.#replica.link.refusal?.code ?? null);
  }

  /** The node in numbers, for its operator. */
  report(): Described<typeof regionStatus> {
    const { node, store, listeners } = this.#options;
    const { id, region, lat, lon, cluster } = node;
    return {
      id,
      region,
      lat,
      lon,
      url: listeners[0]?.url ?? "",
      cluster,
      version: programVersion(),
      startedAtMs: this.#startedAtMs,
      nowMs: this.#replica.nowMs(),
      status: this.service.admission.draining ? "draining" : this.#replica.status,
      readyPeers: this.service.admission.otherReady().map(({ id }) => id),
      damage: this.service.admission.damage?.message ?? null,
      shortage: store.shortage?.message ?? null,
      directory: this.directoryUrl,
      directories: this.#learner?.present ?? this.#options.directories,
      directoriesFound: this.#finder.found,
      replica: this.#replica.info(),
      gauges: this.metrics.levels(),
      disk: store.disk(),
      store: store.stats(),
      cache: {
        ...this.#memory.stats(),
        reads: this.service.reads.counts(),
        heat: this.#heat === undefined ? null : { ...this.#heat.stats() },
      },
      requests: {
        active: listeners.reduce((sum, listener) => sum + listener.requests, 0),
        perSecond: this.#meter.read().requestsPerSecond,
      },
    };
  }

  #makeService(): RegionService {
    const { store, standalone, node, revocations } = this.#options;
    const { metrics } = this;
    const [replica, memory] = [this.#replica, this.#memory];
    const gate = new WriteGate({
      nodeId: node.id,
      standalone,
      admission: () => this.#admission(),
      refusal: () => replica.link.refusal,
      shortage: () => store.shortage,
      found: () => this.#finder.found,
    });
    const admission = new RequestAdmission({ nodeId: node.id, replica, gate });
    const reads = new Reads({ replica, memory, store, admission, heat: this.#heat, metrics });
    const writes = new Writes({ ...this.#options, replica, memory, gate, metrics });
    const scoped = new ScopedEntries({ nodeId: node.id, replica, gate, writes });
    const leases = new Leases({ ...this.#options, metrics });
    const nowMs = (): number => replica.nowMs();
    const position = (): string => admission.positionToken();
    const from = { feed: this.#changes, reads, nowMs, position, metrics };
    const watches = new Watches({ ...this.#options, ...from });
    const reports = new EntryReports({ reads, memory, feed: this.#changes, nowMs });
    const more = { scoped, leases, watches, revocations, reports };
    return { nodeId: node.id, admission, reads, writes, ...more, time: replica };
  }
}
