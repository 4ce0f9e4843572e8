/**
 * What HTTP costs a region: requests a second for hits in memory and for durable writes, each as a ratio to a
 * bare node:http server that answers the same method with as many bytes, measured in the same run.
 *
 * Servers and load generator are processes of their own. Rounds of all variants take turns, so that whatever
 * else the machine does hits all of them; ratios are taken within a round, and their median is told. `npm run bench -w @meridian/region`
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { LoadOrder, LoadResult } from "./load.ts";

const VALUE = "v".repeat(100);
const KEYS = Array.from({ length: 256 }, (_, index) => `bench-key-${index}`);
const CONNECTIONS = 32;
const ROUNDS = 15;
const ROUND_MS = 250;
const WARM_UP_MS = 600;

interface Variant {
  readonly name: string;
  readonly port: number;
  readonly requests: readonly string[];
  /** The name of the variant that it is a ratio to. */
  readonly against: string;
}

const children: ChildProcess[] = [];
const folder = mkdtempSync(join(tmpdir(), "meridian-bench-"));
try {
  await main();
} finally {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  const region = await startRegion("process");
  const strict = await startRegion("power");
  const written = await checkAnswers(region);
  await checkAnswers(strict);
  const read = await answerTo(region, get("bench-key-0"));
  const bare = await startBare(read.length, written.length);
  const variants: readonly Variant[] = [
    variant("GET, bare node:http", bare, get, "GET, bare node:http"),
    variant("GET, hit in memory", region, get, "GET, bare node:http"),
    variant("GET, hit, through the app", region, getThroughApp, "GET, bare node:http"),
    variant("PUT, bare node:http", bare, put, "PUT, bare node:http"),
    variant("PUT, durable: process", region, put, "PUT, bare node:http"),
    variant("PUT, durable: process, through the app", region, putThroughApp, "PUT, bare node:http"),
    variant("PUT, durable: power", strict, put, "PUT, bare node:http"),
  ];
  const load = start("load.ts", []);
  for (const each of variants) await measure(load, each, WARM_UP_MS);
  const rates = new Map<string, number[]>();
  let busiest = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const each of variants) {
      const { answers, failures, elapsedMs, busy } = await measure(load, each, ROUND_MS);
      check(failures === 0, `${failures} failures of ${each.name}`);
      rates.set(each.name, [...(rates.get(each.name) ?? []), (answers / elapsedMs) * 1000]);
      busiest = Math.max(busiest, busy);
    }
  }
  report(variants, rates, busiest);
}

function variant(
  name: string,
  port: number,
  request: (key: string) => string,
  against: string,
): Variant {
  return { name, port, requests: KEYS.map((key) => request(key)), against };
}

function get(key: string): string {
  return `GET /cache/${key} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

/** A condition that is not met changes nothing, but keeps the request off the short path. */
function getThroughApp(key: string): string {
  return `GET /cache/${key} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "other"\r\n\r\n`;
}

function put(key: string): string {
  return `PUT /cache/${key} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${VALUE.length}\r\n\r\n${VALUE}`;
}

/** An option that changes nothing, but keeps the request off the short path. */
function putThroughApp(key: string): string {
  return put(key).replace(" HTTP", "?timeout=5s HTTP");
}

/** Writes and reads every key in every way, and returns what a write is answered. */
async function checkAnswers(port: number): Promise<string> {
  let written = "";
  for (const key of KEYS) {
    for (const request of [putThroughApp(key), put(key)]) {
      written = await answerTo(port, request);
      check(written.startsWith("HTTP/1.1 200") && written.includes('"reached":true'), written);
    }
    for (const request of [getThroughApp(key), get(key)]) {
      const read = await answerTo(port, request);
      check(read.startsWith("HTTP/1.1 200") && read.endsWith(`\r\n\r\n${VALUE}`), read);
      check(read.includes("Meridian-Cache: memory"), read);
    }
  }
  return written;
}

async function startRegion(durability: string): Promise<number> {
  const data = join(folder, durability);
  const flags = [
    "--id",
    "bench",
    "--lat",
    "0",
    "--lon",
    "0",
    "--port",
    "0",
    "--log-level",
    "error",
  ];
  const nobody = ["--directory", "http://127.0.0.1:9", "--standalone"];
  const args = [...flags, ...nobody, "--data", data, "--durability", durability];
  const child = start("../src/main.ts", args);
  const port = await portOf(child);
  for (let polls = 0; polls < 200; polls += 1) {
    if ((await answerTo(port, get("nobody"))).startsWith("HTTP/1.1 404")) return port;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("The region did not become ready");
}

/** Starts a bare server whose answers are as long as those of a region, head included. */
async function startBare(readBytes: number, writtenBytes: number): Promise<number> {
  const child = start("bare.ts", [JSON.stringify({ GET: "", PUT: "" })]);
  const head = (await answerTo(await portOf(child), get("a"))).length;
  child.kill("SIGTERM");
  // The lengths of the bodies take two more digits in the head.
  const bodies = {
    GET: "v".repeat(readBytes - head - 2),
    PUT: "v".repeat(writtenBytes - head - 2),
  };
  const port = await portOf(start("bare.ts", [JSON.stringify(bodies)]));
  check((await answerTo(port, get("a"))).length === readBytes, "other sizes of GET");
  check((await answerTo(port, put("a"))).length === writtenBytes, "other sizes of PUT");
  return port;
}

function start(file: string, args: readonly string[]): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args);
  children.push(child);
  return child;
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on("message", (message: { readonly type: string; readonly url: string }) => {
      if (message.type === "listening") resolve(Number(new URL(message.url).port));
    });
    child.on("exit", (code) => reject(new Error(`Expected a server, got exit code ${code}`)));
  });
}

async function measure(
  load: ChildProcess,
  { port, requests }: Variant,
  durationMs: number,
): Promise<LoadResult> {
  const order: LoadOrder = { port, requests, connections: CONNECTIONS, durationMs };
  load.send(order);
  const [result] = (await once(load, "message")) as [LoadResult];
  return result;
}

/** The whole answer to one request, head and body. */
function answerTo(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request, "latin1"));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/.exec(text)?.[1]);
      if (end === -1 || text.length < end + 4 + length) return;
      socket.destroy();
      resolve(text);
    });
    socket.on("error", reject);
  });
}

function report(
  variants: readonly Variant[],
  rates: ReadonlyMap<string, number[]>,
  busiest: number,
): void {
  const ratesOf = (name: string): readonly number[] => rates.get(name) ?? [];
  console.log(
    `${cpus().length} cores, Node ${process.version}, ${CONNECTIONS} connections, ${VALUE.length} B values, medians of ${ROUNDS} rounds of ${ROUND_MS} ms`,
  );
  for (const { name, against } of variants) {
    const yardstick = ratesOf(against);
    const ratios = ratesOf(name).map((rate, round) => rate / (yardstick[round] ?? NaN));
    const rate = Math.round(medianOf(ratesOf(name))).toString();
    console.log(`${name.padEnd(40)} ${rate.padStart(7)}/s  ${medianOf(ratios).toFixed(2)}`);
  }
  console.log(`The load generator was at most ${Math.round(busiest * 100)} % busy.`);
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;
}

function check(holds: boolean, said: string): void {
  if (!holds) throw new Error(`Expected right answers before they are timed, got: ${said}`);
}
