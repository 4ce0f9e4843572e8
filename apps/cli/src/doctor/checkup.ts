/** Collects the state of every directory and every node, in which `complaints.ts` finds problems. */
import { connect } from "node:tls";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import { directoryStatus, regionStatus, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { DirectoryApi, getJson, type KnownNode } from "../directory-api.ts";

const DIRECTORY_SAYS = [
  "cluster",
  "version",
  "nodes",
  "logId",
  "peers",
  "clocks",
  "syncing",
  "stall",
  "damage",
  "lagMaxMs",
  "gauges",
  "disk",
] as const;

type DirectorySays = Pick<
  Described<typeof directoryStatus>,
  | "cluster"
  | "version"
  | "nodes"
  | "logId"
  | "peers"
  | "clocks"
  | "syncing"
  | "stall"
  | "damage"
  | "lagMaxMs"
  | "gauges"
  | "disk"
>;

const NODE_SAYS = [
  "id",
  "cluster",
  "version",
  "status",
  "replica",
  "shortage",
  "damage",
  "directoriesFound",
  "gauges",
  "disk",
] as const;

type NodeSays = Pick<
  Described<typeof regionStatus>,
  | "id"
  | "cluster"
  | "version"
  | "status"
  | "replica"
  | "shortage"
  | "damage"
  | "directoriesFound"
  | "gauges"
  | "disk"
>;

/** A program that was asked. */
interface Asked<Status> {
  readonly url: string;
  /** Its `/status`; undefined if it could not be asked. */
  readonly status: Status | undefined;
  /** Why it could not be asked. */
  readonly failure: string | undefined;
  /** When its certificate expires, in milliseconds since the Unix epoch; undefined without one. */
  readonly expiresAtMs: number | undefined;
}

/** A directory. */
export type AskedDirectory = Asked<DirectorySays>;

/** A node, and how its directories list it. */
export interface AskedNode extends Asked<NodeSays> {
  readonly id: string;
  readonly listed: KnownNode;
}

/** A cluster as it was found. */
export interface Checkup {
  readonly nowMs: number;
  readonly directories: readonly AskedDirectory[];
  readonly nodes: readonly AskedNode[];
}

/** How long a server may take to show its certificate, in milliseconds. */
const PATIENCE_MS = 5_000;

/** Asks the directories of these URLs, those that they follow, and all nodes. Throws `DIRECTORY_UNREACHABLE` if none answers. */
export async function examine(urls: readonly string[], nowMs: number): Promise<Checkup> {
  const directories: AskedDirectory[] = [];
  const seen = new Set<string>();
  const logs = new Set<number>();
  for (let next = urls; next.length > 0;) {
    for (const url of next) seen.add(url);
    const asked = await Promise.all(
      next.map((url) => ask(url, v.pick(directoryStatus, DIRECTORY_SAYS))),
    );
    for (const directory of asked) {
      // One directory may be reached by several URLs.
      if (directory.status !== undefined && logs.has(directory.status.logId)) continue;
      directories.push(directory);
      if (directory.status !== undefined) logs.add(directory.status.logId);
    }
    const peers = asked.flatMap(({ status }) => status?.peers ?? []);
    const found = peers
      .filter(({ logId }) => !logs.has(logId))
      .map(({ name }) => name.replace(/\/+$/, ""));
    next = [...new Set(found)].filter((url) => !seen.has(url));
  }
  const listed = new Map<string, KnownNode>();
  for (const { url, status } of directories) {
    if (status === undefined) continue;
    for (const node of await new DirectoryApi(url).nodes()) {
      // A node that is gone at one directory may be connected to another.
      const known = listed.get(node.id);
      if (known === undefined || known.status === "gone") listed.set(node.id, node);
    }
  }
  if (logs.size === 0) {
    const said = directories.map(({ failure }) => failure).join("; ");
    throw new MeridianError("DIRECTORY_UNREACHABLE", said);
  }
  const nodes = await Promise.all(
    [...listed.values()].map(async (node) => ({
      id: node.id,
      listed: node,
      ...(await ask(node.url, v.pick(regionStatus, NODE_SAYS))),
    })),
  );
  return { nowMs, directories, nodes };
}

async function ask<Schema extends v.GenericSchema>(
  url: string,
  schema: Schema,
): Promise<Asked<Described<Schema>>> {
  const expiresAtMs = url.startsWith("https:") ? await expiryAt(url) : undefined;
  try {
    const status = await getJson(`${url}/status`, schema, "NO_READY_NODE");
    return { url, status, failure: undefined, expiresAtMs };
  } catch (cause) {
    return { url, status: undefined, failure: asMeridianError(cause).message, expiresAtMs };
  }
}

/** When the certificate of a server expires, whether it is trusted or not. */
function expiryAt(url: string): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    // Only the certificate is read; requests to the server check whether it is trusted.
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false }, () => {
      const { valid_to: expires } = socket.getPeerCertificate();
      socket.destroy();
      resolve(Date.parse(expires));
    });
    const giveUp = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(PATIENCE_MS, giveUp);
    socket.on("error", giveUp);
  });
}
