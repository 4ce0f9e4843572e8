import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

import type { MeridianError } from "@meridian/protocol";
import { checkKeys, type Principal } from "@meridian/protocol/http-api";
import type { Context } from "hono";

import { bodyBytes } from "./answer-body.ts";
import {
  jsonAnswer,
  jsonTextAnswer,
  problemAnswer,
  textAnswer,
  type Answer,
  type HeaderList,
  type JsonAnswer,
} from "./answer.ts";
import { checkDeclared, readIncoming, readStream } from "./body.ts";
import type { EventStream, EventStreams, StreamEvents } from "./event-streams.ts";
import type { HeldBytes } from "./held-bytes.ts";
import type { PlainWrite } from "./plain-read.ts";
import { principalOf } from "./principals.ts";
import { REFUSAL_HEADERS, type OriginPolicy } from "./origins.ts";
import { readQuery, type Query } from "./query.ts";
import { placeOf } from "./rate-limits.ts";
import { targetOf } from "./target.ts";

/** The environment of an app: the server's request and response. Empty if the app is called directly. */
export interface AppEnv {
  readonly Bindings: {
    /** The request that came to a server. */
    readonly incoming?: IncomingMessage;
    /** The app's answer to it. */
    answer?: Answer;
    /** The path of the route that it was given to. */
    route?: string;
  };
}

/** A request, independent of the server that it came to. */
export interface Carrier {
  readonly method: string;
  /** As the client sent it, still percent-encoded. */
  readonly path: string;
  /** Still percent-encoded, without its question mark. */
  readonly query: string;
  /** Reads a header by its name in lower case. */
  header(name: string): string | undefined;
  /** Throws `FORBIDDEN` for a key that the client's token does not cover. */
  checkKey?(key: string): void;
  /** Who asks, where tokens are asked for. */
  readonly principal?: Principal;
  /** The address that the request came from. */
  remoteAddress?(): string | undefined;
  /** Reads the body by the rules of `readIncoming`, unless it is there already. */
  body(bytesMax: number, bodies: HeldBytes): Promise<Uint8Array> | Uint8Array;
}

/** A request that came through an app. */
export function carrierOfContext(context: Context<AppEnv>): Carrier {
  const { req, env } = context;
  if (env?.incoming !== undefined) return carrierOfIncoming(env.incoming);
  return {
    method: req.method,
    ...targetOf(req.url),
    header: (name) => req.header(name),
    body: (bytesMax) => readStream(req.raw, bytesMax),
  };
}

/** A request straight from a server. */
export function carrierOfIncoming(incoming: IncomingMessage): Carrier {
  const { headers } = incoming;
  const principal = principalOf(incoming);
  return {
    ...(principal && { principal, checkKey: (key: string) => checkKeys(principal, key) }),
    method: incoming.method ?? "",
    remoteAddress: () => incoming.socket.remoteAddress,
    ...targetOf(incoming.url ?? ""),
    header: (name) => headers[name]?.toString(),
    body: (bytesMax, bodies) => readIncoming(incoming, bytesMax, bodies),
  };
}

/** A plain write. A class, because an object with functions of its own costs each write more than reading its head. */
export class PlainCarrier implements Carrier {
  readonly method = "PUT";
  readonly path: string;
  readonly query: string;
  readonly principal?: Principal;
  readonly #write: PlainWrite;

  constructor(write: PlainWrite) {
    const { path, query } = targetOf(write.path);
    this.path = path;
    this.query = query;
    this.#write = write;
    const principal = principalOf(write);
    if (principal !== undefined) this.principal = principal;
  }

  header(name: string): string | undefined {
    return this.#write.head.headers.get(name);
  }

  /** All headers, for the log. */
  get headers(): IncomingHttpHeaders {
    return Object.fromEntries(this.#write.head.headers);
  }

  checkKey(key: string): void {
    if (this.principal !== undefined) checkKeys(this.principal, key);
  }

  remoteAddress(): string | undefined {
    return this.#write.from;
  }

  body(bytesMax: number): Uint8Array {
    const { head, body } = this.#write;
    checkDeclared(head.headers.get("content-length"), bytesMax);
    // What asks for more than to be stored here may wait for long, and must not keep the bodies of others meanwhile.
    return body.byteLength === body.buffer.byteLength ? body : Uint8Array.from(body);
  }
}

/** The headers and errors that all answers of a program share. */
export interface AnswerStyle {
  readonly origins: OriginPolicy;
  /** The headers that every answer carries; `error` is what a problem document tells of. */
  headers(error?: MeridianError): HeaderList;
}

// oxfmt-ignore
const EVENT_HEADERS: HeaderList = [
  "Content-Type", "text/event-stream",
  "Cache-Control", "no-store",
  // Without this header, nginx would hold events back until it has enough of them.
  "X-Accel-Buffering", "no",
];

/** One request and the means to answer it. */
export class Exchange {
  readonly #style: AnswerStyle;
  readonly #carrier: Carrier;

