/**
 * Finds the directories of a cluster by asking any of its members. A directory names itself, those that it follows, and those whose log is in the same
 * stream; a region names those that it knows. What was found is kept in the data folder, so that a region that starts again needs none of those that it once asked.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join as pathOf } from "node:path";

import { isLoopback } from "@meridian/http";
import { MeridianError, parseUrl } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

import { describeAnswer } from "./directory-finder.ts";
import { askStatus, isObject, type AskedStatus, type Credentials } from "./ask-status.ts";

/** The members to ask, and the cluster. */
export interface JoinOptions {
  /** The URLs of members, without a last slash. */
  readonly members: readonly string[];
  readonly cluster: string;
  /** The data folder. */
  readonly data: string;
  readonly credentials: Credentials;
  readonly logger: Logger;
}

const FILE = "directories.json";

/** How many of the directories that members name are used, and how long their URLs may be. A cluster has a handful. */
export const NAMED_MAX = 32;
const URL_UNITS_MAX = 500;

const NOT_REACHABLE =
  "one that names no directory that other machines reach; a member with an `https:` URL must name `https:` URLs";

/**
 * Asks all members for the directories, saves their URLs, and returns them without a last slash, those of the first member first. If no member
 * names one, returns the saved URLs. Rejects with `DIRECTORY_UNREACHABLE` if there are none; the message says what each member answered.
 */
export async function findDirectories(options: JoinOptions): Promise<readonly string[]> {
  const { members, data, logger } = options;
  const answers = await Promise.all(members.map((url) => directoriesAt(url, options)));
  const named = answers.flatMap((answer) => (typeof answer === "string" ? [] : [answer]));
  const found = allOf(named).slice(0, NAMED_MAX);
  const refusals = answers.flatMap((answer, index) =>
    typeof answer === "string" ? [`${members[index]} is ${answer}`] : [],
  );
  if (found.length > 0) {
    logger.info("the directories of the cluster were found", { directories: found.join(", ") });
    await keepDirectories(data, found, logger);
    return found;
  }
  const kept = await readKept(options);
  if (kept.length === 0) {
    throw new MeridianError(
      "DIRECTORY_UNREACHABLE",
      `Expected a region or a directory of cluster \`${options.cluster}\` (--join), but ${refusals.join("; ")}`,
    );
  }
  logger.warn("no member names directories; the saved ones are dialled", {
    directories: kept.join(", "),
    found: refusals.join("; "),
  });
  return kept;
}

/** The directories that a member names. */
export interface Named {
  /** The URL that a directory has of itself; undefined if it has none, or is a region. */
  readonly own: string | undefined;
  /** Those that may be dialled: a directory itself, as it was asked, and then others. */
  readonly urls: readonly string[];
}

/** All that are named, each once, though it was asked by another URL than the one that others know. */
export function allOf(named: readonly Named[]): readonly string[] {
  const asked = new Set(
    named.flatMap(({ own, urls }) => (own === undefined ? [] : urls.slice(0, 1))),
  );
  const doubles = new Set(
    named.flatMap(({ own }) => (own === undefined || asked.has(own) ? [] : [own])),
  );
  return [...new Set(named.flatMap(({ urls }) => urls))].filter((url) => !doubles.has(url));
}

/** The directories that a member names, or a description of what answers at the URL instead. */
export async function directoriesAt(
  url: string,
  { cluster, credentials }: Pick<JoinOptions, "cluster" | "credentials">,
): Promise<Named | string> {
  const answer = await askStatus(url, credentials);
  if (typeof answer === "string") return answer;
  const named = namedIn(url, answer);
  if (named === undefined) return describeAnswer(answer);
  const got = answer.status["cluster"];
  if (got !== cluster) return `one of cluster \`${String(got).slice(0, 63)}\``;
  const urls = named.filter((each) => isGoodFrom(url, each));
  const [own] = urlsOf([answer.status["url"]]);
  return urls.length > 0 ? { own, urls } : NOT_REACHABLE;
}

function namedIn(url: string, { status }: AskedStatus): readonly string[] | undefined {
  const { logId, peers, beside, replica, directories } = status;
  if (isObject(replica)) return urlsOf(directories);
  if (typeof logId !== "number") return undefined;
  return [url, ...urlsOf(membersOf(peers, "name")), ...urlsOf(membersOf(beside, "url"))];
}

/** Whether the URL `named`, which the member at `asked` names, may be dialled: it has TLS if `asked` has, and is no loopback address of another machine. */
function isGoodFrom(asked: string, named: string): boolean {
  const [from, to] = [new URL(asked), new URL(named)];
  const isSafe = to.protocol === "https:" || from.protocol === "http:";
  return isSafe && (!isOwn(to) || isOwn(from));
}

function isOwn({ hostname }: URL): boolean {
  return hostname === "localhost" || isLoopback(hostname.replace(/^\[|\]$/g, ""));
}

/** A member of each object in a list. */
function membersOf(list: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(list)) return [];
  return list.map((each: unknown) => (isObject(each) ? each[name] : undefined));
}

/** The first of the texts that are URLs of HTTP without a user, query or fragment, and not too long. */
function urlsOf(values: unknown): readonly string[] {
  if (!Array.isArray(values)) return [];
  const urls = values.slice(0, NAMED_MAX).map((value: unknown) => urlOf(value));
  return urls.filter((url) => url !== undefined);
}

function urlOf(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > URL_UNITS_MAX) return undefined;
  try {
    return parseUrl(value);
  } catch {
    return undefined;
  }
}

/** The directories of the last time that are as safe as the members that are named today. */
async function readKept({ data, members }: JoinOptions): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(pathOf(data, FILE), "utf8"));
    const kept = urlsOf(isObject(value) ? value["directories"] : []);
    const isOverTls = members.every((url) => url.startsWith("https:"));
    return kept.filter((url) => !isOverTls || url.startsWith("https:"));
  } catch {
    return [];
  }
}

/** Whoever cannot keep them asks again at the next start. */
export async function keepDirectories(
  data: string,
  directories: readonly string[],
  logger: Logger,
): Promise<void> {
  const path = pathOf(data, FILE);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ directories })}\n`);
    await rename(`${path}.new`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    logger.warn("the directories that were found could not be kept", { why });
  }
}
