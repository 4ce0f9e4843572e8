/**
 * What TLS and tokens cost: `npm run build && npm run bench:security -- [--seconds 5] [--rounds 3]`. Needs `wrk`. One region of its
 * own for each way, asked for hits and writes by turns; and a link that carries frames, both ends in this process.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import { HttpServer, problemAnswer } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, silentLogger, systemClock } from "@meridian/runtime";
import { dialLink, linkCuts, LinkListener } from "@meridian/transport";

import { makeBenchCredentials } from "./credentials.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "5" }, rounds: { type: "string", default: "3" } },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const MEBIBYTE = 1024 * 1024;

const folder = mkdtempSync(join(tmpdir(), "meridian-security-"));
const children: ChildProcess[] = [];

/** Writes a file, and returns its path. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const credentials = await makeBenchCredentials(folder);
const { tlsArgs: tls, tokenArgs: keys, token, certificate } = credentials;

/** A way to ask, and what the program is started with for it. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  plain: [],
  tokens: keys,
  "tokens and a limit": [...keys, "--rate-limit=1000000"],
  tls,
  "tls and tokens": [...tls, ...keys],
};

/** Starts a region, and returns its URL. */
async function startRegion(name: string, args: readonly string[]): Promise<string> {
  const main = new URL("../../apps/region/dist/main.js", import.meta.url).pathname;
  const place = ["--id=bench", "--lat=1", "--lon=2", "--port=0", "--standalone"];
  const data = `--data=${join(folder, name.replaceAll(" ", "-"))}`;
  const directory = "--directory=https://127.0.0.1:1";
  const child = spawn(process.execPath, [main, ...place, data, directory, ...args]);
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const [url] = /https?:\/\/127\.0\.0\.1:\d+/.exec(line.includes("listening") ? line : "") ?? [];
    if (url === undefined) continue;
    child.stdout.resume();
    while ((await credentials.fetch(`${url}/readyz`, {})).status !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return url;
  }
  throw new Error(`Expected the region to listen, got its end (${name})`);
}

const put = file(
  "put.lua",
  'wrk.method = "PUT"\nwrk.body = string.rep("v", 100)\nlocal n = 0\nrequest = function() n = n + 1 return wrk.format(nil, "/cache/k" .. (n % 10000)) end\n',
);

/** Requests a second. */
function load(url: string, more: readonly string[]): number {
  const args = [
    "-t1",
    "-c32",
    `-d${seconds}s`,
    "-H",
    `Authorization: Bearer ${token}`,
    ...more,
    url,
  ];
  const said = execFileSync("wrk", args, { encoding: "utf8" });
  const [, rate = ""] = /Requests\/sec:\s+([\d.]+)/.exec(said) ?? [];
  const [bad] = /Non-2xx.*/.exec(said) ?? [];
  if (bad !== undefined)
    throw new Error(`Expected answers of ${url} (${more.join(" ")}), got: ${bad}`);
  return Number(rate);
}

/** MiB a second over a link, in frames of 256 KiB. */
async function linkRate(secure: boolean): Promise<number> {
  const metrics = new Metrics();
  const parts = { clock: systemClock, logger: silentLogger, metrics };
  const starting = new MeridianError("GOING_AWAY", "never asked");
  const server = new HttpServer({
    ...parts,
    connectionsMax: 100,
    starting,
    ...(secure && { certificate }),
  });
  await server.listen("127.0.0.1", 0);
  const total = 256 * MEBIBYTE;
  const frame = new Uint8Array(256 * 1024);
  const cuts = linkCuts(parts);
  let startedMs = 0;
  let stop = (): void => {};
  const rate = await new Promise<number>((resolve, reject) => {
    let received = 0;
    const nothing = { onOpen: () => {}, onPart: () => {}, onDrain: () => {}, onClose: () => {} };
    const listener = new LinkListener({
      ...parts,
      cuts,
      path: "/replicate",
      accept: () => ({
        ...nothing,
        onMessage: (message) => {
          received += message.length;
          if (received >= total)
            resolve(total / MEBIBYTE / ((performance.now() - startedMs) / 1e3));
        },
      }),
    });
    stop = () => listener.stop();
    server.handle({
      request: (_, outgoing) => void outgoing.end(),
      upgrades: { "/replicate": listener.upgrade },
      refuse: (error) => problemAnswer(error),
    });
    let sent = 0;
    const pump = (): void => {
      while (sent < total && link.bufferedBytes < 4 * MEBIBYTE) {
        link.send(frame);
        sent += frame.byteLength;
      }
      if (sent < total) setImmediate(pump);
    };
    const events = {
      ...nothing,
      onMessage: () => {},
      onOpen: () => {
        startedMs = performance.now();
        pump();
      },
      onClose: (code: number, reason: string) => reject(new Error(`${code} ${reason}`)),
    };
    const trust = secure ? { ca: credentials.authority } : {};
    const link = dialLink(`${server.url}/replicate`, events, {
      ...parts,
      cuts,
      credentials: trust,
    });
  });
  stop();
  await server.close(0);
  return rate;
}

const median = (rates: readonly number[]): number =>
  [...rates].sort((a, b) => a - b)[Math.floor(rates.length / 2)] ?? NaN;

/** Rates by what was measured and how, of all rounds. */
const rates = new Map<string, number[]>();
function note(what: string, way: string, rate: number): void {
  const name = `${what} | ${way}`;
  rates.set(name, [...(rates.get(name) ?? []), rate]);
}

try {
  const urls: [string, string][] = [];
  for (const [way, args] of Object.entries(WAYS)) urls.push([way, await startRegion(way, args)]);
  for (let round = 0; round < rounds; round += 1) {
    for (const [way, url] of urls) {
      note("PUT", way, load(`${url}/cache/k`, ["-s", put]));
      note("GET hit", way, load(`${url}/cache/k5`, []));
    }
    note("link MiB/s", "plain", await linkRate(false));
    note("link MiB/s", "tls", await linkRate(true));
  }
  for (const [name, all] of rates) {
    const [what = ""] = name.split(" | ");
    const ratio = median(all) / median(rates.get(`${what} | plain`) ?? []);
    process.stdout.write(`${name}: ${median(all).toFixed(0)} (${(100 * ratio).toFixed(0)} %)\n`);
  }
} finally {
  await credentials.close();
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true });
}
