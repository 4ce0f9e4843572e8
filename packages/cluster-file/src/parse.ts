import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { PROGRAM_OPTIONS, type ProgramTables, type Role } from "@meridian/options";
import { MeridianError, withoutTrailingSlashes } from "@meridian/protocol";
import * as v from "valibot";
import { LineCounter, parseDocument } from "yaml";

import type { ClusterFile, DirectoryEntry, RegionEntry } from "./cluster-file.ts";
import { doublesOf, type Placed } from "./doubles.ts";
import { DIRECTORY_PORT, isWildcard, urlOf } from "./lookups.ts";
import { clusterSchemas, VERSION } from "./schema.ts";

/** Takes one problem, as one sentence. */
type Report = (problem: string) => void;

/**
 * Reads the text of a cluster file, YAML or JSON; `name` names it in messages. Throws `INVALID_CONFIG` with every problem found, one
 * sentence each, in `details.problems`.
 */
export function parseClusterFile(
  text: string,
  name: string,
  tables: ProgramTables = PROGRAM_OPTIONS,
): ClusterFile {
  const problems: string[] = [];
  const file = readText(text, tables, (problem) => problems.push(problem));
  if (file !== undefined && problems.length === 0) return file;
  throw invalid(name, problems);
}

/** Reads a cluster file from the disk. Throws `INVALID_CONFIG` as `parseClusterFile` does. */
export function readClusterFile(path: string, tables?: ProgramTables): ClusterFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(path, [`Expected a cluster file at \`${path}\`: ${messageOf(cause)}`], cause);
  }
  return parseClusterFile(text, basename(path), tables);
}

function readText(text: string, tables: ProgramTables, report: Report): ClusterFile | undefined {
  const value = readYaml(text, report);
  if (value === undefined) return undefined;
  // The members of another version may mean something else, so nothing more is checked.
  if (isOfAnotherVersion(value)) {
    const got = shown(value.version);
    report(
      `Expected \`version\` ${VERSION}, got ${got}: another version of Meridian has to read this file`,
    );
    return undefined;
  }
  if (Array.isArray(value)) {
    report(`Expected the file to be an object, got ${shown(value)}`);
    return undefined;
  }
  const read = v.safeParse(clusterSchemas(tables).file, value, { abortPipeEarly: true });
  for (const issue of read.issues ?? []) report(problemOf(issue));
  const directories = placed<AsWritten<DirectoryEntry>>(value, "directories", "directory", tables);
  const regions = placed<AsWritten<RegionEntry>>(value, "regions", "region", tables);
  const reached = directories.map((each) => reachable(each, report));
  const others = regions.map(({ path, entry }) => {
    const { url, ...rest } = entry;
    const told = url === undefined ? {} : { url: withoutTrailingSlashes(url) };
    return { path, entry: { limits: {}, ...rest, ...told } };
  });
  for (const double of doublesOf(reached, others)) report(double);
  if (!read.success) return undefined;
  for (const { path, entry } of reached) checkPlace(path, entry, report);
  const { cluster, limits, log } = read.output as Partial<ClusterFile>;
  return {
    ...(cluster !== undefined && { cluster }),
    directories: reached.map(({ entry }) => entry),
    regions: others.map(({ entry }) => entry),
    limits: limits ?? {},
    log: log ?? {},
  };
}

/** An entry as it stands in the file: `limits` and `url` may be absent. */
type AsWritten<T> = Omit<T, "limits" | "url"> & Partial<Pick<T, keyof T & ("limits" | "url")>>;

/** The entries of a list that have an id, with those of their members that are valid. The cast is sound because schema and type are made from the same rows. */
function placed<T>(
  file: unknown,
  list: "directories" | "regions",
  role: Role,
  tables: ProgramTables,
): readonly Placed<T>[] {
  const entries: unknown = (file as Readonly<Record<string, unknown>> | null)?.[list];
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown, index) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { issues = [] } = v.safeParse(clusterSchemas(tables)[role], entry);
    const wrong = new Set(issues.map(({ path }) => path?.[0]?.key));
    const members = Object.entries(entry).filter(([name]) => !wrong.has(name));
    const hasId = members.some(([name]) => name === "id");
    return hasId ? [{ path: `${list}[${index}]`, entry: Object.fromEntries(members) as T }] : [];
  });
}

/** The entry of a directory with the URL at which others reach it. */
function reachable(
  { path, entry }: Placed<AsWritten<DirectoryEntry>>,
  report: Report,
): Placed<DirectoryEntry> {
  const { url, host, port = DIRECTORY_PORT } = entry;
  if (url === undefined && host !== undefined && isWildcard(host)) {
    report(`Expected \`${path}.url\`, as nobody is reached at \`${host}\`, got nothing`);
  }
  let reached = url ?? urlOf(entry, port);
  if (!URL.canParse(reached)) {
    report(`Expected \`${path}.host\` to be an address or a name, got ${shown(host)}`);
    const { host: _, ...elsewhere } = entry;
    reached = urlOf(elsewhere, port);
  }
  return { path, entry: { limits: {}, ...entry, url: withoutTrailingSlashes(reached) } };
}

/** Reports half a place. */
function checkPlace(path: string, entry: DirectoryEntry, report: Report): void {
  if ((entry.lat === undefined) === (entry.lon === undefined)) return;
  const [given, lacking] = entry.lat === undefined ? ["lon", "lat"] : ["lat", "lon"];
  report(`Expected \`${path}.${lacking}\` beside \`${path}.${given}\`, got nothing`);
}

/** Makes one sentence of a schema's issue: what was expected, where, and what came. */
function problemOf(issue: v.BaseIssue<unknown>): string {
  const { type, kind, message, input } = issue;
  const path = pathOf(issue.path ?? []);
  const what = path === "" ? "the file" : `\`${path}\``;
  // Where a text was read, the reader has said it all.
  if (kind !== "schema" && type.startsWith("raw_")) return `${what}: ${message}`;
  const last = issue.path?.at(-1);
  if (type === "never") {
    const parent = pathOf(issue.path?.slice(0, -1) ?? []);
    const owner = parent === "" ? "the file" : `\`${parent}\``;
    return `Expected ${owner} ${message}, got \`${String(last?.key)}\``;
  }
  const isMissing = last?.origin === "key" || input === undefined;
  if (isMissing) return `Expected ${what}, got nothing`;
  return `Expected ${what} to be ${message}, got ${shown(input)}`;
}

function pathOf(items: readonly v.IssuePathItem[]): string {
  return items
    .map(({ type, key }) => (type === "array" ? `[${String(key)}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

/** Formats a value for a problem's sentence. */
function shown(value: unknown): string {
  return value === undefined ? "nothing" : `\`${JSON.stringify(value).slice(0, 100)}\``;
}

function isOfAnotherVersion(value: unknown): value is { readonly version: unknown } {
  return (
    typeof value === "object" && value !== null && "version" in value && value.version !== VERSION
  );
}

/** Parses YAML, of which JSON is a subset. Returns undefined after it has reported a problem. */
function readYaml(text: string, report: Report): unknown {
  const lines = new LineCounter();
  // What the library would warn of, a key that is no text, is reported as a member that is not known.
  const options = { lineCounter: lines, prettyErrors: false, logLevel: "error" } as const;
  const document = parseDocument(text, options);
  for (const { message, pos } of document.errors) {
    const { line, col } = lines.linePos(pos[0]);
    report(`Expected YAML or JSON: ${message}, in line ${line}, column ${col}`);
  }
  if (document.errors.length > 0) return undefined;
  try {
    // A few lines of YAML aliases can expand to more than fits in memory, so aliases are refused.
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
