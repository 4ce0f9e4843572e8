import type { IncomingMessage } from "node:http";

import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

import type { ByteBudget } from "../byte-budget.ts";
import type { RegionService } from "../region-service.ts";
import { commonHeaders, isReadable, jsonAnswer, type Answer, type HeaderList } from "./answers.ts";
import { readSession } from "./arguments.ts";
import { readIncoming, readStream } from "./body.ts";
import type { OriginPolicy } from "./origins.ts";
import { readQuery, targetOf, type Query } from "./target.ts";

/** The bindings of the app: those of the Node.js adapter, which are not there when it is called directly. */
export interface AppEnv {
  readonly Bindings: Partial<HttpBindings>;
}

/** A request, whatever carries it. */
export interface Carrier {
  readonly method: string;
  /** Still percent-encoded. */
  readonly path: string;
  /** Still percent-encoded, without its question mark. */
  readonly query: string;
  /** Reads a header by its name in lower case. */
  header(name: string): string | undefined;
  /** Reads the body by the rules of `readIncoming`. */
  body(bytesMax: number, budget: ByteBudget): Promise<Uint8Array>;
}

/** A request that came through the app. */
export function carrierOfContext(context: Context<AppEnv>): Carrier {
  const { req } = context;
  const incoming = context.env?.incoming;
  return {
    method: req.method,
    ...targetOf(req.url),
    header: (name) => req.header(name),
    body: (bytesMax, budget) =>
      incoming === undefined
        ? readStream(req.raw, bytesMax)
        : readIncoming(incoming, bytesMax, budget),
  };
}

/** A request straight from the server, whose URL is but a path. */
export function carrierOfIncoming(incoming: IncomingMessage): Carrier {
  const { headers } = incoming;
  return {
    method: incoming.method ?? "",
    path: incoming.url ?? "",
    query: "",
    header: (name) => headers[name]?.toString(),
    body: (bytesMax, budget) => readIncoming(incoming, bytesMax, budget),
  };
}

/** One request and the means to answer it. */
export class Exchange {
  readonly service: RegionService;
  readonly #origins: OriginPolicy;
  readonly #carrier: Carrier;

  constructor(service: RegionService, origins: OriginPolicy, carrier: Carrier) {
    this.service = service;
    this.#origins = origins;
    this.#carrier = carrier;
  }

  /** Still percent-encoded. */
  get path(): string {
    return this.#carrier.path;
  }

  /** Reads a header by its name in lower case. */
  readonly header = (name: string): string | undefined => this.#carrier.header(name);

  /** Reads the query by the rules of `readQuery`. */
  query<Name extends string>(...known: readonly Name[]): Query<Name> {
    return readQuery(this.#carrier.query, known);
  }

  /** Throws `ORIGIN_NOT_ALLOWED` for a page that may not write. The first thing that a route does that writes. */
  checkOrigin(): void {
    this.#origins.check(this.header("origin"));
  }

  /** Lets the request in by the rules of `RegionService.admit`; its session is in its headers. */
  async admit(stale: boolean = false): Promise<void> {
    await this.service.admit(readSession(this.header, stale));
  }

  /** Reads the body by the rules of `readIncoming`. */
  body(bytesMax: number): Promise<Uint8Array> {
    return this.#carrier.body(bytesMax, this.service.bodies);
  }

  /** Answers with a JSON body. */
  json(status: number, body: unknown, headers: HeaderList = []): Answer {
    return jsonAnswer(status, body, [...headers, ...this.#common()]);
  }

  /** Answers with any body, or none. */
  plain(status: number, body: Uint8Array | null, headers: HeaderList): Answer {
    return { status, body, headers: [...headers, ...this.#common()] };
  }

  #common(): HeaderList {
    return commonHeaders(this.service, isReadable(this.#carrier.method, this.header("origin")));
  }
}
