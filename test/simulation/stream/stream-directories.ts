/** The directories of a cluster whose log is in a stream, and the servers of that stream. */
import type { DirectoryLimits } from "@meridian/replication";
import type { Rules } from "@meridian/replication/source/rules";
import { asMeridianError } from "@meridian/protocol";
import type { LogDisk } from "@meridian/testkit";

import type { SimulatedDirectory } from "../cluster.ts";
import type { Network } from "../network.ts";
import type { ClusterParts } from "../parts.ts";
import type { World } from "../world.ts";
import type { FolderDisk } from "./memory-folder.ts";
import { Nats, type NatsFaults } from "./nats.ts";
import { unmadeDisk, type PlacedLog } from "./placed-log.ts";
import type { StoredContents } from "./stored-stream.ts";
import { StreamProcess } from "./stream-process.ts";
import { StreamTruth } from "./stream-truth.ts";

/** What the directories need of their cluster. */
export interface StreamHost {
  readonly world: World;
  readonly network: Network;
  readonly rules: Rules;
  readonly parts: ClusterParts;
  readonly logCommitMs: number;
  limits(): Partial<DirectoryLimits>;
  /** Counts a step of a process. Returns whether it lives on. */
  step(host: string): boolean;
  startDirectory(directory: SimulatedDirectory): void;
  killDirectory(directory: SimulatedDirectory): void;
  report(violation: string): void;
}

/** A directory, its folder, and the process that runs there. */
interface Place {
  readonly directory: SimulatedDirectory;
  folder: FolderDisk;
  process: StreamProcess | undefined;
}

/** What both streams had. */
interface Backup {
  readonly log: StoredContents;
  readonly snapshots: StoredContents;
}

/** How long a supervisor waits at most before it starts a process again. */
const RESTART_MS = 1_000;

/** Directories over a stream. */
export class StreamDirectories {
  readonly nats: Nats;
  readonly truth = new StreamTruth();
  readonly #host: StreamHost;
  readonly #places = new Map<string, Place>();
  #backup: Backup | undefined;
  /** How long nobody may have answered before another directory takes over. */
  silenceMs = 2_000;
  /** By how much the stream grows before a snapshot is kept. */
  snapshotBytes: number;
  /** How often an epoch was begun. */
  takeovers = 0;

  constructor(host: StreamHost, faults: NatsFaults) {
    const { world } = host;
    this.#host = host;
    this.nats = new Nats(world, faults);
    host.parts.stream?.nats?.(this.nats);
    this.snapshotBytes = world.pick([2_000, 8_000, 40_000]);
    this.truth.onViolation = (violation) => host.report(violation);
    this.nats.log.onStored = (message) => {
      if (message.subject === "epoch") this.takeovers += 1;
      this.truth.take(message);
    };
  }

  /** Makes a directory with an empty folder. */
  make(host: string): SimulatedDirectory {
    const place: Place = {
      directory: {
        host,
        machine: { skewMs: 0 },
        get disk(): LogDisk {
          return place.folder.database;
        },
        set disk(disk: LogDisk) {
          place.folder = { database: disk, ownEpoch: undefined };
        },
        backup: undefined,
        process: undefined,
      },
      folder: { database: unmadeDisk(), ownEpoch: undefined },
      process: undefined,
    };
    this.#places.set(host, place);
    return place.directory;
  }

  start(directory: SimulatedDirectory): void {
    const place = this.#placeOf(directory);
    if (place.process !== undefined) return;
    const host = this.#host;
    const { world, network, rules } = host;
    const process = new StreamProcess({
      host: directory.host,
      machine: directory.machine,
      disk: place.folder,
      world,
      network,
      nats: this.nats,
      limits: host.limits(),
      rules,
      parts: host.parts.stream ?? {},
      silenceMs: this.silenceMs,
      snapshotBytes: this.snapshotBytes,
      commitMs: () => host.logCommitMs,
      onOpened: (log) => this.#opened(directory, log),
      onServing: (machine, log) => {
        const { clock } = process;
        directory.process = machine && { machine, log, clock };
      },
      onEnded: (why) => {
        this.#judge(directory, why);
        host.killDirectory(directory);
        world.schedule(world.between(0, RESTART_MS), () => host.startDirectory(directory));
      },
    });
    place.process = process;
    process.start();
  }

  /** For the cluster's `killDirectory`. */
  kill(directory: SimulatedDirectory): void {
    const place = this.#placeOf(directory);
    place.process?.kill();
    place.process = undefined;
  }

  /** Stops a directory in order. It is started again later. */
  stop(directory: SimulatedDirectory, restMs: number): void {
    const { process } = this.#placeOf(directory);
    const host = this.#host;
    const again = (): void => {
      if (this.#placeOf(directory).process !== process) return;
      host.killDirectory(directory);
      host.world.schedule(restMs, () => host.startDirectory(directory));
    };
    if (process === undefined) return;
    void process.stop().then(again);
  }

  /** The process of a directory hangs. It hears nothing meanwhile, and is not heard. */
  hang(directory: SimulatedDirectory, ms: number): void {
    const { process } = this.#placeOf(directory);
    const { network, world } = this.#host;
    if (process === undefined) return;
    process.clock.hang(ms);
    network.cut(directory.host);
    world.schedule(ms, () => network.heal(directory.host));
  }

  /** The folder of a directory is lost. */
  empty(directory: SimulatedDirectory): void {
    directory.disk = unmadeDisk();
  }

  /** Whether a directory writes the log, as far as it knows. */
  isWriter(directory: SimulatedDirectory): boolean {
    return this.#placeOf(directory).process?.isWriter === true;
  }

  /** All faults of the servers are over. */
  mend(): void {
    const { nats } = this;
    nats.faults = { ...nats.faults, lagMs: 0, loss: 0, duplication: 0, deafness: 0, stalls: 0 };
    nats.log.mend();
    nats.snapshots.mend();
  }

  backUp(): void {
    const { log, snapshots } = this.nats;
    this.#backup = { log: log.backUp(), snapshots: snapshots.backUp() };
  }

  /** Puts both streams back to what was backed up. Returns whether they were. */
  restore(): boolean {
    if (this.#backup === undefined) return false;
    const { log, snapshots } = this.nats;
    log.restore(this.#backup.log);
    snapshots.restore(this.#backup.snapshots);
    this.truth.restart(log.history);
    return true;
  }

  #opened(directory: SimulatedDirectory, log: PlacedLog): void {
    log.onStep = () => this.#host.step(directory.host);
  }

  /** Reports an end that no fault explains. */
  #judge({ host }: SimulatedDirectory, why: unknown): void {
    const { code, message } = asMeridianError(why);
    if (code === "STORE_FAILED" || code === "STORE_IN_USE") return;
    this.#host.report(`${host}: ended with ${code}: ${message}`);
  }

  #placeOf(directory: SimulatedDirectory): Place {
    const place = this.#places.get(directory.host);
    if (place === undefined) throw new Error("Expected a directory of this stream");
    return place;
  }
}
