/** The rows in which Meridian runs beside its peers. */
import type { NodePrograms } from "@meridian/local-cluster";

import type { BenchCredentials } from "../credentials.ts";
import { serveBare } from "./bare.ts";
import { catchUpContender } from "./catch-up-row.ts";
import { fillRegion } from "./filled-region.ts";
import { httpContender, type HttpServed } from "./http-row.ts";
import { killContender } from "./kill-row.ts";
import { memoryContender } from "./memory-row.ts";
import { KillableRegion, type LoneRegion, serveRegion } from "./lone-region.ts";
import { TwoRegions } from "./meridian.ts";
import { serveNearest, type Places } from "./nearest.ts";
import { fillNats, KillableNats, NatsServers } from "./nats.ts";
import { serveNginx } from "./nginx.ts";
import { putScript } from "./put-script.ts";
import { fillRedis, KillableRedis, RedisReplicas, serveWebdis } from "./redis.ts";
import { replicationContender } from "./replication-row.ts";
import type { Contender, Row } from "./rounds.ts";
import type { Workplace } from "./workplace.ts";

/** How much is measured. */
export interface PeersExtent {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly setsPerSecond: number;
  readonly missed: number;
  readonly entries: number;
}

/** What the rows need. */
export interface PeersParts {
  readonly workplace: Workplace;
  readonly programs: NodePrograms;
  readonly credentials: BenchCredentials;
  readonly extent: PeersExtent;
}

/** A contender, and the peers that have to be installed for it. */
type Entry = readonly [needs: readonly string[], contender: Contender];

/** A row, and why some of its contenders are not in it. */
export interface PlannedRow extends Row {
  readonly skipped: readonly string[];
}

const REDIS = "redis-server";
const NATS = "nats-server";
const NGINX = "nginx";
const WEBDIS = ["webdis", REDIS];

function getEntries({ workplace, programs, credentials, extent }: PeersParts): readonly Entry[] {
  const { tlsArgs, tokenArgs, token, fetch } = credentials;
  const http = (
    needs: readonly string[],
    name: string,
    serve: () => Promise<HttpServed>,
  ): Entry => [["wrk", ...needs], httpContender(workplace, name, serve, extent)];
  const region = (name: string, given: Omit<LoneRegion, "programs">): Entry =>
    http([], name, () => serveRegion(workplace, { programs, ...given }));
  const cached = async (tls?: BenchCredentials): Promise<HttpServed> => {
    const origin = await serveRegion(workplace, { programs });
    return serveNginx(workplace, { origin, ...(tls && { tls }) });
  };
  const headers = [`Authorization: Bearer ${token}`];
  return [
    http([], "bare node:http", () => serveBare(workplace, "get")),
    http([NGINX], "nginx, a file", () => serveNginx(workplace, {})),
    http([NGINX], "nginx proxy_cache", () => cached()),
    http(WEBDIS, "webdis + redis", () => serveWebdis(workplace, "everysec", "GET")),
    region("Meridian", {}),
    region("Meridian, token", { args: tokenArgs, headers }),
    region("Meridian, TLS", { args: tlsArgs, fetch }),
    region("Meridian, TLS and token", { args: [...tlsArgs, ...tokenArgs], headers, fetch }),
    http([NGINX], "nginx proxy_cache, TLS", () => cached(credentials)),
  ];
}

function putEntries({ workplace, programs, extent }: PeersParts): readonly Entry[] {
  const http = (
    needs: readonly string[],
    name: string,
    serve: () => Promise<HttpServed>,
  ): Entry => [["wrk", ...needs], httpContender(workplace, name, serve, extent)];
  const region = (durability: string): Entry =>
    http([], `Meridian, ${durability}`, () => {
      const script = putScript(workplace, "/cache/");
      return serveRegion(workplace, { programs, args: [`--durability=${durability}`], script });
    });
  return [
    http([], "bare node:http", () => serveBare(workplace, "put")),
    http(WEBDIS, "webdis + redis everysec", () => serveWebdis(workplace, "everysec", "PUT")),
    http(WEBDIS, "webdis + redis always", () => serveWebdis(workplace, "always", "PUT")),
    region("process"),
    region("power"),
  ];
}

