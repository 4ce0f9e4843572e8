import { withClusterFile } from "@meridian/cluster-file";
import { parseHosts, parseOrigins, type AllowedOrigins } from "@meridian/http";
import { checkIdentifier, parseHorizonMs, parseTtlMs, parseUrls } from "@meridian/protocol";
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
    description: "Which directory of the cluster file it is.",
  },
  {
    name: "cluster-file",
    type: "text",
    description:
      "A file that describes the cluster: what is not given here is as it says of `--id`.",
  },
  { name: "host", type: "text", default: "127.0.0.1", description: "The address to listen on." },
  {
    name: "port",
    type: "integer",
    min: 0,
    max: 65_535,
    default: 7400,
    description: "The port to listen on; 0 takes a free one.",
  },
  { name: "data", type: "text", required: true, description: "The folder of its log." },
  {
    name: "cluster",
    type: "parsed",
    placeholder: "name",
    parse: (text: string): string => checkIdentifier("a cluster", text),
    default: "meridian",
    description: "The cluster it serves; nodes of others are refused.",
  },
  {
    name: "peer",
    type: "parsed",
    placeholder: "urls",
    parse: parseUrls,
    description:
      "The URLs of the cluster's other directories, with commas; without it, there are none.",
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
    name: "connections-max",
    type: "integer",
    min: 1,
    max: 1_000_000,
    default: 16_384,
    description: "The most connections of clients and nodes; more are refused.",
  },
  {
    name: "lag-max",
    type: "parsed",
    placeholder: "ttl",
    parse: (text: string): number => parseTtlMs(text),
    default: "10s",
    description: "Nodes that are behind by this or more are not offered to clients.",
  },
  {
    name: "horizon",
    type: "parsed",
    placeholder: "ttl",
    parse: parseHorizonMs,
    default: "7d",
    description:
      "How long deletes are remembered, 2s or more. What a node that was away for longer still has of them is quarantined there.",
  },
  {
    name: "expired-grace",
    type: "parsed",
    placeholder: "ttl",
    parse: (text: string): number => parseTtlMs(text),
    default: "1d",
    description: "How long the values of entries that have expired are still kept on the disk.",
  },
  ...LOG_OPTIONS,
] as const satisfies OptionTable;

/** The flags of the program, for its usage text and its documents. */
export const DIRECTORY_FLAGS: OptionTable = FLAGS;

/** The values of the flags. */
export interface DirectoryFlags extends LogSettings {
  readonly id: string | null;
  /** A path. */
  readonly clusterFile: string | null;
  /** Where it listens; port 0 takes a free one. */
  readonly host: string;
  readonly port: number;
  /** The folder of its log. Created if need be. */
  readonly data: string;
  /** Nodes of another cluster are refused. */
  readonly cluster: string;
  /** The URLs of the cluster's other directories, `http:` or `https:`; null or empty for none. */
  readonly peer: readonly string[] | null;
  /** The origins of web pages that may ask it; null for none. */
  readonly allowOrigin: AllowedOrigins | null;
  /** Host names that it answers to where it listens on a loopback address; null for none. */
  readonly allowHost: readonly string[] | null;
  /** What an acknowledged write survives: the death of the process, or also the loss of power. */
  readonly durability: "process" | "power";
  /** The most connections of clients and nodes; more are refused. */
  readonly connectionsMax: number;
  /** Nodes that are behind by this or more are not offered to clients, in milliseconds. */
  readonly lagMax: number;
  /** How long deletes are remembered, in milliseconds. */
  readonly horizon: number;
  /** How long the values of entries that have expired are still kept, in milliseconds. */
  readonly expiredGrace: number;
}

/** What the command line asks for. */
export type DirectoryCommand =
  | { readonly kind: "run"; readonly values: DirectoryFlags }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

/** Reads the program's flags, their environment twins, and the cluster file. Throws `OptionsError`. */
export function parseDirectoryFlags(sources: OptionSources): DirectoryCommand {
  return parseOptions(FLAGS, withClusterFile("directory", FLAGS, sources));
}
