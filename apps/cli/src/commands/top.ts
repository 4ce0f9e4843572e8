/** The command `meridian top`: the regions as they are, again and again. */
import { setTimeout as pause } from "node:timers/promises";

import { agoText } from "@meridian/doctor";
import { asMeridianError, MeridianError, parseTtlMs } from "@meridian/protocol";
import { directoryStatus, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { DirectoryApi, getText, type KnownNode } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, type PlaceFlags } from "../place.ts";
import { bytesText, countText } from "../quantity.ts";
import { formatTable } from "../table.ts";
import { countsOf, paceOf, type Counts, type Pace } from "../top/counts.ts";

/** The options of `top`. */
export interface TopFlags extends Pick<PlaceFlags, "directory"> {
  readonly every?: string | undefined;
  readonly once?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** A region at one moment. */
interface Row {
  readonly node: KnownNode;
  /** Undefined where it could not be asked. */
  readonly pace: Pace | undefined;
}

interface Frame {
  readonly directory: Described<typeof shown>;
  readonly rows: readonly Row[];
}

const shown = v.pick(directoryStatus, [
  "cluster",
  "version",
  "startedAtMs",
  "nowMs",
  "head",
  "committedThrough",
  "clocks",
]);

const EVERY_MIN_MS = 100;
const TO_THE_TOP = "\u001B[H\u001B[J";

/** `meridian top`. Ends after the first time with `--once`, else with the process. */
export async function top(flags: TopFlags, io: CliIo): Promise<number> {
  const everyMs = parseTtlMs(flags.every ?? "2s");
  if (everyMs < EVERY_MIN_MS) {
    const said = `Expected \`--every\` to be at least ${EVERY_MIN_MS}ms, got \`${flags.every}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const api = new DirectoryApi(directoryUrls(flags, io));
  const begin = io.isTerminal === true ? TO_THE_TOP : "";
  let counts = new Map<string, Counts>();
  for (let times = 0; ; times += 1) {
    try {
      const next = new Map<string, Counts>();
      const frame = await take(api, counts, next);
      counts = next;
      io.stdout.write(flags.json === true ? jsonOf(frame) : begin + textOf(frame));
    } catch (cause) {
      // Whoever watches wants to see when it comes back.
      if (times === 0 || flags.once === true) throw cause;
      io.stderr.write(`meridian: ${asMeridianError(cause).message}\n`);
    }
    if (flags.once === true) return EXIT.ok;
    await pause(everyMs);
  }
}

/** Asks everyone; the counts of each region go to `next`. */
async function take(
  api: DirectoryApi,
  before: ReadonlyMap<string, Counts>,
  next: Map<string, Counts>,
): Promise<Frame> {
  const [directory, nodes] = await Promise.all([api.get("/status", shown), api.nodes()]);
  const rows = await Promise.all(
    nodes.map(async (node): Promise<Row> => {
      if (node.status === "gone") return { node, pace: undefined };
      try {
        const text = await getText(`${node.url}/metrics`, "NO_READY_NODE");
        const counts = countsOf(text, performance.now());
        next.set(node.id, counts);
        return { node, pace: paceOf(before.get(node.id), counts) };
      } catch {
        // What its directory says of it is shown all the same.
        return { node, pace: undefined };
      }
    }),
  );
  return { directory, rows };
}

function jsonOf({ directory, rows }: Frame): string {
  const nodes = rows.map(({ node, pace }) => ({ ...node, ...pace }));
  return `${JSON.stringify({ directory, nodes })}\n`;
}

function textOf({ directory, rows }: Frame): string {
  const { cluster, version, startedAtMs, nowMs, head, committedThrough, clocks } = directory;
  const writes = `${countText(head)} writes, ${countText(head - committedThrough)} of them not on disk yet`;
  const agreeing = `${clocks.agreeing} of ${clocks.members} clocks agree`;
  return [
    `${cluster}: directory ${version}, for ${agoText(nowMs - startedAtMs)}; ${writes}; ${agreeing}\n\n`,
    formatTable(
      [
        "REGION",
        "STATUS",
        "LAG MS",
        "OUTBOX",
        "REQ/S",
        "WRITES/S",
        "HIT %",
        "P99 MS",
        "ENTRIES",
        "MEMORY",
      ],
      rows.map(({ node, pace }) => [
        node.id,
        node.goneSinceMs === null ? node.status : `gone, ${agoText(nowMs - node.goneSinceMs)}`,
        ...[
          node.lagMs,
          node.outboxPending,
          node.load?.requestsPerSecond,
          pace?.writesPerSecond,
        ].map(whole),
        pace?.hitRatio == null ? "-" : (100 * pace.hitRatio).toFixed(1),
        latencyText(pace?.p99Ms),
        node.load === null ? "-" : countText(node.load.entries),
        node.load === null ? "-" : bytesText(node.load.bytes),
      ]),
    ),
  ].join("");
}

function whole(value: number | null | undefined): string {
  return value == null ? "-" : countText(Math.round(value));
}

/** The bound of a bucket; the last one has none. */
function latencyText(p99Ms: number | null | undefined): string {
  if (p99Ms == null) return "-";
  return p99Ms === Infinity ? "> all" : `≤ ${Number(p99Ms.toPrecision(3))}`;
}
