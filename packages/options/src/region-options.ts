import { VALUE_BYTES_MAX, VALUE_BYTES_MAX_DEFAULT } from "@meridian/protocol";

import type { GivenOptions, OptionValues } from "./option-row.ts";
import { rowFor } from "./option-row.ts";
import { PROCESS_ROWS } from "./process-options.ts";

const ROWS = [
  {
    name: "id",
    kind: "name",
    what: "an id",
    required: true,
    file: "process",
    requiredInFile: true,
    description: "Names the node in its cluster: lower-case letters, digits and hyphens.",
  },
  {
    name: "region",
    kind: "name",
    what: "a region",
    file: "process",
    description: "The name of the node's region; without it, the node's id.",
  },
  {
    name: "lat",
    kind: "number",
    min: -90,
    max: 90,
    required: true,
    file: "process",
    requiredInFile: true,
    description: "The node's latitude in decimal degrees, north positive.",
  },
  {
    name: "lon",
    kind: "number",
    min: -180,
    max: 180,
    required: true,
    file: "process",
    requiredInFile: true,
    description: "The node's longitude in decimal degrees, east positive.",
  },
  {
    name: "directory",
    kind: "urls",
    default: "http://127.0.0.1:7400",
    // The file lists all directories.
    file: null,
    description: "The URLs of the directories, with commas, the preferred one first.",
  },
  {
    name: "join",
    kind: "urls",
    // The file lists all directories.
    file: null,
    description:
      "The URLs of any regions or directories of the cluster, with commas, instead of `--directory`: the node asks them for the directories at each start, and learns of new ones while it runs.",
  },
  {
    name: "standalone",
    kind: "switch",
    file: "process",
    description:
      "Accept writes before any directory has ever admitted the node; they are replicated once one has.",
  },
  {
    name: "ip",
    kind: "address",
    file: "process",
    description:
      "The IP address that clients get; without it, the one from which the node connects to the directory.",
  },
  {
    name: "url",
    kind: "url",
    file: "process",
    description: "The whole URL that clients get instead of address and port.",
  },
  {
    name: "cache-entries",
    kind: "integer",
    min: 1,
    max: 67_108_864,
    default: 100_000,
    file: "limits",
    description: "The most entries held in memory.",
  },
  {
    name: "cache-bytes",
    kind: "integer",
    min: 1,
    max: 1_099_511_627_776,
    default: 268_435_456,
    file: "limits",
    description: "The most bytes held in memory.",
  },
  {
    name: "cache-policy",
    kind: "choice",
    choices: ["lru", "adaptive", "due"],
    default: "lru",
    file: "limits",
    description:
      "What leaves memory first: the least recently used entry, one that is seldom used (resists scans), or the one that is due to expire first, then the oldest.",
  },
  {
    name: "cache-ttl",
    kind: "duration",
    file: "limits",
    description:
      "How long memory answers with a value before it asks the store again; without it, as long as the value lives.",
  },
  {
    name: "share-heat",
    kind: "switch",
    file: "limits",
    description:
      "Tell the other nodes about once a second which keys clients read here, and have in memory what clients read there.",
  },
  {
    name: "value-bytes-max",
    kind: "integer",
    min: 1,
    max: VALUE_BYTES_MAX as number,
    default: VALUE_BYTES_MAX_DEFAULT as number,
    file: "limits",
    description: "The largest value that the node accepts, in bytes.",
  },
  {
    name: "store-bytes-max",
    kind: "integer",
    min: 1_048_576,
    max: 1_125_899_906_842_624,
    file: "limits",
    description:
      "The largest size of the database, in bytes; without it, the disk is the limit. Near the limit, sets are refused and deletes are not.",
  },
  {
    name: "ttl-default",
    kind: "duration",
    file: "limits",
    reloads: "option",
    description: "The time to live of writes without one, such as `90s` or `15m`.",
  },
] as const;

/** A row of the region's table. */
export type RegionRow = (typeof ROWS)[number] | (typeof PROCESS_ROWS)[number];

/** The options of `meridian-region`. */
export const REGION_OPTIONS: readonly RegionRow[] = [...ROWS, ...PROCESS_ROWS].map((row) =>
  rowFor(row, "region"),
);

/** The values of those options. */
export type RegionFlags = OptionValues<RegionRow>;

/** Values of those options that are given in code. */
export type RegionSettings = GivenOptions<RegionRow>;
