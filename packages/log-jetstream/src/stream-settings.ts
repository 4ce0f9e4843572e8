/**
 * The settings of the stream. A stream that exists is adopted if its settings lose nothing: the log promises to keep what it has acknowledged, and
 * nobody else may write into it.
 */
import { MeridianError } from "@meridian/protocol";
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from "@nats-io/jetstream";

/** The names of a cluster's stream. */
export interface StreamNames {
  readonly stream: string;
  readonly log: string;
  readonly epoch: string;
  /** Not kept by the stream: directories ask each other on it. */
  readonly writer: string;
  /** Not kept either: the writer says on it that it writes no more. */
  readonly gone: string;
  /** What the names of the subjects begin with on which directories pass on the links of nodes; not kept by the stream either. */
  readonly relay: string;
}

/** The names of the stream of a cluster, whose name is a DNS label. */
export function namesOf(cluster: string): StreamNames {
  const stream = `meridian-${cluster}`;
  return {
    stream,
    log: `${stream}.log`,
    epoch: `${stream}.epoch`,
    writer: `${stream}.writer`,
    gone: `${stream}.gone`,
    relay: `${stream}.relay`,
  };
}

/** The names of the stream with the snapshots of a cluster's log. */
export function snapshotNamesOf(cluster: string): StreamNames {
  const { stream, writer, gone, relay } = namesOf(cluster);
  return {
    stream: `${stream}-snapshots`,
    log: `${stream}.snapshot.part`,
    epoch: `${stream}.snapshot.whole`,
    writer,
    gone,
    relay,
  };
}

/** The settings of a new stream. */
export function newSettings(
  { stream, log, epoch }: StreamNames,
  replicas: number,
): Partial<StreamConfig> & { readonly name: string } {
  return {
    name: stream,
    description: "Of the log of a Meridian cluster. Do not delete or purge messages.",
    subjects: [log, epoch],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // At a limit, the stream is to refuse new messages, and keep the old ones.
    discard: DiscardPolicy.New,
    max_age: 0,
    max_bytes: -1,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    num_replicas: replicas,
  };
}

/** Throws `INVALID_CONFIG` if a stream cannot hold the log, with everything that is wrong. `replicas` is how many were asked for. */
export function checkSettings(
  config: StreamConfig,
  { stream, log, epoch }: StreamNames,
  replicas: number | null,
): void {
  const wrong: string[] = [];
  const expect = (isRight: boolean, what: string, got: unknown): void => {
    if (!isRight) wrong.push(`${what}, got \`${JSON.stringify(got)}\``);
  };
  const { retention, storage, discard } = config;
  // A mirror has none.
  const subjects = (config.subjects as string[] | undefined) ?? [];
  const isOurs = subjects.toSorted().join() === [epoch, log].toSorted().join();
  expect(isOurs, `the subjects \`${log}\` and \`${epoch}\` only`, subjects);
  expect(retention === RetentionPolicy.Limits, "`retention` of `limits`", retention);
  expect(storage === StorageType.File, "`storage` of `file`", storage);
  expect(discard === DiscardPolicy.New, "`discard` of `new`, which loses nothing", discard);
  expect(!(config.max_age > 0), "no `max_age`, which discards messages", config.max_age);
  const perSubject = config.max_msgs_per_subject;
  expect(!(perSubject > 0), "no `max_msgs_per_subject`, which discards messages", perSubject);
  const others = config.mirror ?? config.sources ?? [];
  expect(Object.keys(others).length === 0, "no `mirror` and no `sources`", others);
  expect(config.sealed !== true, "a stream that is not sealed", config.sealed);
  expect(config.no_ack !== true, "a stream that acknowledges", { no_ack: config.no_ack });
  const found = config.num_replicas;
  expect(replicas === null || found >= replicas, `${replicas} replicas or more`, found);
  if (wrong.length === 0) return;
  const said = `The stream \`${stream}\` cannot hold the log. Expected ${wrong.join("; ")}`;
  throw new MeridianError("INVALID_CONFIG", said);
}
