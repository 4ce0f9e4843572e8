/** The commands about the cluster itself: `nearest`, `nodes`, `status`. */
import { MeridianError } from "@meridian/protocol";

import { DirectoryApi, getJson, type NodeRecord } from "../directory-api.ts";
import { EXIT, type CliIo } from "../io.ts";
import { directoryUrls, locationOf, nodeUrl } from "../place.ts";
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

/** `meridian nodes`: every registered node, or the one of an id. */
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

/** `meridian status`: of the directory, or of the node that `--node` names. */
export async function status(flags: CommandFlags, io: CliIo): Promise<number> {
  const answer =
    flags.node === undefined
      ? await new DirectoryApi(directoryUrls(flags, io)).status()
      : await getJson(`${await nodeUrl(flags.node, flags, io)}/status`, "NO_READY_NODE");
  if (flags.json === true) printJson(io, answer);
  else io.stdout.write(formatTable(["NAME", "VALUE"], flatten("", answer)));
  return EXIT.ok;
}

function nodeTable(records: readonly NodeRecord[]): string {
  const rows = records.map((node) => [
    node.id,
    node.status,
    numberOr(node, "lat", (lat) => lat),
    numberOr(node, "lon", (lon) => lon),
    numberOr(node, "lagMs", Math.round),
    numberOr(node, "outboxPending", (count) => count),
    node.url,
  ]);
  return formatTable(["NODE", "STATUS", "LAT", "LON", "LAG MS", "OUTBOX", "URL"], rows);
}

function numberOr(node: NodeRecord, name: string, shown: (value: number) => number): Cell {
  const value = node.fields[name];
  return typeof value === "number" ? shown(value) : "-";
}

/** An object's members, those of inner objects under dotted names. */
function flatten(prefix: string, value: Readonly<Record<string, unknown>>): Cell[][] {
  return Object.entries(value).flatMap(([name, member]) => {
    const path = prefix + name;
    if (typeof member === "object" && member !== null && !Array.isArray(member)) {
      return flatten(`${path}.`, { ...member });
    }
    return [[path, typeof member === "string" ? member : JSON.stringify(member)]];
  });
}
