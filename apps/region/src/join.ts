/**
 * Finds the directories of a cluster by asking any of its members. A directory names itself and those that it follows; a region names those that
 * it dials. What was found is kept in the data folder, so that a region that starts again needs none of those that it once asked.
 */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join as pathOf } from "node:path";

import { isLoopback } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

import { describeAnswer } from "./directory-finder.ts";
import { askStatus, isObject, type AskedStatus, type Credentials } from "./ask-status.ts";

/** Whom to ask, and for which cluster. */
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

/**
 * The URLs of the directories, without a last slash, as the members name them that answer, those of the first one first; those of the last time
 * where none does. Rejects with `DIRECTORY_UNREACHABLE` where there are neither, and says what answered instead.
 */
export async function findDirectories(options: JoinOptions): Promise<readonly string[]> {
  const { members, data, logger } = options;
  const answers = await Promise.all(members.map((url) => directoriesAt(url, options)));
  const found = [
    ...new Set(answers.flatMap((answer) => (typeof answer === "string" ? [] : answer))),
  ];
  const refusals = answers.flatMap((answer, index) =>
    typeof answer === "string" ? [`${members[index]} is ${answer}`] : [],
  );
  if (found.length > 0) {
    logger.info("the directories of the cluster were found", { directories: found.join(", ") });
    await keep(data, found, logger);
    return found;
  }
  const kept = await readKept(data);
  if (kept.length === 0) {
    throw new MeridianError(
      "DIRECTORY_UNREACHABLE",
      `Expected a region or a directory of cluster \`${options.cluster}\` (--join), but ${refusals.join("; ")}`,
    );
  }
  logger.warn("no member names directories; those of the last time are dialled", {
    directories: kept.join(", "),
    found: refusals.join("; "),
  });
  return kept;
}

/** The directories that a member names; in words what answers there where it is none. */
async function directoriesAt(
  url: string,
  { cluster, credentials }: JoinOptions,
): Promise<readonly string[] | string> {
  const answer = await askStatus(url, credentials);
  if (typeof answer === "string") return answer;
  const named = namedIn(url, answer);
  if (named === undefined) return describeAnswer(answer);
  const got = answer.status["cluster"];
  if (got !== cluster) return `one of cluster \`${String(got).slice(0, 63)}\``;
  const reachable = named.filter((each) => isGoodFrom(url, each));
  return reachable.length > 0 ? reachable : "one whose directories only its own machine reaches";
}

function namedIn(url: string, { status }: AskedStatus): readonly string[] | undefined {
  const { logId, peers, replica, directories } = status;
  if (isObject(replica)) return textsOf(directories);
  if (typeof logId !== "number") return undefined;
  const names = Array.isArray(peers) ? peers.map((peer: unknown) => nameOf(peer)) : [];
  return [url, ...textsOf(names)];
}

/** Whether a URL that was named at another may be dialled: as safe as that one, and not of that machine alone. */
function isGoodFrom(asked: string, named: string): boolean {
  if (!URL.canParse(named)) return false;
  const [from, to] = [new URL(asked), new URL(named)];
  const isSafe = to.protocol === from.protocol || to.protocol === "https:";
  return (
    isSafe && (to.protocol === "http:" || to.protocol === "https:") && (!isOwn(to) || isOwn(from))
  );
}

function isOwn({ hostname }: URL): boolean {
  return hostname === "localhost" || isLoopback(hostname.replace(/^\[|\]$/g, ""));
}

function nameOf(peer: unknown): unknown {
  return isObject(peer) ? peer["name"] : undefined;
}

function textsOf(values: unknown): readonly string[] {
  if (!Array.isArray(values)) return [];
  return values
    .filter((value): value is string => typeof value === "string")
    .map((value) => value.replace(/\/+$/, ""));
}

async function readKept(data: string): Promise<readonly string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(pathOf(data, FILE), "utf8"));
    return textsOf(isObject(value) ? value["directories"] : []).filter((url) => URL.canParse(url));
  } catch {
    return [];
  }
}

/** Whoever cannot keep them asks again at the next start. */
async function keep(data: string, directories: readonly string[], logger: Logger): Promise<void> {
  const path = pathOf(data, FILE);
  try {
    await writeFile(`${path}.new`, `${JSON.stringify({ directories })}\n`);
    await rename(`${path}.new`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    logger.warn("the directories that were found could not be kept", { why });
  }
}
