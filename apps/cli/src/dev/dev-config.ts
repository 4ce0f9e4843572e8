/** Reads which cluster `meridian dev` runs, from flags or from a cluster file. */
import { resolve } from "node:path";

import { portOf, readClusterFile, type ClusterFile } from "@meridian/cluster-file";
import { DIRECTORY_PLACES, PLACES, type Place } from "@meridian/local-cluster";
import { checkIdentifier, MeridianError, parseCoordinates } from "@meridian/protocol";

import type { LogKind } from "./dev-log.ts";

/** How many regions there are by default. */
const REGIONS_DEFAULT = 5;

/** A directory to run. */
interface DirectoryConfig {
  readonly id: string;
  /** Where maps show it; undefined for nowhere. */
  readonly place: Omit<Place, "id"> | undefined;
  /** Undefined for the next port after that of the first directory. */
  readonly port: number | undefined;
}

/** A region to run. Without a port it gets the next port after the directories' ports. */
interface RegionConfig extends Place {
  readonly port: number | undefined;
}

/** The cluster to run. */
export interface DevConfig {
  /** In order of preference, at least one. If the first has no port, it gets the default port, or the first of the next free block. */
  readonly directories: readonly DirectoryConfig[];
  /** At least one. Ids are unique among regions and directories. */
  readonly regions: readonly RegionConfig[];
  /** The absolute path of the cluster file, from which the programs read their other options. */
  readonly clusterFile: string | undefined;
  readonly log: LogKind;
}

/** The flags that describe the cluster. */
export interface DevFlags {
  readonly config?: string | undefined;
  /** How many directories. */
  readonly directories?: string | undefined;
  /** How many regions, at the first of the known places. */
  readonly regions?: string | undefined;
  /** Each is `id=lat,lon`. */
  readonly region?: readonly string[] | undefined;
  readonly port?: string | undefined;
  readonly log?: LogKind | undefined;
}

const DIRECTORIES_MAX = 5;

/** Reads flags and cluster file. Throws `INVALID_CONFIG`; its message names the flag or the path in the file, what was expected and what came. */
export function readDevConfig(flags: DevFlags): DevConfig {
  const firstPort = flags.port === undefined ? undefined : readPort("--port", Number(flags.port));
  if (flags.config !== undefined) {
    const { directories, regions, region, log } = flags;
    if ([directories, regions, region, log].some((flag) => flag !== undefined)) {
      throw invalid(
        "Expected `--config`, or `--directories`, `--region`, `--regions` and `--log`, got both",
      );
    }
    return configOf(readClusterFile(flags.config), resolve(flags.config), firstPort);
  }
  if (flags.region !== undefined && flags.regions !== undefined) {
    throw invalid("Expected `--region` or `--regions`, got both");
  }
  const { log = "sqlite" } = flags;
  // With a stream, one directory writes, and both serve.
  const directories = countedDirectories(flags.directories, log === "nats" ? 2 : 1, firstPort);
  const regions = flags.region?.map(readRegionFlag) ?? firstPlaces(flags.regions);
  return { directories, regions: checkIds(directories, regions), clusterFile: undefined, log };
}

/**
 * The cluster of a file, on this machine. The ports are those of the file. If two entries of the file have the same port, or `firstPort` is given,
 * the programs get successive ports instead.
 */
function configOf(file: ClusterFile, path: string, firstPort: number | undefined): DevConfig {
  checkLogs(file, path);
  const ports = [...file.directories, ...file.regions].flatMap((entry) => portOf(entry) ?? []);
  const kept = firstPort === undefined && new Set(ports).size === ports.length;
  return {
    directories: file.directories.map((entry, index) => ({
      id: entry.id,
      place: placeOf(entry),
      port: kept ? portOf(entry) : index === 0 ? firstPort : undefined,
    })),
    regions: file.regions.map((entry) => {
      const { id, lat, lon } = entry;
      return { id, lat, lon, port: kept ? portOf(entry) : undefined };
    }),
    clusterFile: path,
    log: "sqlite",
  };
}

/** Throws if a directory of this machine would write the log of a cluster elsewhere. */
function checkLogs({ directories }: ClusterFile, path: string): void {
  for (const { id, log } of directories) {
    if (log === undefined || LOCAL_LOG.test(log)) continue;
    throw invalid(
      `Expected a cluster file whose log is on this machine, got the directory \`${id}\` of ${path} with the log at ${log}: run here, it would become a writer of that log. Leave \`log\` out, or run \`--log nats\` without the file`,
    );
  }
}

const LOCAL_LOG =
  /^(nats|tls):\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?(,(localhost|127(\.\d+){3}|\[::1\])(:\d+)?)*\/?$/i;

/** The place of a directory in a cluster file, which gives both numbers or none. */
function placeOf({ lat, lon }: ClusterFile["directories"][number]): DirectoryConfig["place"] {
  return lat === undefined || lon === undefined ? undefined : { lat, lon };
}

function countedDirectories(
  count: string | undefined,
  byDefault: number,
  firstPort: number | undefined,
): readonly DirectoryConfig[] {
  const wanted = count === undefined ? byDefault : Number(count);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > DIRECTORIES_MAX) {
    throw invalid(
      `Expected \`--directories\` from 1 to ${DIRECTORIES_MAX}, got \`${count ?? ""}\``,
    );
  }
  return Array.from({ length: wanted }, (_, index) =>
    index === 0
      ? { id: "directory", port: firstPort, place: DIRECTORY_PLACES[index] }
      : { id: `directory-${index + 1}`, port: undefined, place: DIRECTORY_PLACES[index] },
  );
}

function readRegionFlag(text: string): RegionConfig {
  const match = /^([^=]+)=([^,]+),([^,]+)$/.exec(text);
  if (match === null) {
    throw invalid(
      `Expected \`--region\` as \`id=lat,lon\`, such as \`oslo=59.91,10.75\`, got \`${text}\``,
    );
  }
  const [, id = "", lat, lon] = match;
  try {
    checkIdentifier("a region id", id);
    return { id, ...parseCoordinates(lat, lon), port: undefined };
  } catch (cause) {
    throw invalid(`\`--region ${text}\`: ${messageOf(cause)}`, cause);
  }
}

function firstPlaces(count: string | undefined): readonly RegionConfig[] {
  const wanted = count === undefined ? REGIONS_DEFAULT : Number(count);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > PLACES.length) {
    throw invalid(
      `Expected \`--regions\` from 1 to ${PLACES.length} (more with \`--region\` or \`--config\`), got \`${count ?? ""}\``,
    );
  }
  return PLACES.slice(0, wanted).map((place) => ({ ...place, port: undefined }));
}

function checkIds(
  directories: readonly DirectoryConfig[],
  regions: readonly RegionConfig[],
): readonly RegionConfig[] {
  const ids = new Set(directories.map(({ id }) => id));
  for (const { id } of regions) {
    if (ids.has(id))
      throw invalid(`Expected \`--region\` with ids of their own, got \`${id}\` twice`);
    ids.add(id);
  }
  return regions;
}

function readPort(path: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535) {
    return value;
  }
  throw invalid(`Expected \`${path}\` to be a port from 1 to 65535, got ${shown(value)}`);
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : `\`${JSON.stringify(value)}\``;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function invalid(message: string, cause?: unknown): MeridianError {
  return new MeridianError("INVALID_CONFIG", message, { cause });
}