  constructor(style: AnswerStyle, carrier: Carrier) {
    this.#style = style;
    this.#carrier = carrier;
  }

  get method(): string {
    return this.#carrier.method;
  }

  /** As the client sent it, still percent-encoded. */
  get path(): string {
    return this.#carrier.path;
  }

  /** Reads a header by its name in lower case. */
  readonly header = (name: string): string | undefined => this.#carrier.header(name);

  /** Reads the query by the rules of `readQuery`. */
  query<Name extends string>(...known: readonly Name[]): Query<Name> {
    return readQuery(this.#carrier.query, known);
  }

  /** Who asks, where tokens are asked for. */
  get principal(): Principal | undefined {
    return this.#carrier.principal;
  }

  /** What tells this client from others: the id of its token, or else its address. */
  get client(): string {
    return this.principal?.id ?? placeOf(this.#carrier.remoteAddress?.());
  }

  /** Throws `ORIGIN_NOT_ALLOWED` for a page that may not ask. */
  checkOrigin(): void {
    this.#style.origins.check(this.header("origin"));
  }

  /** Returns a key of the request's body. Throws `FORBIDDEN` for a key that the client's token does not cover. */
  checkedKey(key: string): string {
    this.#carrier.checkKey?.(key);
    return key;
  }

  /** Reads the body by the rules of `readIncoming`, unless it is there already. */
  readBody(bytesMax: number, bodies: HeldBytes): Promise<Uint8Array> | Uint8Array {
    return this.#carrier.body(bytesMax, bodies);
  }

  /** Answers with a body that is made JSON. */
  json<const Body>(status: number, body: Body, headers: HeaderList = []): JsonAnswer<Body> {
    return jsonAnswer(status, body, [...headers, ...this.#common()]);
  }

  /** Answers with a body that is the JSON of a `Body` already. */
  jsonText<Body>(text: string, headers: HeaderList = []): JsonAnswer<Body> {
    return jsonTextAnswer(200, text, [...headers, ...this.#common()]);
  }

  /** The same in pieces. */
  jsonPieces<Body>(pieces: readonly Uint8Array[]): JsonAnswer<Body> {
    const length = String(bodyBytes(pieces));
    const headers = ["Content-Type", "application/json", "Content-Length", length];
    const answer = { status: 200, headers: [...headers, ...this.#common()], body: pieces };
    return answer as Answer as JsonAnswer<Body>;
  }

  /** Answers with a body that is text already. */
  text(status: number, contentType: string, text: string, headers: HeaderList = []): Answer {
    return textAnswer(status, contentType, text, [...headers, ...this.#common()]);
  }

  /** Answers with any body, or none. */
  plain(status: number, body: Uint8Array | null, headers: HeaderList): Answer {
    return { status, body, headers: [...headers, ...this.#common()] };
  }

  /** Answers with events; `begin` opens the stream once the head has been written, and is not called where the client is gone. */
  events(
    streams: EventStreams,
    begin: (open: (events: StreamEvents) => EventStream) => void,
  ): Answer {
    const { principal } = this;
    const body = {
      begin: (outgoing: ServerResponse): void =>
        begin((events) => streams.open(outgoing, principal, events)),
    };
    return { status: 200, body, headers: [...EVENT_HEADERS, ...this.#common()] };
  }

  /** Answers with the problem document of an error. */
  problem(error: MeridianError, headers: HeaderList = []): Answer {
    // A page of a refused origin learns only that it is refused.
    if (error.code === "ORIGIN_NOT_ALLOWED") return problemAnswer(error, REFUSAL_HEADERS);
    return problemAnswer(error, [...headers, ...this.#common(error)]);
  }

  #common(error?: MeridianError): HeaderList {
    const { origins } = this.#style;
    return [...this.styleHeaders(error), ...origins.headers(this.header("origin"))];
  }

  /** The headers that every answer of the program carries. */
  protected styleHeaders(error?: MeridianError): HeaderList {
    return this.#style.headers(error);
  }
}

/** The answer of a program to bytes that are no request. The connection ends after it. */
export function refusalOf(style: AnswerStyle, error: MeridianError): Answer {
  return problemAnswer(error, ["Connection", "close", ...style.headers(error)]);
}
