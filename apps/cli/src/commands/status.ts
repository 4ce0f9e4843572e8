/** The command `meridian status`: how a directory or a node is doing, as a table for people. */
import { agoText } from "@meridian/doctor";
import { directoryStatus, regionStatus, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { DirectoryApi, getJson } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, nodeUrl } from "../place.ts";
import { bytesText, countText } from "../quantity.ts";
import { formatTable } from "../table.ts";
import { printJson, type CommandFlags } from "./entries.ts";

type Row = readonly [name: string, value: string];

/** What the table of a directory shows. */
const directoryShown = v.pick(directoryStatus, [
  "id",
  "lat",
  "lon",
  "cluster",
  "version",
  "startedAtMs",
  "nowMs",
  "nodes",
  "head",
  "committedThrough",
  "peers",
  "beside",
  "horizonAtMs",
  "bufferedBytes",
  "store",
  "syncing",
  "damage",
  "stall",
  "conditions",
]);

/** What the table of a node shows. */
const nodeShown = v.pick(regionStatus, [
  "id",
  "cluster",
  "version",
  "startedAtMs",
  "nowMs",
  "status",
  "lat",
  "lon",
  "directory",
  "replica",
  "readyPeers",
  "cache",
  "store",
  "damage",
  "directoriesFound",
]);

type DirectoryShown = Described<typeof directoryShown>;
type NodeShown = Described<typeof nodeShown>;

/** `meridian status`: of the directory, or of the node that `--node` names. `--json` gives all that it says. */
export async function status(flags: CommandFlags, io: CliIo): Promise<number> {
  if (flags.node === undefined) {
    const answer = await new DirectoryApi(directoryUrls(flags, io)).get("/status", directoryShown);
    show(answer, directoryRows, flags, io);
  } else {
    const url = `${await nodeUrl(flags.node, flags, io)}/status`;
    show(await getJson(url, nodeShown, "NO_READY_NODE"), nodeRows, flags, io);
  }
  return EXIT.ok;
}

function show<Answer>(
  answer: Answer,
  rowsOf: (answer: Answer) => readonly Row[],
  flags: CommandFlags,
  io: CliIo,
): void {
  if (flags.json === true) printJson(io, answer);
  else io.stdout.write(formatTable(["WHAT", "HOW IT IS"], rowsOf(answer)));
}

function directoryRows(answer: DirectoryShown): readonly Row[] {
  const { id, lat, lon } = answer;
  const beside = (answer.beside ?? []).map(({ url }) => url);
  const { head, committedThrough, horizonAtMs, syncing, damage, stall, conditions } = answer;
  const nodes = Object.entries(answer.nodes).filter(([, count]) => count !== 0);
  const peers = answer.peers.map(({ name, applied }) => `${name} (through ${countText(applied)})`);
  return [
    ...identityRows(answer, id ? `directory ${id}` : "directory"),
    ...(typeof lat === "number" && typeof lon === "number"
      ? [["place", `${countText(lat)}, ${countText(lon)}`] as const]
      : []),
    ["nodes", nodes.map(([name, count]) => `${count} ${name}`).join(", ") || "none"],
    ["log", `${countText(head)} writes, ${countText(committedThrough)} on disk`],
    ...(peers.length === 0 ? [] : [["follows", peers.join(", ")] as const]),
    ...(beside.length === 0 ? [] : [["same log at", beside.join(", ")] as const]),
    [
      "forgets deletes",
      horizonAtMs === null ? "none yet" : `older than ${new Date(horizonAtMs).toISOString()}`,
    ],
    ["waiting to be sent", bytesText(answer.bufferedBytes)],
    ...(conditions === undefined
      ? []
      : [["conditions", conditions.why ?? "decided for the whole cluster"] as const]),
    ...storeRows(answer),
    ["trouble", troubles({ syncing, damage, stall })],
  ];
}

function nodeRows(answer: NodeShown): readonly Row[] {
  const { replica, cache, damage, directoriesFound } = answer;
  const { refusal, clockCorrected, heldBack, reconciling } = replica;
  const { memory, store, misses } = cache.reads;
  const silence = replica.connected ? "" : ", which does not answer";
  return [
    ...identityRows(answer, `node ${answer.id}`),
    ["status", answer.status],
    ["place", `${countText(answer.lat)}, ${countText(answer.lon)}`],
    ["directory", `${answer.directory ?? "none"}${silence}`],
    ["behind", `${countText(replica.behind)} writes, ${Math.round(replica.lagMs)} ms`],
    ["not handed over", `${countText(replica.outboxPending)} writes`],
    ["ready peers", answer.readyPeers.join(", ") || "none"],
    [
      "reads",
      `${countText(memory)} from memory, ${countText(store)} from disk, ${countText(misses)} without a value`,
    ],
    ["memory", `${countText(cache.entries)} entries, ${bytesText(cache.bytes)}`],
    ...storeRows(answer),
    ["quarantined", countText(replica.quarantined)],
    [
      "trouble",
      troubles({ damage, directoriesFound, refusal, clockCorrected, heldBack, reconciling }),
    ],
  ];
}

function identityRows(answer: DirectoryShown | NodeShown, what: string): readonly Row[] {
  const { cluster, version, startedAtMs, nowMs } = answer;
  const up = agoText(nowMs - startedAtMs);
  return [[what, `of the cluster ${cluster}, version ${version}, for ${up}`]];
}

function storeRows({ store }: DirectoryShown | NodeShown): readonly Row[] {
  const sizes = [
    ["database", store.databaseBytes],
    ["write-ahead log", store.walBytes],
    ["journal", store.unfoldedBytes],
    ["waiting to be written", store.pendingBytes],
  ] as const;
  const shown = sizes.flatMap(([name, bytes]) =>
    bytes > 0 ? [`${name} ${bytesText(bytes)}`] : [],
  );
  return [["on disk", shown.join(", ") || "nothing"]];
}

/** The problems of a program: the names of the signs that are true, and the texts of those that are texts. */
function troubles(signs: Readonly<Record<string, string | boolean | null>>): string {
  const said = Object.entries(signs).flatMap(([name, sign]) => {
    if (sign === null || sign === false) return [];
    return [sign === true ? name : sign];
  });
  return said.join("; ") || "none";
}
