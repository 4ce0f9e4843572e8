/**
 * Demands a token before a request is answered. The table of the API says what each route demands; a request for which the table has no route needs a
 * token, too. The gate notes the token's principal in the request, for routes that read keys from a body.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import {
  checkKeys,
  checkScope,
  type Access,
  type ApiTable,
  type Principal,
} from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

import type { Answer } from "./answer.ts";
import { carrierOfIncoming, Exchange, refusalOf, type AnswerStyle } from "./exchange.ts";
import type { RequestListener } from "./http-server.ts";
import type { PlainRead, PlainReader, PlainWriter } from "./plain-read.ts";
import { principalOf, setPrincipal } from "./principals.ts";
import { readQuery } from "./query.ts";
import { placeOf, type RateLimits } from "./rate-limits.ts";
import { answerRaw } from "./raw-answer.ts";
import { reply } from "./reply.ts";
import { HEALTH } from "./request-spans.ts";
import type { RequestLimit } from "./request-limit.ts";
import type { RequestTimes } from "./request-times.ts";
import { NO_ROUTE } from "./routed-app.ts";
import { decodeEscapes, pathAndQueryOf, targetOf, type Target } from "./target.ts";
import type { UpgradeListener } from "./upgrades.ts";

/** Tells what a token grants. */
export interface Authenticator {
  /** What a header `Authorization` grants, if it was verified before. */
  known(authorization: string | undefined): Principal | undefined;
  /** Verifies it. Rejects with `UNAUTHENTICATED`. */
  verify(authorization: string | undefined): Promise<Principal>;
  /** Throws `REVOCATIONS_UNKNOWN` for a token of which this program does not know any more whether it has been revoked. */
  checkAge(principal: Principal): void;
  /** Whether a verified token is no longer valid: it has been revoked since, or its key is no longer trusted. */
  isVoid(principal: Principal): boolean;
  /** Calls back when tokens that were valid may have become invalid. */
  onVoid(callback: () => void): void;
}

/** What a gate is made of. */
export interface GateOptions {
  readonly authenticator: Authenticator;
  readonly api: ApiTable;
  /** The path of the table under which a request's path falls. */
  readonly routeOf: (path: string) => string;
  /** The key that a path names, still percent-encoded. */
  readonly keyOf: (path: string) => string;
  /** Uses a ticket up, and returns what it grants at a path; undefined for a ticket that is not valid there. */
  readonly takeTicket?: (path: string, ticket: string) => Principal | undefined;
  /** Routes beside the table that everybody may read. */
  readonly open: readonly string[];
  readonly style: AnswerStyle;
  readonly limits: RateLimits;
  readonly times: RequestTimes;
  /** The requests under way: those whose tokens become invalid are cut. */
  readonly limit: RequestLimit;
  readonly clock: Clock;
  /** Told of every request that needs a token of scope `admin`. */
  readonly logger: Logger;
}

const PUBLIC: Access = { scope: "public" };
const UNKNOWN: Access = { scope: "any" };
const CHALLENGE = ["WWW-Authenticate", "Bearer"];

