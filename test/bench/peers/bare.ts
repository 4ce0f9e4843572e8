/** A bare `node:http` server as the yardstick: it reads what it is sent, and answers as many bytes as a region. */
import { join } from "node:path";

import { ROOT } from "@meridian/harness";

import { HttpConnection } from "../http-connection.ts";
import { startFromSource } from "./from-source.ts";
import type { HttpServed } from "./http-row.ts";
import { nearestInTurn } from "./nearest.ts";
import { putScript } from "./put-script.ts";
import type { Workplace } from "./workplace.ts";

const FILE = join(ROOT, "apps/region/bench/bare.ts");
/** The bodies make its answers about as long as those of a region, whose heads are longer, and of a directory. */
const BODIES = { GET: "v".repeat(290), PUT: "v".repeat(325) };
const NEAREST = { GET: "v".repeat(850), PUT: "" };

/** Starts the server for a row. */
export async function serveBare(
  workplace: Workplace,
  row: "get" | "put" | "nearest",
): Promise<HttpServed> {
  const bodies = row === "nearest" ? NEAREST : BODIES;
  const bare = await startFromSource("bare", FILE, JSON.stringify(bodies));
  const url = `${bare.url}/bench-key-000`;
  const check = async (): Promise<void> => {
    const connection = await HttpConnection.open(url);
    const { body } = await connection.get("/bench-key-000");
    connection.close();
    if (body !== bodies.GET) throw new Error(`Expected the fixed answer, got \`${body}\``);
  };
  const scripts = { get: undefined, put: putScript, nearest: nearestInTurn };
  const script = scripts[row]?.(workplace, "/");
  return { url, script, pids: [bare.pid], check, stop: bare.stop };
}
