import { asMeridianError, MeridianError, unixMsOf } from "@meridian/protocol";
import type { DirectoryInfo, MemberInfo } from "@meridian/replication";
import type { Clock, Gauge, Logger } from "@meridian/runtime";
import type { RequestLimit } from "@meridian/transport";
import { Hono, type Context } from "hono";

import type { LogDigest } from "../log-digest.ts";
import type { LogDigestPage, LogEntryPage } from "../log-pages.ts";
import type { NodeRegistry } from "../node-registry.ts";
import { jsonAnswer, PREFLIGHT_ANSWER, problemAnswer, responseOf, type Answer } from "./answer.ts";
import { nearestBody } from "./nearest.ts";
import { readEntriesQuery, readPageQuery, type PageQuery } from "./page-query.ts";
import { readQuery } from "./query.ts";

/** What the HTTP API answers from. */
export interface DirectoryService {
  readonly cluster: string;
  readonly version: string;
  readonly startedAtMs: number;
  /** Nodes with this lag or more are not offered to clients. */
  readonly lagMaxMs: number;
  readonly registry: NodeRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limit: RequestLimit;
  /** How full each queue is. */
  gauges(): readonly Gauge[];
  info(): DirectoryInfo;
  /** The log's store in plain numbers. */
  store(): object;
  digest(): Promise<LogDigest>;
  /** The digest of a part of the log, and the entries in one. */
  digestPage(query: PageQuery): Promise<LogDigestPage>;
  entryPage(query: PageQuery): Promise<LogEntryPage>;
  /** What is wrong with the log's database, if it is damaged. */
  damage(): MeridianError | undefined;
  /** Why requests should go elsewhere; undefined while all is well. */
  notReady(): MeridianError | undefined;
}

type Handler = (context: Context, search: string) => string | Promise<string>;

const NO_OPTIONS: readonly string[] = [];

/** The HTTP API of the directory. Every path takes GET, and with it HEAD. */
export function createApp(service: DirectoryService): Hono {
  const app = new Hono();
  const { registry } = service;
  const get = (path: string, handler: Handler): void => {
    app.get(path, async (context) => responseOf(await answer(context, handler)));
    app.options(path, () => responseOf(PREFLIGHT_ANSWER));
    app.all(path, (context) => responseOf(wrongMethod(context.req.method)));
  };
  get("/nearest", (_, search) => findNearest(service, search));
  const getPlain = (path: string, handler: (context: Context) => object | Promise<object>): void =>
    get(path, async (context, search) => {
      readQuery(search, NO_OPTIONS);
      return JSON.stringify(await handler(context));
    });
  getPlain("/nodes", () => ({ nodes: registry.all().map(describe) }));
  getPlain("/nodes/:id", ({ req }) => describe(findNode(registry, req.param("id") ?? "")));
  getPlain("/status", () => statusOf(service));
  get("/digest", async (_, search) => {
    const page = readPageQuery(search);
    return JSON.stringify(await (page ? service.digestPage(page) : service.digest()));
  });
  get("/entries", async (_, search) =>
    JSON.stringify(await service.entryPage(readEntriesQuery(search))),
  );
  getPlain("/healthz", () => ({ status: "ok" }));
  getPlain("/readyz", () => {
    const reason = service.notReady();
    if (reason !== undefined) throw reason;
    return { status: "ready" };
  });
  app.notFound((context) => responseOf(problemAnswer(noRoute(context.req.path))));
  app.onError((cause) => responseOf(failureAnswer(service, cause)));
  return app;
}

/** The answer to `GET /nearest` without a server's request and response. Never throws. */
export function answerNearest(service: DirectoryService, search: string): Answer {
  try {
    return jsonAnswer(findNearest(service, search));
  } catch (cause) {
    return failureAnswer(service, cause);
  }
}

/** A directory that is catching up with others may not know yet which nodes are level. */
function findNearest(service: DirectoryService, search: string): string {
  const reason = service.notReady();
  if (reason?.code === "DIRECTORY_SYNCING") throw reason;
  return nearestBody(service.registry, service.lagMaxMs, search);
}

function failureAnswer(service: DirectoryService, cause: unknown): Answer {
  const error = asMeridianError(cause);
  if (error.code === "INTERNAL") {
    const stack = cause instanceof Error ? cause.stack : undefined;
    service.logger.error("a request failed", { error: error.message, stack });
  }
  return problemAnswer(error);
}

async function answer(context: Context, handler: Handler): Promise<Answer> {
  const { url } = context.req;
  const mark = url.indexOf("?");
  return jsonAnswer(await handler(context, mark < 0 ? "" : url.slice(mark + 1)));
}

function wrongMethod(method: string): Answer {
  return problemAnswer(
    new MeridianError("METHOD_NOT_ALLOWED", `Expected GET or HEAD, got ${method}`),
    ["Allow", "GET, HEAD, OPTIONS"],
  );
}

function noRoute(path: string): MeridianError {
  return new MeridianError(
    "ROUTE_NOT_FOUND",
    `Expected /nearest, /nodes, /nodes/<id>, /status, /digest, /entries, /healthz or /readyz, got ${path}`,
  );
}

function findNode(registry: NodeRegistry, id: string): MemberInfo {
  const member = registry.get(id);
  if (member !== undefined) return member;
  throw new MeridianError(
    "NODE_NOT_FOUND",
    `Expected the id of a registered node, got \`${id.slice(0, 100)}\``,
  );
}

/** The public facts of a node, one by one: what the machine adds for itself stays inside. */
function describe(member: MemberInfo): object {
  return {
    id: member.id,
    region: member.region,
    url: member.url,
    ip: member.ip,
    port: member.port,
    lat: member.lat,
    lon: member.lon,
    status: member.status,
    lagMs: member.lagMs,
    load: member.load,
    appliedThrough: member.appliedThrough,
    outboxPending: member.outboxPending,
    skewMs: member.skewMs,
    peer: member.peer,
    connectedAtMs: member.connectedAtMs,
    bufferedBytes: member.bufferedBytes,
    unsent: member.unsent,
  };
}

function statusOf(service: DirectoryService): object {
  const nodes: Record<string, number> = {};
  let bufferedBytes = 0;
  for (const member of service.registry.all()) {
    nodes[member.status] = (nodes[member.status] ?? 0) + 1;
    bufferedBytes += member.bufferedBytes;
  }
  const info = service.info();
  return {
    cluster: service.cluster,
    version: service.version,
    startedAtMs: service.startedAtMs,
    nowMs: service.clock.nowMs(),
    logId: info.logId,
    epoch: info.epoch,
    head: info.head,
    committedThrough: info.committedThrough,
    horizonAtMs: info.horizon === 0 ? null : unixMsOf(info.horizon),
    horizonFrozenUntilMs: info.horizonFrozenUntilMs,
    nodes,
    connections: info.connections,
    reconciling: info.reconciling,
    reconcileWaiting: info.reconcileWaiting,
    syncing: info.syncing,
    stall: info.stall,
    peers: info.peers,
    bufferedBytes,
    recentBytes: info.recentBytes,
    lagMaxMs: service.lagMaxMs,
    damage: service.damage()?.message ?? null,
    gauges: service.gauges(),
    store: service.store(),
  };
}
