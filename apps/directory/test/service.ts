import {
  EventStreams,
  Exchange,
  HistoryNews,
  OriginPolicy,
  RateLimits,
  RequestLimit,
  SlowRequests,
  type Answer,
} from "@meridian/http";
import type { Problem } from "@meridian/protocol";
import type { DirectoryInfo, MemberInfo } from "@meridian/replication";
import { History, Metrics, silentLogger } from "@meridian/runtime";
import { EMPTY_STORE } from "@meridian/testkit";

import { answerNearest, createApp, directoryStyle } from "../src/http/app.ts";
import type { DirectoryService } from "../src/http/directory-service.ts";
import { NodeNews } from "../src/http/node-news.ts";
import type { NodeSource } from "../src/http/nodes.ts";
import { NodeRegistry } from "../src/node-registry.ts";
import { NodeViews, type NodeViewsOptions } from "../src/views/node-views.ts";
import { manualClock, memberOf, sourceOf } from "./members.ts";

/** Four ready nodes. */
export const CITIES = [
  memberOf({ id: "frankfurt", region: "eu-central", lat: 50.11, lon: 8.68 }),
  memberOf({ id: "virginia", region: "us-east", lat: 38.95, lon: -77.45 }),
  memberOf({ id: "tokyo", region: "ap-northeast", lat: 35.68, lon: 139.69 }),
  memberOf({ id: "sydney", region: "ap-southeast", lat: -33.87, lon: 151.21 }),
];
function noBackup(): Promise<never> {
  return Promise.reject(new Error("There are no backups here"));
}

function noneHere(): never {
  throw new Error("There are no backups here");
}

const NO_BACKUPS: DirectoryService["backups"] = {
  start: noBackup,
  read: noBackup,
  drop: noBackup,
  report: noneHere,
  check: noneHere,
  hold: noneHere,
};

/** Where requests come from. */
export const PARIS = "lat=48.86&lon=2.35";

function viewsOf(
  source: NodeSource,
  parts: Pick<NodeViewsOptions, "streams" | "clock" | "metrics">,
): NodeViews {
  const trust = () => ({});
  return new NodeViews({ ...parts, source, peers: [], trust, insecure: false, isPrivate: true });
}

const INFO: DirectoryInfo = {
  logId: 5,
  epoch: 2,
  head: 12,
  committedThrough: 11,
  horizon: 4_096,
  horizonFrozenUntilMs: 1_700_000_000_000,
  recentBytes: 100,
  connections: 4,
  members: 0,
  reconciling: null,
  reconcileWaiting: 0,
  syncing: false,
  stall: null,
  peers: [],
  clocks: { aheadMs: 0, agreeing: 3, members: 3, confirmed: true, deviant: [] },
  conditions: { decides: true, why: null, doubtSinceMs: null },
};

/** A service over these nodes; `given` says what is special about it. */
export function serviceOf(
  members: readonly MemberInfo[],
  given: Partial<DirectoryService> = {},
): DirectoryService {
  const clock = manualClock();
  const registry = new NodeRegistry(sourceOf(members), clock);
  const metrics = new Metrics();
  const absent = (): [] => [];
  const forget = (): Promise<never> => Promise.reject(new Error("Nothing is forgotten here"));
  const streams = new EventStreams({ clock, metrics });
  const source = { registry, absent, forget };
  const news = new NodeNews({ source, peers: absent, streams, clock, logger: silentLogger });
  const history = new History({ lines: [], metrics, clock });
  return {
    news,
    streams,
    snapshots: () => null,
    troubles: { answer: () => Promise.reject(new Error("Nobody is examined here")) },
    history: new HistoryNews({ history, streams, logger: silentLogger }),
    views: viewsOf(source, { streams, clock, metrics }),
    id: "primary",
    url: null,
    beside: () => [],
    place: { lat: 38.72, lon: -9.14 },
    cluster: "meridian",
    version: "9.8.7",
    startedAtMs: 1_699_999_999_000,
    lag: { maxMs: 10_000 },
    registry,
    clock,
    logger: silentLogger,
    backups: NO_BACKUPS,
    info: () => ({ ...INFO, members: members.length }),
    acceptLoss: async () => null,
    absent,
    forget,
    store: () => ({
      ...EMPTY_STORE,
      entries: 9,
      journalRows: 3,
      databaseBytes: 4_096,
      swept: { horizon: 0, through: 0 },
    }),
    disk: () => ({ freeBytes: 5_000, sizeBytes: 9_000 }),
    digest: () => Promise.resolve({ count: 3, fingerprint: "00ff00ff00ff00ff", sequence: 11 }),
    digestPage: () => Promise.reject(new Error("Nothing is paged here")),
    entryPage: () => Promise.reject(new Error("Nothing is paged here")),
    unheardMs: () => undefined,
    notReady: () => undefined,
    damage: () => undefined,
    metrics: new Metrics(),
    slow: new SlowRequests(clock, silentLogger),
    limit: new RequestLimit(new Metrics(), () => {}),
    limits: new RateLimits({ perSecond: null, burst: null, clock, metrics: new Metrics() }),
    origins: new OriginPolicy([]),
    ...given,
  };
}

/** The answer to one request. */
export function get(
  path: string,
  members: readonly MemberInfo[] = CITIES,
  init: RequestInit = {},
): Response | Promise<Response> {
  return createApp(serviceOf(members)).request(path, init);
}

/** The answer to `GET /nearest` without the app. */
export function nearestOf(service: DirectoryService, search: string): Answer {
  const carrier = {
    method: "GET",
    path: "/nearest",
    query: search,
    header: () => undefined,
    body: () => Promise.resolve(new Uint8Array()),
  };
  return answerNearest(service, new Exchange(directoryStyle(service), carrier));
}

/** The ids that `/nearest` gives. */
export async function idsNear(query: string, members?: readonly MemberInfo[]): Promise<string[]> {
  const response = await get(`/nearest?${query}`, members);
  const { nodes } = (await response.json()) as { nodes: { id: string }[] };
  return nodes.map(({ id }) => id);
}

interface Told {
  readonly response: Response;
  readonly problem: Problem;
}

/** The problem that a request is answered with, and the answer. */
export async function problemAt(
  path: string,
  members?: readonly MemberInfo[],
  init?: RequestInit,
): Promise<Told> {
  const response = await get(path, members, init);
  const type = response.headers.get("content-type");
  const problem = (await response.json()) as Problem;
  if (type !== "application/problem+json" || problem.status !== response.status) {
    throw new Error(`Expected a problem with status ${response.status}, got ${type}`);
  }
  return { response, problem };
}
