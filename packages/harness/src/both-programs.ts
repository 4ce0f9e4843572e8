/** Starts a directory and one region in this process, for tests of their HTTP servers. */
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "@meridian/local-cluster";

import { startSmallDirectory } from "./small-directory.ts";
import { startSmallRegion } from "./small-region.ts";

/** The running programs. */
export interface BothPrograms {
  readonly directory: string;
  readonly region: string;
  stop(): Promise<void>;
}

/** Starts both programs and waits until the region serves. Web pages of `allowOrigin` may send requests to both. */
export async function startBothPrograms(
  given: { readonly allowOrigin?: readonly string[]; readonly valueBytesMax?: number } = {},
): Promise<BothPrograms> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-http-"));
  const { allowOrigin = [], valueBytesMax = 1_000_000 } = given;
  const directory = await startSmallDirectory({ data: join(folder, "directory"), allowOrigin });
  const region = await startSmallRegion({
    id: "paris",
    data: join(folder, "region"),
    directory: [directory.url],
    allowOrigin,
    valueBytesMax,
  });
  await until("the region serves", async () => (await fetch(`${region.url}/readyz`)).ok);
  return {
    directory: directory.url,
    region: region.url,
    stop: async () => {
      await region.stop();
      await directory.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** An answer as it came over a connection. */
export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends bytes over a new connection, and returns what comes back until it ends. */
export function exchangeRaw(url: string, ...parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(new URL(url).port), new URL(url).hostname, () => {
      for (const part of parts) {
        socket.write(typeof part === "string" ? Buffer.from(part, "latin1") : part);
      }
    });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
}

/** Parses an answer whose body ends with the connection. */
export function readRaw(bytes: string): RawAnswer {
  const end = bytes.indexOf("\r\n\r\n");
  const [first = "", ...lines] = bytes.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const status = Number(first.split(" ")[1]);
  return { status, headers: new Map(headers), body: bytes.slice(end + 4) };
}
