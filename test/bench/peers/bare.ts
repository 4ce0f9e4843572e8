/** A bare `node:http` server as the yardstick: it reads what it is sent, and answers as many bytes as a region. */
import { join } from "node:path";

import { ROOT } from "@meridian/harness";
import { ManagedProcess } from "@meridian/supervision";

import { HttpConnection } from "../http-connection.ts";
import type { HttpServed } from "./http-row.ts";
import { putScript } from "./put-script.ts";
import type { Workplace } from "./workplace.ts";

const FILE = join(ROOT, "apps/region/bench/bare.ts");
/** The bodies make its answers about as long as those of a region, whose heads are longer. */
const BODIES = { GET: "v".repeat(290), PUT: "v".repeat(325) };

/** Starts the server. */
export async function serveBare(workplace: Workplace, does: "GET" | "PUT"): Promise<HttpServed> {
  const command = [process.execPath, "--import", "tsx", FILE, JSON.stringify(BODIES)];
  const output = (): void => {};
  const bare = new ManagedProcess({ name: "bare", command, env: process.env, cwd: ROOT, output });
  const url = `${await bare.listens()}/bench-key-000`;
  const check = async (): Promise<void> => {
    const connection = await HttpConnection.open(url);
    const { body } = await connection.get("/bench-key-000");
    connection.close();
    if (body !== BODIES.GET) throw new Error(`Expected the fixed answer, got \`${body}\``);
  };
  const script = does === "PUT" ? putScript(workplace, "/") : undefined;
  const stop = async (): Promise<void> => void (await bare.stop());
  return { url, script, pids: [bare.pid ?? NaN], check, stop };
}