/** Admits requests and links that have a token which covers them. */
export class Gate {
  readonly #options: GateOptions;
  readonly #open: ReadonlySet<string>;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#open = new Set(options.open);
    const { authenticator, limit } = options;
    authenticator.onVoid(() =>
      limit.cut((request) => {
        const principal = principalOf(request);
        return principal !== undefined && authenticator.isVoid(principal);
      }),
    );
  }

  /** What answers requests, behind the gate. */
  guard(next: RequestListener): RequestListener {
    const { authenticator, limits } = this.#options;
    return (incoming, outgoing) => {
      const access = this.#accessOf(incoming);
      if (access.scope === "public") return next(incoming, outgoing);
      const refuse = (cause: unknown): void => this.#refuse(incoming, outgoing, cause);
      const pass = (principal: Principal): void => {
        try {
          limits.take(principal.id);
          this.#check(targetOfIncoming(incoming), principal, access);
        } catch (cause) {
          return refuse(cause);
        }
        setPrincipal(incoming, principal);
        if (access.scope === "admin") this.#audit(incoming, principal);
        next(incoming, outgoing);
      };
      const known = authenticator.known(incoming.headers.authorization) ?? this.#ticketOf(incoming);
      if (known !== undefined) return pass(known);
      this.#verify(incoming).then(pass, refuse);
    };
  }

  /** What the ticket of a request without a token grants; undefined without a good one. */
  #ticketOf(incoming: IncomingMessage): Principal | undefined {
    const { takeTicket, authenticator } = this.#options;
    if (takeTicket === undefined || incoming.headers.authorization !== undefined) return undefined;
    const { path, query } = targetOfIncoming(incoming);
    if (incoming.method !== "GET" || !query.includes("ticket=")) return undefined;
    try {
      const principal = takeTicket(path, optionOf({ path, query }, "ticket"));
      return principal === undefined || authenticator.isVoid(principal) ? undefined : principal;
    } catch {
      // The query is not one that a route would read.
      return undefined;
    }
  }

  /** What answers plain reads, behind the gate. It leaves reads that have to be refused, verified or logged to the other listener. */
  guardReads(next: PlainReader): PlainReader {
    const { limits } = this.#options;
    return (read) => {
      const principal = this.#checkPlain("GET", read);
      return principal && takeFor(principal.id, limits, () => next(read));
    };
  }

  /** The same for plain writes. */
  guardWrites(next: PlainWriter): PlainWriter {
    const { limits } = this.#options;
    return (write, onAnswer) => {
      const principal = this.#checkPlain("PUT", write);
      if (principal === undefined) return undefined;
      setPrincipal(write, principal);
      return takeFor(principal.id, limits, () => next(write, onAnswer));
    };
  }

  /** Who asks. Throws for a client that may not; returns undefined for one who is not known yet, or told of in the log. */
  #checkPlain(method: string, { path, head }: PlainRead): Principal | undefined {
    const target = targetOf(path);
    const access = this.#accessAt(method, target.path);
    const principal = this.#options.authenticator.known(head.authorization);
    if (principal === undefined || access.scope === "admin") return undefined;
    this.#check(target, principal, access);
    return principal;
  }

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse, cause: unknown): void {
    const { style, clock, times, api, routeOf } = this.#options;
    const error = asMeridianError(cause);
    const exchange = new Exchange(style, carrierOfIncoming(incoming));
    // The rest of the body is not wanted, so the connection ends. A client that is only too fast may send its next request on the same connection.
    const closing = error.code === "RATE_LIMITED" ? [] : ["Connection", "close"];
    const answer = exchange.problem(error, [...closing, ...challengeOf(error)]);
    const route = routeOf(targetOfIncoming(incoming).path);
    times
      .of(incoming.method ?? "", Object.hasOwn(api, route) ? route : NO_ROUTE)
      .observe(answer.status, clock.elapsedMs());
    reply(clock, incoming, outgoing, answer);
  }

  #verify({ headers, socket }: IncomingMessage): Promise<Principal> {
    return verifyToken(this.#options, headers.authorization, socket.remoteAddress);
  }

  /** What takes links, behind the gate: they need a token of scope `node`. */
  guardLink(next: UpgradeListener): UpgradeListener {
    const { style } = this.#options;
    return (incoming, socket, head) => {
      const refuse = (cause: unknown): void => {
        const error = asMeridianError(cause);
        const answer = withHeaders(refusalOf(style, error), challengeOf(error));
        answerRaw(socket, answer, incoming.headers);
      };
      const pass = (principal: Principal): void => {
        if (isGone(socket)) return;
        if (principal.scope !== "node") return refuse(notNode(principal));
        setPrincipal(incoming, principal);
        next(incoming, socket, head);
      };
      this.#verify(incoming).then(pass, refuse);
    };
  }

  #audit({ method, url = "" }: IncomingMessage, { id, subject }: Principal): void {
    const { path } = targetOf(url);
    const fields = { method, path: path.slice(0, 200), token: id, subject };
    this.#options.logger.info("a request of scope admin", fields);
  }

  #check(target: Target, principal: Principal, access: Access): void {
    checkScope(principal, access);
    // A route for any token shows no values, and an operator needs it while the program is cut off.
    if (access.scope !== "any") this.#options.authenticator.checkAge(principal);
    if (principal.prefixes.includes("")) return;
    if (access.keys === "path") {
      const key = this.#options.keyOf(target.path);
      checkKeys(principal, decodeEscapes(key, "INVALID_KEY"));
    } else if (access.keys === "watch") {
      const key = optionOf(target, "key");
      checkKeys(principal, key === "" ? optionOf(target, "prefix") : key);
    } else if (access.keys === "query" || access.keys === "prefix") {
      const name = access.keys === "query" ? "key" : "prefix";
      checkKeys(principal, optionOf(target, name));
    }
  }

  #accessOf(incoming: IncomingMessage): Access {
    const { method = "" } = incoming;
    // Browsers ask what they may ask without a token (CORS).
    if (method === "OPTIONS") return PUBLIC;
    return this.#accessAt(method, targetOfIncoming(incoming).path);
  }

  #accessAt(method: string, path: string): Access {
    const { api, routeOf } = this.#options;
    const route = routeOf(path);
    if (this.#open.has(route)) return PUBLIC;
    const methods = Object.hasOwn(api, route) ? api[route] : undefined;
    return methods?.[(method === "HEAD" ? "GET" : method) as "GET"]?.access ?? UNKNOWN;
  }
}

