/** What the node tells of itself: its keys, its status, its health. */
import { MeridianError } from "@meridian/protocol";

import { etagOf } from "../cached-record.ts";
import type { Answer } from "./answers.ts";
import { readWhole } from "./arguments.ts";
import type { Exchange } from "./exchange.ts";
import type { PageQuery } from "./page-routes.ts";

/** What the node knows of itself beside its service. */
export interface NodeFacts {
  /** The body of `/status`. */
  status(): object;
  /** The body of `/digest`. */
  digest(): Promise<object>;
  /** The body of `/digest` for a part of the keys, and of `/entries`. */
  digestPage(query: PageQuery): Promise<object>;
  entryPage(query: PageQuery): object;
}

/** `GET /keys[?prefix=][&after=][&limit=]` */
export async function getKeys(exchange: Exchange): Promise<Answer> {
  const { prefix = "", after, limit } = exchange.query("prefix", "after", "limit");
  const bounds = { min: 1, max: 1_000, fallback: 100 };
  const query = {
    prefix,
    limit: readWhole("limit", limit, bounds),
    ...(after !== undefined && { after }),
  };
  await exchange.admit();
  const { entries, next } = exchange.service.list(query);
  const keys = entries.map(({ key, bytes, contentType, stamp, expiresAtMs }) => ({
    key,
    bytes,
    contentType,
    etag: etagOf({ stamp }),
    expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs,
  }));
  return exchange.json(200, { keys, next }, ["Cache-Control", "no-store"]);
}

/** `GET /status` */
export function getStatus(exchange: Exchange, facts: NodeFacts): Answer {
  exchange.query();
  return exchange.json(200, facts.status(), ["Cache-Control", "no-store"]);
}

/** `GET /healthz` */
export function getHealth(exchange: Exchange): Answer {
  exchange.query();
  return exchange.json(200, { status: "ok" }, ["Cache-Control", "no-store"]);
}

/** `GET /readyz` */
export function getReadiness(exchange: Exchange): Answer {
  exchange.query();
  exchange.service.checkReady();
  return exchange.json(200, { status: "ready" }, ["Cache-Control", "no-store"]);
}

/** The error of a path that nothing is at, or that does not take the method. */
export function routeError(
  method: string,
  path: string,
  allowed: readonly string[] | undefined,
): MeridianError {
  if (allowed === undefined) {
    return new MeridianError(
      "ROUTE_NOT_FOUND",
      `Expected a path of this node, got \`${path.slice(0, 200)}\``,
    );
  }
  return new MeridianError(
    "METHOD_NOT_ALLOWED",
    `Expected ${allowed.map((one) => `\`${one}\``).join(" or ")} at \`${path.slice(0, 200)}\`, got \`${method}\``,
    { details: { allowed } },
  );
}
