/** Connects to NATS, and creates the cluster's streams or adopts those that are there. */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";
import {
  JetStreamApiError,
  jetstreamManager,
  type JetStreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";
import {
  connect,
  errors,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";

import { delay } from "./delay.ts";
import { ASK_MS, JetStream, logConnection } from "./jet-stream.ts";
import { authenticatorOf, parseAddress } from "./stream-address.ts";
import { PART_BYTES_MAX } from "./record-packer.ts";
import {
  checkSettings,
  namesOf,
  newSettings,
  snapshotNamesOf,
  type StreamNames,
} from "./stream-settings.ts";

/** Where the stream is, and how a directory may use it. */
export interface ConnectOptions {
  readonly cluster: string;
  /** Such as `nats://host:4222,other:4222`. */
  readonly address: string;
  /** A file with credentials of NATS; null without. */
  readonly credentials: string | null;
  /** The domain of JetStream that has the stream; null for that of the servers. */
  readonly domain?: string | null | undefined;
  /** How many replicas the stream has to have at least; null for those that it has, or those that a new one can have, at most three. */
  readonly replicas: number | null;
  /** With TLS: the files with the authorities that are trusted, and with what is shown. Null for the authorities of Node.js, and to show nothing. */
  readonly tls: {
    readonly caFile: string | null;
    readonly certFile: string | null;
    readonly keyFile: string | null;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long servers that are just starting are waited for, in milliseconds. */
  readonly patienceMs?: number | undefined;
}

/** The streams of a cluster. To close `stream` closes both. */
export interface Streams {
  readonly stream: JetStream;
  readonly snapshots: JetStream;
}

const PATIENCE_MS = 10_000;

const STEP_MS = 250;

/** The first version that the tests run with. */
const VERSION_MIN = [2, 9] as const;

/** What a message has besides its data. */
const HEADERS_BYTES = 4_096;

/** Codes of JetStream that say that something is not as this directory needs it, and that waiting does not help. */
const CODES = {
  notFound: 10_059,
  notForAccount: 10_039,
  notClustered: 10_074,
  noPeers: 10_005,
  nameInUse: 10_058,
  overlaps: 10_065,
  noStorage: 10_047,
};

/** Rejects with `INVALID_CONFIG` if the stream cannot be used as it is, and with `STORE_FAILED` if it cannot be reached. */
export async function connectStreams(options: ConnectOptions): Promise<Streams> {
  const { clock, patienceMs = PATIENCE_MS } = options;
  const connecting = connectionOptions(options);
  for (const beganAtMs = clock.elapsedMs(); ;) {
    try {
      return await connectOnce(options, connecting);
    } catch (failure) {
      const isFinal = asMeridianError(failure).code !== "STORE_FAILED";
      if (isFinal || clock.elapsedMs() - beganAtMs >= patienceMs) throw failure;
    }
    await delay(clock, STEP_MS);
  }
}

async function connectOnce(
  options: ConnectOptions,
  connecting: NodeConnectionOptions,
): Promise<Streams> {
  const { address, cluster, logger } = options;
  const domain = options.domain ?? undefined;
  const connection = await connect(connecting).catch((cause: unknown) => {
    throw refusal(address, cause);
  });
  try {
    checkServer(connection);
    const manager = await jetstreamManager(connection, {
      ...(domain !== undefined && { domain }),
      checkAPI: false,
      timeout: ASK_MS,
    });
    const open = async (names: StreamNames): Promise<JetStream> => {
      const config = await settingsOf(manager, names, options, connection);
      checkSettings(config, names, options.replicas);
      const { stream } = names;
      logger.info("a stream is ready", { stream, replicas: config.num_replicas });
      return new JetStream({ connection, manager, names, domain });
    };
    const stream = await open(namesOf(cluster));
    const snapshots = await open(snapshotNamesOf(cluster));
    void logConnection(connection, logger);
    return { stream, snapshots };
  } catch (failure) {
    await connection.close();
    throw failure;
  }
}

function connectionOptions({
  cluster,
  address,
  credentials,
  tls,
}: ConnectOptions): NodeConnectionOptions {
  const { servers, tls: isTls } = parseAddress(address);
  const { caFile, certFile, keyFile } = tls;
  return {
    servers: [...servers],
    name: `meridian-directory of ${cluster}`,
    timeout: ASK_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: STEP_MS,
    // A server whose machine is gone is found out within ten seconds.
    pingInterval: 5_000,
    maxPingOut: 2,
    // Credentials are read again for each connection, so those that were refused may be replaced.
    ignoreAuthErrorAbort: true,
    ...(credentials !== null && { authenticator: authenticatorOf(credentials) }),
    // The files, too, are read for each connection.
    ...(isTls && {
      tls: {
        ...(caFile !== null && { caFile }),
        ...(certFile !== null && keyFile !== null && { certFile, keyFile }),
      },
    }),
  };
}

function checkServer({ info }: NatsConnection): void {
  const { version = "0", max_payload: payloadMax = 0 } = info ?? {};
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    const said = `Expected a nats-server of version ${VERSION_MIN.join(".")} or later, got ${version}`;
    throw new MeridianError("INVALID_CONFIG", said);
  }
  if (payloadMax >= PART_BYTES_MAX + HEADERS_BYTES) return;
  const said = `Expected NATS to take messages of ${PART_BYTES_MAX + HEADERS_BYTES} bytes, got a \`max_payload\` of ${payloadMax}`;
  throw new MeridianError("INVALID_CONFIG", said);
}

/** The settings of the stream, which is created if there is none. */
async function settingsOf(
  manager: JetStreamManager,
  names: StreamNames,
  { replicas, address }: ConnectOptions,
  { info }: NatsConnection,
): Promise<StreamConfig> {
  try {
    return (await manager.streams.info(names.stream)).config;
  } catch (cause) {
    if (codeOf(cause) !== CODES.notFound) throw refusal(address, cause, info?.jetstream === true);
  }
  const wanted = replicas ?? (info?.cluster === undefined ? 1 : 3);
  try {
    return (await manager.streams.add(newSettings(names, wanted))).config;
  } catch (cause) {
    throw refusal(address, cause, info?.jetstream === true, wanted);
  }
}

/** The code of JetStream; 0 if the failure has none. */
function codeOf(cause: unknown): number {
  return cause instanceof JetStreamApiError ? cause.code : 0;
}

/** Why the stream cannot be had, in words that say what to do. */
function refusal(
  address: string,
  cause: unknown,
  hasJetStream = true,
  replicas?: number,
): MeridianError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const invalid = (said: string): MeridianError =>
    new MeridianError("INVALID_CONFIG", said, { cause });
  if (cause instanceof MeridianError) return cause;
  const refused = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  if (cause instanceof errors.AuthorizationError || refused instanceof errors.AuthorizationError) {
    return invalid(`NATS at ${address} refuses the credentials: ${why}`);
  }
  if (refused instanceof errors.PermissionViolationError) {
    return invalid(`NATS at ${address} does not let this user use JetStream: ${why}`);
  }
  switch (codeOf(cause)) {
    case CODES.notForAccount:
      return invalid(`NATS at ${address} has JetStream not enabled for this account`);
    case CODES.notClustered:
      return invalid(
        `Expected ${replicas} replicas of the stream, but NATS at ${address} is one server alone`,
      );
    case CODES.overlaps:
    case CODES.nameInUse:
      return invalid(
        `The stream cannot be created beside the others of NATS at ${address}: ${why}`,
      );
    case CODES.noStorage:
      return failed(
        `NATS at ${address} has no room for the stream: free its disk, or raise \`max_file\` in its \`jetstream\` block, and start it again (${why})`,
        cause,
      );
    case CODES.noPeers:
      return failed(
        `NATS at ${address} has not enough servers for ${replicas} replicas: ${why}`,
        cause,
      );
    default:
      return failed(
        hasJetStream
          ? `The stream at ${address} cannot be reached: ${why}`
          : `NATS at ${address} does not have JetStream enabled, or no leader for it: ${why}`,
        cause,
      );
  }
}

function failed(said: string, cause: unknown): MeridianError {
  return new MeridianError("STORE_FAILED", said, { cause });
}
