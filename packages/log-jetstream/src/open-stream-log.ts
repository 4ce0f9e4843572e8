import type { SqliteDirectoryLog, StoreOptions } from "@meridian/store";

import { connectStreams, type ConnectOptions } from "./connect-stream.ts";
import { openOverStream, type OpeningOptions } from "./opening.ts";
import type { RelayWire } from "./relay-wire.ts";
import { SqliteFolder } from "./sqlite-folder.ts";
import type { StreamLog } from "./stream-log.ts";

/** Where the stream of a log is, and how its SQLite log is opened. */
export interface StreamLogOptions
  extends
    Omit<ConnectOptions, "clock" | "logger">,
    Omit<OpeningOptions<SqliteDirectoryLog>, "folder" | "clock" | "logger" | "random" | "rules"> {
  /** How the SQLite log is opened. */
  readonly store: StoreOptions;
  /** Told once how packets get to the other directories of the stream. */
  readonly onConnected?: ((wire: RelayWire) => void) | undefined;
}

/**
 * Opens the log of a directory in a stream of NATS JetStream. While another directory writes it, this waits; so there may be a standby.
 * Rejects with `INVALID_CONFIG` if the stream cannot be used as it is, with `STORE_FAILED` if it cannot be reached, and with what opening the
 * SQLite log throws.
 */
export async function openStreamLog(options: StreamLogOptions): Promise<StreamLog> {
  const { store } = options;
  const { clock, logger, random } = store;
  const streams = await connectStreams({ ...options, clock, logger });
  if (streams.stream.relays !== undefined) options.onConnected?.(streams.stream.relays);
  const folder = new SqliteFolder(store);
  return openOverStream(streams, { ...options, folder, clock, logger, random });
}