/** What a token grants that has not been verified yet. Addresses that show many bad ones are not listened to for a while. */
export async function verifyToken(
  { authenticator, limits }: Pick<GateOptions, "authenticator" | "limits">,
  authorization: string | undefined,
  remoteAddress: string | undefined,
): Promise<Principal> {
  if (authorization === undefined) limits.take(placeOf(remoteAddress));
  else limits.checkAddress(remoteAddress);
  try {
    return await authenticator.verify(authorization);
  } catch (cause) {
    // A request without a token is not an attempt to guess one.
    if (authorization !== undefined) limits.fail(remoteAddress);
    throw cause;
  }
}

/** Answers the requests of a program that demands no tokens, within the rate limit of each address. */
export function limitAddresses(
  next: RequestListener,
  { limits, style, clock }: Pick<GateOptions, "limits" | "style" | "clock">,
): RequestListener {
  return (incoming, outgoing) => {
    try {
      if (limits.areLimited && !HEALTH.test(incoming.url ?? ""))
        limits.take(placeOf(incoming.socket.remoteAddress));
    } catch (cause) {
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      return reply(clock, incoming, outgoing, exchange.problem(asMeridianError(cause)));
    }
    next(incoming, outgoing);
  };
}

/** The same for plain reads. */
export function limitReads(next: PlainReader, limits: RateLimits): PlainReader {
  return (read) =>
    limits.areLimited ? takeFor(placeOf(read.from), limits, () => next(read)) : next(read);
}

/** The same for plain writes. */
export function limitWrites(next: PlainWriter, limits: RateLimits): PlainWriter {
  return (write, onAnswer) =>
    limits.areLimited
      ? takeFor(placeOf(write.from), limits, () => next(write, onAnswer))
      : next(write, onAnswer);
}

/** Counts a request of a client if it is taken. */
function takeFor<Taken>(
  client: string,
  limits: RateLimits,
  take: () => Taken | undefined,
): Taken | undefined {
  if (!limits.hasRoom(client)) return undefined;
  const taken = take();
  if (taken !== undefined) limits.take(client);
  return taken;
}

/** The target as it is routed. */
function targetOfIncoming({ url = "" }: IncomingMessage): Target {
  return targetOf(pathAndQueryOf(url) ?? "/");
}

/** An option of the query, read as routes read it; they refuse a query with options that they do not know. */
function optionOf({ query }: Target, name: string): string {
  const names = query
    .split("&")
    .map((pair) => decodeEscapes((pair.split("=")[0] ?? "").replaceAll("+", " ")));
  return readQuery(query, names)[name] ?? "";
}

function challengeOf({ code }: MeridianError): readonly string[] {
  return code === "UNAUTHENTICATED" ? CHALLENGE : [];
}

function notNode({ scope }: Principal): MeridianError {
  return new MeridianError(
    "FORBIDDEN",
    `Expected a token of scope \`node\` for a link, got one of \`${scope}\``,
  );
}

function isGone(socket: Duplex): boolean {
  return socket.destroyed || !socket.writable;
}

function withHeaders(answer: Answer, headers: readonly string[]): Answer {
  return { ...answer, headers: [...answer.headers, ...headers] };
}