function nearestEntries({ workplace, extent }: PeersParts): readonly Entry[] {
  const http = (name: string, serve: () => Promise<HttpServed>): Entry => [
    ["wrk"],
    httpContender(workplace, name, serve, extent),
  ];
  const nearest = (count: number, told: string, places?: Places): Entry =>
    http(`Meridian, ${told}`, () => serveNearest(workplace, count, places));
  return [
    http("bare node:http", () => serveBare(workplace, "nearest")),
    nearest(10, "10 nodes"),
    nearest(1_000, "1 000 nodes"),
    nearest(100_000, "100 000 nodes"),
    nearest(10, "10 nodes, no place twice", "once"),
    nearest(100_000, "100 000 nodes, no place twice", "once"),
  ];
}

function clusterEntries(
  { workplace, programs }: PeersParts,
  contender: (
    name: string,
    serve: () => Promise<TwoRegions | RedisReplicas | NatsServers>,
  ) => Contender,
): readonly Entry[] {
  return [
    [[REDIS], contender("redis, 2 replicas", () => RedisReplicas.start(workplace))],
    [[NATS], contender("NATS, 3 copies", () => NatsServers.start(workplace, 3))],
    [[], contender("Meridian", () => TwoRegions.start(workplace, programs))],
  ];
}

function memoryEntries({ workplace, programs, extent }: PeersParts): readonly Entry[] {
  return [
    [[REDIS], memoryContender("redis", () => fillRedis(workplace), extent)],
    [[NATS], memoryContender("NATS, 1 copy", () => fillNats(workplace), extent)],
    [[], memoryContender("Meridian", () => fillRegion(workplace, programs, extent), extent)],
  ];
}

function killEntries({ workplace, programs, extent }: PeersParts): readonly Entry[] {
  const redis = (fsync: "everysec" | "always"): Entry => {
    const serve = () => KillableRedis.start(workplace, fsync);
    return [[REDIS], killContender(`redis ${fsync}`, serve, extent)];
  };
  const region = (durability: string): Entry => {
    const serve = () => KillableRegion.start(workplace, programs, durability);
    return [[], killContender(`Meridian, ${durability}`, serve, extent)];
  };
  return [
    redis("everysec"),
    redis("always"),
    [[NATS], killContender("NATS, 1 copy", () => KillableNats.start(workplace), extent)],
    region("process"),
    region("power"),
  ];
}

/** The rows. Contenders that need what is not installed are skipped. */
export function peerRows(
  parts: PeersParts,
  isInstalled: (peer: string) => boolean,
): readonly PlannedRow[] {
  const { extent } = parts;
  const row = (name: string, rounds: number, entries: readonly Entry[]): PlannedRow => {
    const missing = new Set(
      entries.flatMap(([needs]) => needs).filter((peer) => !isInstalled(peer)),
    );
    const there = entries.filter(([needs]) => !needs.some((peer) => missing.has(peer)));
    const skipped = [...missing].map((peer) => `${peer} is not installed`);
    return { name, rounds, contenders: there.map(([, contender]) => contender), skipped };
  };
  const { rounds } = extent;
  return [
    row("get", rounds, getEntries(parts)),
    row("put", rounds, putEntries(parts)),
    row("nearest", rounds, nearestEntries(parts)),
    row(
      "replication",
      rounds,
      clusterEntries(parts, (name, serve) => replicationContender(name, serve, extent)),
    ),
    row("memory", 1, memoryEntries(parts)),
    row(
      "catch-up",
      rounds,
      clusterEntries(parts, (name, serve) => catchUpContender(name, serve, extent)),
    ),
    row("kill", 1, killEntries(parts)),
  ];
}
