import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { checkAddress, checkIdentifier, MeridianError, parseWebOrigin } from "@meridian/protocol";
import { LOG_LEVELS } from "@meridian/runtime";
import { LineCounter, parseDocument } from "yaml";

import {
  choiceCheck,
  listCheck,
  numberCheck,
  readMembers,
  shown,
  textCheck,
  type Check,
  type Checks,
  type Report,
} from "./check.ts";
import type { ClusterFile, DirectoryEntry, LogSettings, RegionEntry } from "./cluster-file.ts";
import { doublesOf, type Placed } from "./doubles.ts";
import { limitChecks, type Limits, type Role } from "./limits.ts";
import { DIRECTORY_PORT, isWildcard, urlOf } from "./lookups.ts";

/** The members of an entry as they are written. */
type Written<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };

const identifier = (what: string): Check<string> =>
  textCheck((text) => checkIdentifier(what, text));

const url = textCheck((text) => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb = parsed?.protocol === "http:" || parsed?.protocol === "https:";
  if (isWeb && parsed.search === "" && parsed.hash === "") return parsed.href.replace(/\/+$/, "");
  throw new Error(`expected a URL such as \`http://10.0.0.1:7400\`, got \`${text}\``);
});

const origin = textCheck((text) => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (text === "*" || (parsed?.href === `${parsed?.origin}/` && !text.includes("*"))) return text;
  throw new Error(
    `expected an origin such as \`https://app.example.com\`, or \`*\`, got \`${text}\``,
  );
});

const hostName = textCheck((text) => {
  if (/^[a-z\d_]([a-z\d_.-]*[a-z\d_])?$/i.test(text)) return text;
  throw new Error(`expected a name such as \`cache.example.com\`, got \`${text}\``);
});

function limits(roles: readonly Role[]): Check<Limits> {
  return (value, path, report) => readMembers(value, path, limitChecks(roles), [], report);
}

const process = {
  id: identifier("an id"),
  url,
  host: textCheck(),
  port: numberCheck(1, 65_535, true),
  data: textCheck(),
  allowOrigin: listCheck(origin),
  allowHost: listCheck(hostName),
};

const DIRECTORY: Checks<Written<DirectoryEntry>> = { ...process, limits: limits(["directory"]) };

const REGION: Checks<Written<RegionEntry>> = {
  ...process,
  region: identifier("a region"),
  lat: numberCheck(-90, 90, false),
  lon: numberCheck(-180, 180, false),
  url: textCheck(parseWebOrigin),
  ip: textCheck(checkAddress),
  limits: limits(["region"]),
};

const directory: Check<Placed<DirectoryEntry>> = (value, path, report) => {
  const read = readMembers(value, path, DIRECTORY, ["id"], report);
  if (read?.id === undefined) return undefined;
  const { id, host, port, data, allowOrigin, allowHost } = read;
  if (read.url === undefined && host !== undefined && isWildcard(host)) {
    report(`Expected \`${path}.url\`, as nobody is reached at \`${host}\`, got nothing`);
  }
  const reached = read.url ?? urlOf(host, port ?? DIRECTORY_PORT);
  const bounds = read.limits ?? {};
  const doors = { allowOrigin, allowHost };
  return { path, entry: { id, url: reached, host, port, data, limits: bounds, ...doors } };
};

const region: Check<Placed<RegionEntry>> = (value, path, report) => {
  const read = readMembers(value, path, REGION, ["id", "lat", "lon"], report);
  if (read?.id === undefined) return undefined;
  const { id, lat = 0, lon = 0, url: own, host, port, data, ip, allowOrigin, allowHost } = read;
  const bounds = read.limits ?? {};
  const place = { region: read.region, lat, lon, ip, allowOrigin, allowHost };
  return { path, entry: { id, url: own, host, port, data, limits: bounds, ...place } };
};

const LOG: Checks<Written<LogSettings>> = {
  level: choiceCheck(LOG_LEVELS),
  format: choiceCheck(["text", "json"]),
};

interface FileMembers extends Omit<Written<ClusterFile>, "directories" | "regions"> {
  /** Version 1 if it is left out. */
  readonly version: number;
  readonly directories: readonly Placed<DirectoryEntry>[];
  readonly regions: readonly Placed<RegionEntry>[];
}

/** The version of the file's format. */
const VERSION = 1;

const version: Check<number> = (value, path, report) => {
  if (value === VERSION) return VERSION;
  report(
    `Expected \`${path}\` ${VERSION}, got ${shown(value)}: another version of Meridian has to read this file`,
  );
  return undefined;
};

const FILE: Checks<FileMembers> = {
  version,
  cluster: identifier("a cluster"),
  directories: listCheck(directory),
  regions: listCheck(region),
  limits: limits(["directory", "region"]),
  log: (value, path, report) => {
    const read = readMembers(value, path, LOG, [], report);
    return { level: read?.level, format: read?.format };
  },
};

/**
 * Reads the text of a cluster file, YAML or JSON; `name` names it in messages. Throws `INVALID_CONFIG` with every problem found, one
 * sentence each, in `details.problems`.
 */
export function parseClusterFile(text: string, name: string): ClusterFile {
  const problems: string[] = [];
  const file = readText(text, (problem) => problems.push(problem));
  if (file !== undefined && problems.length === 0) return file;
  throw invalid(name, problems);
}

/** Reads a cluster file from the disk. Throws `INVALID_CONFIG` as `parseClusterFile` does. */
export function readClusterFile(path: string): ClusterFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(path, [`Expected a cluster file at \`${path}\`: ${messageOf(cause)}`], cause);
  }
  return parseClusterFile(text, basename(path));
}

function readText(text: string, report: Report): ClusterFile | undefined {
  const value = readYaml(text, report);
  if (value === undefined) return undefined;
  // What another version means by its members nobody knows here: one problem is enough.
  if (isOfAnotherVersion(value)) return void version(value.version, "version", report);
  const read = readMembers(value, "", FILE, ["directories", "regions"], report);
  if (read === undefined) return undefined;
  const { directories = [], regions = [] } = read;
  for (const double of doublesOf(directories, regions)) report(double);
  return {
    cluster: read.cluster,
    directories: directories.map(({ entry }) => entry),
    regions: regions.map(({ entry }) => entry),
    limits: read.limits ?? {},
    log: read.log ?? { level: undefined, format: undefined },
  };
}

function isOfAnotherVersion(value: unknown): value is { readonly version: unknown } {
  return (
    typeof value === "object" && value !== null && "version" in value && value.version !== VERSION
  );
}

/** The value that YAML (of which JSON is a part) writes down; undefined after a problem, which was reported. */
function readYaml(text: string, report: Report): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  for (const { message, pos } of document.errors) {
    const { line, col } = lines.linePos(pos[0]);
    report(`Expected YAML or JSON: ${message}, in line ${line}, column ${col}`);
  }
  if (document.errors.length > 0) return undefined;
  try {
    // No aliases: a few lines of them can stand for more than fits in memory.
    return (document.toJS({ maxAliasCount: 0 }) as unknown) ?? null;
  } catch (cause) {
    report(`Expected YAML or JSON without aliases: ${messageOf(cause)}`);
    return undefined;
  }
}

function invalid(name: string, problems: readonly string[], cause?: unknown): MeridianError {
  const told = problems.map((problem) => `${name}: ${problem}`);
  return new MeridianError("INVALID_CONFIG", told.join("\n  "), {
    details: { problems: told },
    cause,
  });
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
