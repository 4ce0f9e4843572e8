/** `meridian bench`: how fast a cluster answers from here. */
import { randomBytes } from "node:crypto";

import type { MeridianClient } from "@meridian/client";
import { asMeridianError, MeridianError } from "@meridian/protocol";

import { Latencies, type LatencySummary } from "../bench/latencies.ts";
import { closedLoad, openLoad, type Send } from "../bench/load.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { countText } from "../quantity.ts";
import { formatTable } from "../table.ts";
import { printJson, withClient, type CommandFlags } from "./entries.ts";

/** What it takes. */
export interface BenchFlags extends CommandFlags {
  readonly seconds?: string | undefined;
  readonly rate?: string | undefined;
  readonly callers?: string | undefined;
  readonly reads?: string | undefined;
  readonly keys?: string | undefined;
  readonly bytes?: string | undefined;
}

interface BenchPlan {
  readonly seconds: number;
  /** Requests per second; undefined for closed load. */
  readonly rate: number | undefined;
  readonly callers: number;
  readonly reads: number;
  /** The keys, and the one value that each of them ever has. */
  readonly values: ReadonlyMap<string, Buffer>;
}

interface BenchReport {
  readonly load: "open" | "closed";
  readonly elapsedMs: number;
  readonly unsent: number;
  readonly get: LatencySummary;
  readonly set: LatencySummary;
  /** How many requests failed, by code; `WRONG_VALUE` for answers with another value. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Keys that a run cannot delete any more expire after this. */
const LEFT_TTL = "1h";

/** Measures, and prints what came of it. */
export async function bench(flags: BenchFlags, io: CliIo): Promise<number> {
  const plan = planOf(flags);
  const report = await withClient(flags, io, async (client) => {
    try {
      await fill(client, plan);
      return await measure(client, plan);
    } finally {
      await client.deleteMany(plan.values.keys());
    }
  });
  if (flags.json === true) printJson(io, report);
  else io.stdout.write(textOf(report, plan));
  return Object.keys(report.failures).length === 0 ? EXIT.ok : EXIT.failure;
}

function planOf(flags: BenchFlags): BenchPlan {
  const number = (name: keyof BenchFlags, from: number, to: number, standard: number): number => {
    const given = flags[name];
    const value = given === undefined ? standard : Number(given);
    const whole = name === "reads" || name === "seconds" || Number.isInteger(value);
    if (value >= from && value <= to && whole) return value;
    const kind = name === "reads" || name === "seconds" ? "a number" : "a whole number";
    const said = `Expected \`--${name}\` as ${kind} from ${from} to ${to}, got \`${String(given)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  };
  const rate = flags.rate === undefined ? undefined : number("rate", 1, 1_000_000, 1);
  const bytes = number("bytes", 1, 1_000_000, 100);
  const count = number("keys", 1, 100_000, 1_000);
  const run = randomBytes(6).toString("hex");
  const keys = Array.from({ length: count }, (_, index) => `bench:${run}:${index}`);
  return {
    seconds: number("seconds", 0.1, 3_600, 10),
    rate,
    callers: number("callers", 1, 100_000, rate === undefined ? 16 : 1_000),
    reads: number("reads", 0, 1, 0.9),
    values: new Map(keys.map((key) => [key, randomBytes(bytes)])),
  };
}

/** Sets all keys, and reads each of them back: what answers wrongly is not worth timing. */
async function fill(client: MeridianClient, { values }: BenchPlan): Promise<void> {
  const entries = [...values].map(([key, value]) => ({ key, value }));
  await client.setMany(entries.map((entry) => ({ ...entry, ttl: LEFT_TTL })));
  const found = await client.getMany(values.keys());
  for (const { key, value } of entries) {
    const got = found.get(key);
    if (got instanceof Uint8Array && value.equals(got)) continue;
    const said = `Expected \`get\` of \`${key}\` to return what was just set, got ${got === undefined ? "nothing" : "something else"}: nothing was measured`;
    throw new MeridianError("INTERNAL", said);
  }
}

async function measure(client: MeridianClient, plan: BenchPlan): Promise<BenchReport> {
  const { seconds, rate, callers } = plan;
  const [get, set] = [new Latencies(), new Latencies()];
  const failures = new Map<string, number>();
  const fail = (code: string): unknown => failures.set(code, (failures.get(code) ?? 0) + 1);
  const entries = [...plan.values];
  const send: Send = async (dueMs) => {
    const [key, value] = entries[Math.floor(Math.random() * entries.length)] ?? ["", Buffer.of()];
    const isRead = Math.random() < plan.reads;
    try {
      if (isRead) {
        const got = await client.getRaw(key);
        if (got === undefined || !value.equals(got.value)) fail("WRONG_VALUE");
      } else await client.set(key, value, { ttl: LEFT_TTL });
    } catch (cause) {
      fail(asMeridianError(cause).code);
    }
    (isRead ? get : set).record(performance.now() - dueMs);
  };
  const terms = { durationMs: seconds * 1_000, callers };
  const missed = (waitedMs: number): void =>
    (Math.random() < plan.reads ? get : set).record(waitedMs);
  const { elapsedMs, unsent } =
    rate === undefined
      ? { elapsedMs: await closedLoad(send, terms), unsent: 0 }
      : await openLoad(send, { ...terms, perSecond: rate }, missed);
  return {
    load: rate === undefined ? "closed" : "open",
    elapsedMs,
    unsent,
    get: get.summary(elapsedMs),
    set: set.summary(elapsedMs),
    failures: Object.fromEntries(failures),
  };
}

function textOf(
  { load, elapsedMs, unsent, get, set, failures }: BenchReport,
  plan: BenchPlan,
): string {
  const how =
    load === "open"
      ? `Open load of ${countText(plan.rate ?? 0)} requests per second, latencies counted from when each was due`
      : `Closed load of ${plan.callers} callers, latencies counted from when each request was sent`;
  const row = (name: string, of: LatencySummary): (string | number)[] => [
    name,
    countText(of.count),
    countText(of.perSecond),
    ...[of.p50Ms, of.p99Ms, of.p999Ms, of.maxMs].map((ms) => ms.toFixed(2)),
  ];
  const rows = [row("get", get), row("set", set)].filter(([, count]) => count !== "0");
  const head = ["OPERATION", "COUNT", "PER SECOND", "P50 MS", "P99 MS", "P99.9 MS", "MAX MS"];
  const lines = Object.entries(failures).map(
    ([code, count]) => `${countText(count)} failed: ${code}\n`,
  );
  if (unsent > 0) {
    lines.push(
      `${countText(unsent)} requests were due and not sent, because ${countText(plan.callers)} were under way: they count with how long they had waited.\n`,
    );
  }
  return `${how}, for ${(elapsedMs / 1_000).toFixed(1)} s:\n\n${formatTable(head, rows)}${lines.join("")}`;
}
