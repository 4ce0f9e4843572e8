import type { GenericSchema, InferOutput } from "valibot";

import type { ErrorCode } from "../errors.ts";
import type { Access } from "./access.ts";

/** A parameter of a query, or a header of a request. */
export interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
}

/** Bytes of any content type. */
export const BYTES = "bytes";

/** Events that are sent by the server as they happen, until one of the two has enough (`text/event-stream`). */
export const EVENTS = "events";

/** One method of one path: what the request takes, and what it answers. */
export interface ApiRoute {
  /** What the request does, as one sentence. */
  readonly summary: string;
  /** What the route demands of the client, on programs with `--token-keys`. */
  readonly access: Access;
  readonly query?: readonly Parameter[];
  readonly headers?: readonly Parameter[];
  /** The schema of the request's body; absent if the request has none. */
  readonly body?: GenericSchema | typeof BYTES;
  /** Whether the request may have no body. */
  readonly bodyOptional?: true;
  /** The body of the answer that has the status 200. */
  readonly answer: GenericSchema | typeof BYTES | typeof EVENTS;
  /** The error codes of this route, besides those that every route has. */
  readonly errors: readonly ErrorCode[];
}

/** The requests that a program takes, by path and method. A path has `{name}` where any text may stand. */
export type ApiTable = Readonly<
  Record<string, Readonly<Partial<Record<"GET" | "PUT" | "POST" | "DELETE", ApiRoute>>>>
>;

/** A route with its place in the table. */
export interface PlacedRoute extends ApiRoute {
  readonly method: string;
  readonly path: string;
}

/** The routes of a table one by one. */
export function routesOf(table: ApiTable): readonly PlacedRoute[] {
  return Object.entries(table).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({ method, path, ...route })),
  );
}

/** What a schema describes, deeply read-only. */
export type Described<Schema extends GenericSchema> = Unchanging<InferOutput<Schema>>;

/** What a route answers; `typeof BYTES` if the answer is not JSON. */
export type AnswerOf<Route> = Route extends { readonly answer: infer Answer }
  ? Answer extends GenericSchema
    ? Described<Answer>
    : typeof BYTES
  : never;

type Unchanging<Value> = Value extends readonly (infer Element)[]
  ? readonly Unchanging<Element>[]
  : Value extends object
    ? { readonly [Name in keyof Value]: Unchanging<Value[Name]> }
    : Value;
