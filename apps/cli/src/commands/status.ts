/** The command `meridian status`: how a directory or a node is doing, as a table for people. */
import { DirectoryApi, getJson } from "../directory-api.ts";
import { EXIT, type CliIo } from "../io.ts";
import { directoryUrls, nodeUrl } from "../place.ts";
import { agoText } from "../span.ts";
import { formatTable } from "../table.ts";
import { printJson, type CommandFlags } from "./entries.ts";

type Json = Readonly<Record<string, unknown>>;
type Row = readonly [name: string, value: string];

/** `meridian status`: of the directory, or of the node that `--node` names. `--json` gives all that it says. */
export async function status(flags: CommandFlags, io: CliIo): Promise<number> {
  const answer =
    flags.node === undefined
      ? await new DirectoryApi(directoryUrls(flags, io)).status()
      : await getJson(`${await nodeUrl(flags.node, flags, io)}/status`, "NO_READY_NODE");
  if (flags.json === true) printJson(io, answer);
  else {
    const rows = flags.node === undefined ? directoryRows(answer) : nodeRows(answer);
    io.stdout.write(formatTable(["WHAT", "HOW IT IS"], rows));
  }
  return EXIT.ok;
}

function directoryRows(answer: Json): readonly Row[] {
  const nodes = Object.entries(membersOf(answer["nodes"])).filter(([, count]) => count !== 0);
  const peers = listOf(answer["peers"]).map((peer) => {
    const name = text(peer["name"]);
    const applied = number(peer["applied"]);
    return `${name} (through ${applied})`;
  });
  const horizonAtMs = answer["horizonAtMs"];
  return [
    ...identityRows(answer, "directory"),
    ["nodes", nodes.map(([name, count]) => `${String(count)} ${name}`).join(", ") || "none"],
    ["log", `${number(answer["head"])} writes, ${number(answer["committedThrough"])} on disk`],
    ...(peers.length === 0 ? [] : [["follows", peers.join(", ")] as const]),
    [
      "forgets deletes",
      typeof horizonAtMs === "number" ? `older than ${dateText(horizonAtMs)}` : "none yet",
    ],
    ["waiting to be sent", bytesText(answer["bufferedBytes"])],
    ...storeRows(answer),
    ["trouble", troubles(answer, ["damage", "stall"], ["syncing"])],
  ];
}

function nodeRows(answer: Json): readonly Row[] {
  const replica = membersOf(answer["replica"]);
  const cache = membersOf(answer["cache"]);
  const reads = membersOf(cache["reads"]);
  const { memory, store, misses } = reads;
  const connected = replica["connected"] === true;
  return [
    ...identityRows(answer, `node ${text(answer["id"])}`),
    ["status", text(answer["status"])],
    ["place", `${number(answer["lat"])}, ${number(answer["lon"])}`],
    [
      "directory",
      `${text(answer["directory"]) || "none"}${connected ? "" : ", which does not answer"}`,
    ],
    ["behind", `${number(replica["behind"])} writes, ${milliseconds(replica["lagMs"])}`],
    ["not handed over", `${number(replica["outboxPending"])} writes`],
    ["ready peers", listOfText(answer["readyPeers"]).join(", ") || "none"],
    [
      "reads",
      `${number(memory)} from memory, ${number(store)} from disk, ${number(misses)} without a value`,
    ],
    ["memory", `${number(cache["entries"])} entries, ${bytesText(cache["bytes"])}`],
    ...storeRows(answer),
    ["quarantined", number(replica["quarantined"])],
    [
      "trouble",
      troubles(answer, ["damage", "directoriesFound"], [], membersOf(replica), [
        "refusal",
        "clockCorrected",
        "heldBack",
        "reconciling",
      ]),
    ],
  ];
}

function identityRows(answer: Json, what: string): readonly Row[] {
  const { cluster, version, startedAtMs, nowMs } = answer;
  const up =
    typeof startedAtMs === "number" && typeof nowMs === "number"
      ? `, for ${agoText(nowMs - startedAtMs)}`
      : "";
  return [[`${what}`, `of the cluster ${text(cluster)}, version ${text(version)}${up}`]];
}

/** What the sizes of a store are called. */
const SIZES: readonly (readonly [member: string, name: string])[] = [
  ["databaseBytes", "database"],
  ["walBytes", "write-ahead log"],
  ["unfoldedBytes", "journal"],
  ["pendingBytes", "waiting to be written"],
];

function storeRows(answer: Json): readonly Row[] {
  const store = membersOf(answer["store"]);
  const sizes = SIZES.flatMap(([member, name]) => {
    const bytes = store[member];
    return typeof bytes === "number" && bytes > 0 ? [`${name} ${bytesText(bytes)}`] : [];
  });
  return [["on disk", sizes.join(", ") || "nothing"]];
}

/** What is wrong, in the program's own words. */
function troubles(
  answer: Json,
  texts: readonly string[],
  flags: readonly string[],
  inner: Json = {},
  innerTexts: readonly string[] = [],
): string {
  const said = [
    ...texts.map((name) => [name, answer[name]] as const),
    ...innerTexts.map((name) => [name, inner[name]] as const),
  ].flatMap(([name, value]) => {
    if (value === null || value === undefined || value === false) return [];
    if (value === true) return [name];
    return [typeof value === "string" ? value : `${name}: ${JSON.stringify(value)}`];
  });
  const set = flags.filter((name) => answer[name] === true);
  return [...set, ...said].join("; ") || "none";
}

function membersOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(membersOf) : [];
}

function listOfText(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(text) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function number(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : "-";
}

function milliseconds(value: unknown): string {
  return typeof value === "number" ? `${Math.round(value)} ms` : "-";
}

function bytesText(value: unknown): string {
  if (typeof value !== "number") return "-";
  if (value < 1024) return `${value} bytes`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`;
  if (value < 1024 ** 3) return `${(value / 1024 ** 2).toFixed(1)} MiB`;
  return `${(value / 1024 ** 3).toFixed(1)} GiB`;
}

function dateText(ms: number): string {
  return new Date(ms).toISOString();
}
