import type { GenericSchema } from "valibot";

import type { ErrorCode } from "../errors.ts";

/** A parameter of a query, or a header of a request. */
export interface Parameter {
  readonly name: string;
  readonly description: string;
  readonly required?: true;
}

/** Bytes of any content type. */
export const BYTES = "bytes";

/** One request that a program takes, and what it answers. */
export interface ApiRoute {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** With `{name}` where any text may stand. */
  readonly path: string;
  /** What it does, as one sentence. */
  readonly summary: string;
  readonly query?: readonly Parameter[];
  readonly headers?: readonly Parameter[];
  /** What the body of the request is; absent where there is none. */
  readonly body?: GenericSchema | typeof BYTES;
  /** The body of the answer that has the status 200. */
  readonly answer: GenericSchema | typeof BYTES;
  /** The codes that are this route's own, beside those of every route. */
  readonly errors: readonly ErrorCode[];
}
