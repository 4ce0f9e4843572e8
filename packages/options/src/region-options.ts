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
    description: "The region it stands in; without it, its id.",
  },
  {
    name: "lat",
    kind: "number",
    min: -90,
    max: 90,
    required: true,
    file: "process",
    requiredInFile: true,
    description: "Its latitude in decimal degrees, north positive.",
  },
  {
    name: "lon",
    kind: "number",
    min: -180,
    max: 180,
    required: true,
    file: "process",
    requiredInFile: true,
    description: "Its longitude in decimal degrees, east positive.",
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
      "The URLs of any regions or directories of the cluster, with commas, instead of `--directory`: asked at each start which directories there are.",
  },
  {
    name: "standalone",
    kind: "switch",
    file: "process",
    description:
      "Takes writes also before any directory has ever admitted the node; they travel once one has.",
  },
  {
    name: "ip",
    kind: "address",
    file: "process",
    description: "The address that clients are told; without it, the one that the directory sees.",
  },
  {
    name: "url",
    kind: "url",
    file: "process",
    description: "The whole URL that clients are told instead of address and port.",
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
    name: "value-bytes-max",
    kind: "integer",
    min: 1,
    max: VALUE_BYTES_MAX as number,
    default: VALUE_BYTES_MAX_DEFAULT as number,
    file: "limits",
    description: "The largest value taken, in bytes.",
  },
  {
    name: "store-bytes-max",
    kind: "integer",
    min: 1_048_576,
    max: 1_125_899_906_842_624,
    file: "limits",
    description:
      "The most bytes that the database takes; without it, as many as the disk has. Near it, sets are refused and deletes are not.",
  },
  {
    name: "ttl-default",
    kind: "duration",
    file: "limits",
    description: "The time to live of writes that name none, such as `90s` or `15m`.",
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
