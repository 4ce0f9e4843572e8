/** The commands about the nodes of a cluster: `nearest`, `nodes`, `nodes forget`. */
import { asMeridianError, MeridianError } from "@meridian/protocol";

import { DirectoryApi, getJson, type NodeRecord } from "../directory-api.ts";
import { EXIT, type CliIo } from "../io.ts";
import { directoryUrls, locationOf } from "../place.ts";
import { agoText } from "../span.ts";
import { formatTable } from "../table.ts";
import { printJson, type CommandFlags } from "./entries.ts";

/** What `nearest` takes. */
export interface NearestFlags extends CommandFlags {
  readonly limit?: string | undefined;
  readonly exclude?: string | undefined;
}

type Cell = string | number;

/** `meridian nearest`. */
export async function nearest(flags: NearestFlags, io: CliIo): Promise<number> {
  const location = locationOf(flags, io);
  if (location === undefined) {
    throw new MeridianError(
      "INVALID_COORDINATES",
      "Expected `--lat` and `--lon` (or MERIDIAN_LAT and MERIDIAN_LON), got nothing",
    );
  }
  const api = new DirectoryApi(directoryUrls(flags, io));
  const nodes = await api.nearest({ location, limit: flags.limit, exclude: flags.exclude });
  if (flags.json === true) printJson(io, { nodes: nodes.map(({ fields }) => fields) });
  else {
    const rows = nodes.map((node) => [
      node.id,
      numberOr(node, "distanceMeters", (meters) => Math.round(meters / 1000)),
      numberOr(node, "lagMs", Math.round),
      node.url,
    ]);
    io.stdout.write(formatTable(["NODE", "KM", "LAG MS", "URL"], rows));
  }
  return EXIT.ok;
}

/** `meridian nodes`: every node that is there or missed, or the one of an id. */
export async function nodes(
  id: string | undefined,
  flags: CommandFlags,
  io: CliIo,
): Promise<number> {
  const api = new DirectoryApi(directoryUrls(flags, io));
  const records = id === undefined ? await api.nodes() : [await api.node(id)];
  if (flags.json === true) {
    const all = records.map(({ fields }) => fields);
    printJson(io, id === undefined ? { nodes: all } : all[0]);
  } else io.stdout.write(nodeTable(records));
  return EXIT.ok;
}

/** `meridian nodes forget`: a node that is gone is missed no longer, by any of the directories that are named. */
export async function forget(id: string, flags: CommandFlags, io: CliIo): Promise<number> {
  const urls = directoryUrls(flags, io);
  let forgotten: Readonly<Record<string, unknown>> | undefined;
  let unknown: MeridianError | undefined;
  for (const url of urls) {
    try {
      const target = `${url}/nodes/${encodeURIComponent(id)}`;
      forgotten = await getJson(target, "DIRECTORY_UNREACHABLE", { method: "DELETE" });
    } catch (cause) {
      const error = asMeridianError(cause);
      // Each remembers those that it has heard of.
      if (error.code !== "NODE_NOT_FOUND") throw error;
      unknown = error;
    }
  }
  if (forgotten === undefined && unknown !== undefined) throw unknown;
  if (flags.json === true) printJson(io, forgotten);
  else io.stdout.write(`${id} is forgotten: nobody misses it any more.\n`);
  return EXIT.ok;
}

function nodeTable(records: readonly NodeRecord[]): string {
  const rows = records.map((node) => [
    node.id,
    statusText(node),
    numberOr(node, "lat", (lat) => lat),
    numberOr(node, "lon", (lon) => lon),
    numberOr(node, "lagMs", Math.round),
    numberOr(node, "outboxPending", (count) => count),
    node.url,
  ]);
  return formatTable(["NODE", "STATUS", "LAT", "LON", "LAG MS", "OUTBOX", "URL"], rows);
}

/** A node's status; of one that is gone, for how long. */
function statusText({ status, fields }: NodeRecord): string {
  const { goneSinceMs } = fields;
  if (status !== "gone" || typeof goneSinceMs !== "number") return status;
  return `gone, ${agoText(Date.now() - goneSinceMs)}`;
}

function numberOr(node: NodeRecord, name: string, shown: (value: number) => number): Cell {
  const value = node.fields[name];
  return typeof value === "number" ? shown(value) : "-";
}
