import { withClusterFile } from "@meridian/cluster-file";
import { parseHosts, parseOrigins, type AllowedOrigins } from "@meridian/http";
import {
  checkIdentifier,
  parseTtlMs,
  parseAddress,
  parseUrls,
  parseWebOrigin,
  VALUE_BYTES_MAX,
  VALUE_BYTES_MAX_DEFAULT,
} from "@meridian/protocol";
import {
  LOG_OPTIONS,
  parseOptions,
  type LogSettings,
  type OptionSources,
  type OptionTable,
} from "@meridian/runtime";

const FLAGS = [
  {
    name: "id",
    type: "parsed",
    placeholder: "name",
    parse: (text: string): string => checkIdentifier("an id", text),
    required: true,
    description: "Names the node in its cluster: lower-case letters, digits and hyphens.",
  },
  {
    name: "cluster-file",
    type: "text",
    description:
      "A file that describes the cluster: what is not given here is as it says of `--id`.",
  },
  {
    name: "region",
    type: "parsed",
    placeholder: "name",
    parse: (text: string): string => checkIdentifier("a region", text),
    description: "The region it stands in; without it, its id.",
  },
  {
    name: "lat",
    type: "number",
    min: -90,
    max: 90,
    required: true,
    description: "Its latitude in decimal degrees, north positive.",
  },
  {
    name: "lon",
    type: "number",
    min: -180,
    max: 180,
    required: true,
    description: "Its longitude in decimal degrees, east positive.",
  },
  { name: "host", type: "text", default: "127.0.0.1", description: "The address to listen on." },
  {
    name: "port",
    type: "integer",
    min: 0,
    max: 65_535,
    default: 7401,
    description: "The port to listen on; 0 takes a free one.",
  },
  { name: "data", type: "text", required: true, description: "The folder of its data." },
  {
    name: "directory",
    type: "parsed",
    placeholder: "urls",
    parse: parseUrls,
    default: "http://127.0.0.1:7400",
    description: "The URLs of the directories, with commas, the preferred one first.",
  },
  {
    name: "standalone",
    type: "switch",
    description:
      "Takes writes also before any directory has ever admitted the node; they travel once one has.",
  },
  {
    name: "cluster",
    type: "parsed",
    placeholder: "name",
    parse: (text: string): string => checkIdentifier("a cluster", text),
    default: "meridian",
    description: "The cluster it belongs to.",
  },
  {
    name: "ip",
    type: "parsed",
    placeholder: "address",
    parse: parseAddress,
    description: "The address that clients are told; without it, the one that the directory sees.",
  },
  {
    name: "url",
    type: "parsed",
    placeholder: "url",
    parse: parseWebOrigin,
    description: "The whole URL that clients are told instead of address and port.",
  },
  {
    name: "allow-origin",
    type: "parsed",
    placeholder: "origins",
    parse: parseOrigins,
    description:
      "The origins of web pages that may ask it: a list with commas, or `*`; other pages are refused.",
  },
  {
    name: "allow-host",
    type: "parsed",
    placeholder: "names",
    parse: parseHosts,
    description:
      "Names it answers to, beside addresses and `localhost`, where it listens on a loopback address: those of a proxy, say.",
  },
  {
    name: "durability",
    type: "choice",
    choices: ["process", "power"],
    default: "process",
    description: "What an acknowledged write survives: the death of the process, or a power cut.",
  },
  {
    name: "cache-entries",
    type: "integer",
    min: 1,
    max: 2 ** 26,
    default: 100_000,
    description: "The most entries held in memory.",
  },
  {
    name: "cache-bytes",
    type: "integer",
    min: 1,
    max: 2 ** 40,
    default: 256 * 1024 * 1024,
    description: "The most bytes held in memory.",
  },
  {
    name: "value-bytes-max",
    type: "integer",
    min: 1,
    max: VALUE_BYTES_MAX,
    default: VALUE_BYTES_MAX_DEFAULT,
    description: "The largest value taken, in bytes.",
  },
  {
    name: "store-bytes-max",
    type: "integer",
    min: 1024 * 1024,
    max: 2 ** 50,
    description:
      "The most bytes that the database takes; without it, as many as the disk has. Near it, sets are refused and deletes are not.",
  },
  {
    name: "connections-max",
    type: "integer",
    min: 1,
    max: 1_000_000,
    default: 16_384,
    description: "The most connections of clients; more are refused.",
  },
  {
    name: "ttl-default",
    type: "parsed",
    placeholder: "ttl",
    parse: parseTtlMs,
    description: "The time to live of writes that name none, such as `90s` or `15m`.",
  },
  {
    name: "expired-grace",
    type: "parsed",
    placeholder: "ttl",
    parse: (text: string): number => parseTtlMs(text),
    default: "2h",
    description: "How long the values of entries that have expired are still kept on the disk.",
  },
  ...LOG_OPTIONS,
] as const satisfies OptionTable;

/** The flags of the program, for its usage text and its documents. */
export const REGION_FLAGS: OptionTable = FLAGS;

/** The values of the flags. */
export interface RegionFlags extends LogSettings {
  /** Names the node in its cluster: a DNS label. */
  readonly id: string;
  /** A path. */
  readonly clusterFile: string | null;
  readonly region: string | null;
  /** Decimal degrees. */
  readonly lat: number;
  readonly lon: number;
  /** Where it listens; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** The folder of its data. Created if need be. */
  readonly data: string;
  /** The URLs of the directories, `http:` or `https:`, the preferred one first. At least one. */
  readonly directory: readonly string[];
  /** Whether it takes writes also before any directory has ever admitted it. */
  readonly standalone: boolean;
  readonly cluster: string;
  /** The address that clients are told; null for the one that the directory sees. */
  readonly ip: string | null;
  /** The whole URL that clients are told instead, or null. */
  readonly url: string | null;
  /** The origins of web pages that may ask it; null for none. */
  readonly allowOrigin: AllowedOrigins | null;
  /** Host names that it answers to where it listens on a loopback address; null for none. */
  readonly allowHost: readonly string[] | null;
  /** What an acknowledged write survives: the death of the process, or also the loss of power. */
  readonly durability: "process" | "power";
  /** The most entries and bytes held in memory. */
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  /** The largest value taken, in bytes. */
  readonly valueBytesMax: number;
  /** The most bytes that the database takes; null for as many as the disk has. */
  readonly storeBytesMax: number | null;
  /** The most connections of clients; more are refused. */
  readonly connectionsMax: number;
  /** The time to live of writes that name none, in milliseconds; null for none. */
  readonly ttlDefault: number | null;
  /** How long the values of entries that have expired are still kept, in milliseconds. */
  readonly expiredGrace: number;
}

/** What the command line asks for. */
export type RegionCommand =
  | { readonly kind: "run"; readonly values: RegionFlags }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

/** Reads the program's flags, their environment twins, and the cluster file. Throws `OptionsError`. */
export function parseRegionFlags(sources: OptionSources): RegionCommand {
  return parseOptions(FLAGS, withClusterFile("region", FLAGS, sources));
}
