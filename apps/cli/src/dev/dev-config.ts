/** Which cluster `meridian dev` is to run: from flags, or from a file. */
import { readFileSync } from "node:fs";

import {
  checkCoordinates,
  checkIdentifier,
  MeridianError,
  parseCoordinates,
} from "@meridian/protocol";

import { PLACES, REGIONS_DEFAULT, type Place } from "./places.ts";

/** A region to run. Without a port it gets the directory's plus its place in the list, counted from 1. */
export interface RegionConfig extends Place {
  readonly port: number | undefined;
}

/** The cluster to run. */
export interface DevConfig {
  /** Undefined for the default, or the next block of ports that is free. */
  readonly directoryPort: number | undefined;
  /** At least one; ids are unique. */
  readonly regions: readonly RegionConfig[];
}

/** What the command line says of the cluster. */
export interface DevFlags {
  readonly config?: string | undefined;
  /** How many of the known places. */
  readonly regions?: string | undefined;
  /** `id=lat,lon`, each. */
  readonly region?: readonly string[] | undefined;
  readonly port?: string | undefined;
}

/** Reads flags and file. Throws `INVALID_CONFIG` with the path of what is wrong, what was expected and what came. */
export function readDevConfig(flags: DevFlags): DevConfig {
  const directoryPort =
    flags.port === undefined ? undefined : readPort("--port", Number(flags.port));
  if (flags.config !== undefined) {
    if (flags.regions !== undefined || flags.region !== undefined) {
      throw invalid("Expected `--config` or `--region`/`--regions`, got both");
    }
    const config = parseConfig(readFile(flags.config), flags.config);
    return { ...config, directoryPort: directoryPort ?? config.directoryPort };
  }
  if (flags.region !== undefined && flags.regions !== undefined) {
    throw invalid("Expected `--region` or `--regions`, got both");
  }
  const regions = flags.region?.map(readRegionFlag) ?? firstPlaces(flags.regions);
  return { directoryPort, regions: checkTogether(regions, directoryPort, "--region") };
}

/** Reads the text of a config file. `file` names it in messages. */
export function parseConfig(text: string, file: string): DevConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(`Expected JSON in ${file}: ${messageOf(cause)}`, cause);
  }
  try {
    const { directory, regions } = members(value, "the file", ["directory", "regions"]);
    const { port } = members(directory ?? {}, "`directory`", ["port"]);
    const directoryPort = port === undefined ? undefined : readPort("directory.port", port);
    const read = regions === undefined ? firstPlaces(undefined) : readRegions(regions);
    return { directoryPort, regions: checkTogether(read, directoryPort, "regions") };
  } catch (cause) {
    throw invalid(`${file}: ${messageOf(cause)}`, cause);
  }
}

function readRegions(value: unknown): readonly RegionConfig[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid(`Expected \`regions\` to be a list of at least one region, got ${shown(value)}`);
  }
  return value.map((region: unknown, index) => {
    const path = `regions[${index}]`;
    const { id, lat, lon, port } = members(region, `\`${path}\``, ["id", "lat", "lon", "port"]);
    if (typeof id !== "string")
      throw invalid(`Expected \`${path}.id\` to be a string, got ${shown(id)}`);
    checkIdentifier(`\`${path}.id\``, id);
    const degrees = { lat: readNumber(`${path}.lat`, lat), lon: readNumber(`${path}.lon`, lon) };
    try {
      checkCoordinates(degrees);
    } catch (cause) {
      throw invalid(`\`${path}\`: ${messageOf(cause)}`, cause);
    }
    return {
      id,
      ...degrees,
      port: port === undefined ? undefined : readPort(`${path}.port`, port),
    };
  });
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

function checkTogether(
  regions: readonly RegionConfig[],
  directoryPort: number | undefined,
  where: string,
): readonly RegionConfig[] {
  const ids = new Set<string>(["directory"]);
  const ports = new Set<number>(directoryPort === undefined ? [] : [directoryPort]);
  for (const { id, port } of regions) {
    if (ids.has(id))
      throw invalid(`Expected \`${where}\` with ids of their own, got \`${id}\` twice`);
    ids.add(id);
    if (port === undefined) continue;
    if (ports.has(port)) throw invalid(`Expected ports of their own, got ${port} twice`);
    ports.add(port);
  }
  return regions;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(`Expected a file at \`${path}\`: ${messageOf(cause)}`, cause);
  }
}

function members(
  value: unknown,
  what: string,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`Expected ${what} to be an object, got ${shown(value)}`);
  }
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const names = known.map((one) => `\`${one}\``).join(", ");
    throw invalid(`Expected ${what} with members out of ${names}, got \`${name}\``);
  }
  return { ...value };
}

function readNumber(path: string, value: unknown): number {
  if (typeof value === "number") return value;
  throw invalid(`Expected \`${path}\` to be a number, got ${shown(value)}`);
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
