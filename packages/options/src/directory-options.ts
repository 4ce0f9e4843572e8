import type { GivenOptions, OptionValues } from "./option-row.ts";
import { rowFor } from "./option-row.ts";
import { PROCESS_ROWS } from "./process-options.ts";

const ROWS = [
  {
    name: "id",
    kind: "name",
    what: "an id",
    file: "process",
    requiredInFile: true,
    description: "The id of this directory in the cluster file, which `/status` and maps tell.",
  },
  {
    name: "lat",
    kind: "number",
    min: -90,
    max: 90,
    file: "process",
    description:
      "The directory's latitude in decimal degrees, north positive, for maps; without it and `--lon`, maps do not show the directory.",
  },
  {
    name: "lon",
    kind: "number",
    min: -180,
    max: 180,
    file: "process",
    description: "The directory's longitude in decimal degrees, east positive, for maps.",
  },
  {
    name: "url",
    kind: "base",
    file: "process",
    description:
      "The URL at which regions reach this directory. Directories whose log is in one stream tell each other theirs, so that regions with `--join` find all of them.",
  },
  {
    name: "peer",
    kind: "urls",
    // The file lists all directories.
    file: null,
    description:
      "The URLs of the cluster's other directories, with commas; without it, there are none.",
  },
  {
    name: "lag-max",
    kind: "duration",
    default: "10s",
    file: "limits",
    reloads: "option",
    description: "Nodes that are behind by this or more are not offered to clients.",
  },
  {
    name: "horizon",
    kind: "horizon",
    default: "7d",
    file: "limits",
    description:
      "How long deletes are remembered, 2s or more. A node that was away for longer quarantines the entries that it still has of deleted keys.",
  },
  {
    name: "log",
    kind: "text",
    file: "process",
    description:
      "The NATS servers in whose JetStream the log lies, such as `nats://host:4222,other:4222`, or `tls://…` to use TLS with the files of `--tls-ca`, `--tls-cert` and `--tls-key`; without it, the log lies in the data folder, where `sqlite` takes it back.",
  },
  {
    name: "log-credentials",
    needs: "log",
    kind: "text",
    file: "process",
    reloads: "contents",
    description:
      "A file with the credentials for these servers: a `.creds` file of NATS, a seed of an nkey, `user:password`, or a token.",
  },
  {
    name: "log-domain",
    needs: "log",
    kind: "text",
    file: "process",
    description:
      "The JetStream domain in which the stream of the log lies, if these servers are leaf nodes of others; without it, the stream lies at these servers, or where gateways lead.",
  },
  {
    name: "log-replicas",
    needs: "log",
    kind: "integer",
    min: 1,
    max: 5,
    file: "process",
    description:
      "The replicas that the stream of the log must have at least, and gets if it is created; without it, a new stream has three in a cluster of servers, and one on a server alone.",
  },
  {
    name: "log-snapshot-bytes",
    needs: "log",
    kind: "integer",
    min: 65_536,
    max: 1_099_511_627_776,
    default: 67_108_864,
    file: "process",
    description:
      "By how many bytes the stream of the log grows at least before the directory keeps another snapshot of its database there and trims the stream. It grows by the size of the last snapshot at least.",
  },
] as const;

/** A row of the directory's table. */
export type DirectoryRow = (typeof ROWS)[number] | (typeof PROCESS_ROWS)[number];

/** The options of `meridian-directory`. */
export const DIRECTORY_OPTIONS: readonly DirectoryRow[] = [...ROWS, ...PROCESS_ROWS].map((row) =>
  rowFor(row, "directory"),
);

/** The values of those options. */
export type DirectoryFlags = OptionValues<DirectoryRow>;

/** Values of those options that are given in code. */
export type DirectorySettings = GivenOptions<DirectoryRow>;
