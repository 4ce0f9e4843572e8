/** The commands about the nodes of a cluster: `nearest`, `nodes`, `nodes forget`. */
import { agoText } from "@meridian/doctor";
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { absentNode } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { DirectoryApi, getJson, type KnownNode } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, locationOf } from "../place.ts";
import { formatTable } from "../table.ts";
import { printJson, type CommandFlags } from "./entries.ts";

/** The options of `nearest`. */
export interface NearestFlags extends CommandFlags {
  readonly limit?: string | undefined;
  readonly exclude?: string | undefined;
}

/** The members that the answer for a forgotten node must have. */
const FORGOTTEN = v.pick(absentNode, ["id"]);

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
  if (flags.json === true) printJson(io, { nodes });
  else {
    const rows = nodes.map(({ id, distanceMeters, lagMs, url }) => [
      id,
      Math.round(distanceMeters / 1000),
      Math.round(lagMs),
      url,
    ]);
    io.stdout.write(formatTable(["NODE", "KM", "LAG MS", "URL"], rows));
  }
  return EXIT.ok;
}

/** `meridian nodes`: every known node, or the one of an id. */
export async function nodes(
  id: string | undefined,
  flags: CommandFlags,
  io: CliIo,
): Promise<number> {
  const api = new DirectoryApi(directoryUrls(flags, io));
  const records = id === undefined ? await api.nodes() : [await api.node(id)];
  if (flags.json === true) {
    printJson(io, id === undefined ? { nodes: records } : records[0]);
  } else io.stdout.write(nodeTable(records));
  return EXIT.ok;
}

/** `meridian nodes forget`: makes all named directories forget a node that is gone. */
export async function forget(id: string, flags: CommandFlags, io: CliIo): Promise<number> {
  const urls = directoryUrls(flags, io);
  let forgotten: object | undefined;
  let unknown: MeridianError | undefined;
  for (const url of urls) {
    try {
      const target = `${url}/nodes/${encodeURIComponent(id)}`;
      forgotten = await getJson(target, FORGOTTEN, "DIRECTORY_UNREACHABLE", { method: "DELETE" });
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

function nodeTable(records: readonly KnownNode[]): string {
  const rows = records.map((node) => [
    node.id,
    statusText(node),
    node.lat,
    node.lon,
    node.lagMs === null ? "-" : Math.round(node.lagMs),
    node.outboxPending ?? "-",
    node.url,
  ]);
  return formatTable(["NODE", "STATUS", "LAT", "LON", "LAG MS", "OUTBOX", "URL"], rows);
}

/** A node's status, with the time since when it is gone. */
function statusText({ status, goneSinceMs }: KnownNode): string {
  return goneSinceMs === null ? status : `gone, ${agoText(Date.now() - goneSinceMs)}`;
}
