/** Directories as contenders that are asked for the nodes near places all over the world. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "@meridian/harness";

import { HttpConnection } from "../http-connection.ts";
import type { HttpServed } from "./http-row.ts";
import { startFromSource } from "./from-source.ts";
import type { Workplace } from "./workplace.ts";

const FILE = join(ROOT, "apps/directory/bench/nearest.ts");
const PLACES = 1_000;

/** Which places are asked for: 1 000 in turn, or each place only once. */
export type Places = "in-turn" | "once";

/** Writes a script of `wrk` that asks for the nodes near 1 000 places in turn, and returns the script's path. */
export function nearestInTurn(workplace: Workplace): string {
  return nearestScript(workplace, "in-turn");
}

function nearestScript(workplace: Workplace, places: Places): string {
  const script = join(workplace.folder("wrk"), `nearest-${places}.lua`);
  writeFileSync(script, (places === "once" ? ONCE : inTurn()).join("\n"));
  return script;
}

const PLACE = "math.random() * 178 - 89, math.random() * 358 - 179";
const REQUEST = 'wrk.format(nil, string.format("/nearest?lat=%.4f&lon=%.4f", lat, lon))';

const ONCE: readonly string[] = [
  "request = function()",
  `  local lat, lon = ${PLACE}`,
  `  return ${REQUEST}`,
  "end",
  "",
];

function inTurn(): readonly string[] {
  return [
    "local asked, n = {}, 0",
    "init = function()",
    "  math.randomseed(7)",
    `  for i = 1, ${PLACES} do`,
    `    local lat, lon = ${PLACE}`,
    `    asked[i] = ${REQUEST}`,
    "  end",
    "end",
    "request = function()",
    `  n = n % ${PLACES} + 1`,
    "  return asked[n]",
    "end",
    "",
  ];
}

/** What a directory with so many nodes answers over HTTP. */
export async function serveNearest(
  workplace: Workplace,
  nodes: number,
  places: Places = "in-turn",
): Promise<HttpServed> {
  const { url, pid, stop } = await startFromSource("directory", FILE, String(nodes));
  const check = async (): Promise<void> => {
    const connection = await HttpConnection.open(url);
    const { status, body } = await connection.get("/nearest?lat=48.86&lon=2.35");
    connection.close();
    const told = body.match(/"distanceMeters":/g) ?? [];
    if (status !== 200 || told.length !== 3) throw new Error(`Expected three nodes, got ${body}`);
  };
  return { url, script: nearestScript(workplace, places), pids: [pid], check, stop };
}
