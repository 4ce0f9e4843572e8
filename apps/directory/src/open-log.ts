import type { DirectoryLog } from "@meridian/ports";
import type { MeridianError } from "@meridian/protocol";
import { openDirectoryLog, type SqliteDirectoryLog, type StoreOptions } from "@meridian/store";
import type { DirectoryFlags } from "@meridian/options";

/** An open log, wherever it lies. */
export interface OpenLog {
  /** What the directory writes to. */
  readonly log: DirectoryLog;
  /** The database with the log, or with what is made from it. Only `log` writes it. */
  readonly state: SqliteDirectoryLog;
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
  /** Called while the stream gives no answer and another directory may write it: nodes are better off there. */
  readonly onCutOff?: ((why: MeridianError) => void) | undefined;
}

/** Opens the log. In a stream, this waits while another directory writes it. */
export async function openLog(place: LogPlace): Promise<OpenLog> {
  const { log: address, logCredentials, cluster, store, onLost, onStandby, onCutOff } = place;
  if (address === null) {
    const state = await openDirectoryLog(store);
    return { log: state, state, close: () => state.close() };
  }
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
    onCutOff,
  });
  return { log, state: log.state, close: () => log.close() };
}
