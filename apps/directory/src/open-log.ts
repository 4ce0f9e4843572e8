import type {
  FollowedLog,
  RelayHostEvents,
  RelayWire,
  SnapshotNews,
  StandbyServer,
} from "@meridian/log-jetstream";
import type { DirectoryLog } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import { openDirectoryLog, type SqliteDirectoryLog, type StoreOptions } from "@meridian/store";
import type { DirectoryFlags } from "@meridian/options";

/** An open log, wherever it lies. */
export interface OpenLog {
  /** What the directory writes to. */
  readonly log: DirectoryLog;
  /** The database with the log, or with what is made from it. Only `log` writes it. */
  readonly state: SqliteDirectoryLog;
  /** How the keeping of snapshots in a stream goes; null without a stream. */
  snapshots(): SnapshotNews | null;
  /** Takes in the links of nodes that other directories of the stream serve. Returns what ends it. */
  takeLinks(events: RelayHostEvents): () => void;
  /** Finishes what was appended, then lets go of the files. */
  close(): Promise<void>;
}

/** Where the log lies. */
export interface LogPlace extends Pick<
  DirectoryFlags,
  | "log"
  | "logCredentials"
  | "logDomain"
  | "logReplicas"
  | "logSnapshotBytes"
  | "cluster"
  | "tlsCa"
  | "tlsCert"
  | "tlsKey"
> {
  readonly store: StoreOptions;
  /** Called once when nothing can be made durable any more. */
  readonly onLost: (failure: MeridianError) => void;
  /** Called once if another directory writes the log, so that this one waits. */
  readonly onStandby?: (() => void) | undefined;
  /** Told once how packets get to the other directories of the stream. */
  readonly onConnected?: ((wire: RelayWire) => void) | undefined;
  /** Begins to serve nodes while another directory writes the log. */
  readonly serveBeside?: ((log: FollowedLog) => Promise<StandbyServer>) | undefined;
  /** Called while the stream gives no answer and another directory may write it: nodes are better off there. */
  readonly onCutOff?: ((why: MeridianError) => void) | undefined;
}

/** Where the log lies, as `--log` says it, if it is to lie in the data folder even though it was in a stream. */
export const IN_FOLDER = "sqlite";

/** Whether the log lies in a stream. */
export function isInStream({ log }: Pick<LogPlace, "log">): boolean {
  return log !== null && log !== IN_FOLDER;
}

/** Opens the log. In a stream, this waits while another directory writes it. */
export async function openLog(place: LogPlace): Promise<OpenLog> {
  const { log: address, logCredentials, cluster, store, ...listeners } = place;
  const { onLost, onStandby, onConnected, serveBeside, onCutOff } = listeners;
  if (address === null || address === IN_FOLDER) return openInFolder(store, address !== null);
  // Only who uses NATS pays for loading it.
  const { openStreamLog } = await import("@meridian/log-jetstream");
  const log = await openStreamLog({
    cluster,
    address,
    credentials: logCredentials,
    domain: place.logDomain,
    replicas: place.logReplicas,
    snapshotBytes: place.logSnapshotBytes,
    tls: { caFile: place.tlsCa, certFile: place.tlsCert, keyFile: place.tlsKey },
    store,
    onLost,
    onStandby,
    onConnected,
    serveBeside,
    onCutOff,
  });
  const { state } = log;
  return {
    log,
    state,
    snapshots: () => log.snapshots,
    takeLinks: (events) => log.takeLinks(events, store.logger),
    close: () => log.close(),
  };
}

/** Opens a log in the data folder. One that is made from a stream may only go on there alone if it leaves the stream for good. */
async function openInFolder(store: StoreOptions, leaves: boolean): Promise<OpenLog> {
  const state = await openDirectoryLog(store);
  if (state.place !== undefined) {
    if (!leaves) {
      await state.close();
      const said = `${store.path} is made from a stream. Expected \`log\` to name the servers of the stream, or to be \`${IN_FOLDER}\`, to take the log out of the stream for good`;
      throw new MeridianError("INVALID_CONFIG", said);
    }
    await new Promise<void>((resolve, reject) => {
      state.leaveStream((failure) => (failure === undefined ? resolve() : reject(failure)));
    });
    const { committedThrough } = state;
    store.logger.info("the log has left its stream, and lies in the data folder", {
      committedThrough,
    });
  }
  return {
    log: state,
    state,
    snapshots: () => null,
    takeLinks: () => () => {},
    close: () => state.close(),
  };
}
