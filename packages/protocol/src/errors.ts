/** What one error code means to every party. */
export interface ErrorKind {
  /** What the code means, as one sentence. */
  readonly title: string;
  /** The HTTP status it is answered with. */
  readonly status: number;
  /** The WebSocket close code it is sent with, for the codes that end a connection. */
  readonly closeCode?: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
}

/** Every error code. Codes are part of the public interface: new ones are added, none gets another meaning. */
export const ERROR_KINDS = {
  // The request itself is wrong.
  INVALID_COORDINATES: {
    title: "The coordinates are not a place on Earth.",
    status: 400,
    retryable: false,
  },
  INVALID_KEY: { title: "The key is not one that Meridian takes.", status: 400, retryable: false },
  INVALID_TTL: {
    title: "The time to live is not one that Meridian takes.",
    status: 400,
    retryable: false,
  },
  INVALID_ARGUMENT: {
    title: "An option has a value that is not allowed.",
    status: 400,
    retryable: false,
  },
  UNKNOWN_OPTION: {
    title: "The request has an option that does not exist.",
    status: 400,
    retryable: false,
  },
  INVALID_BODY: {
    title: "The body is not what this request takes.",
    status: 400,
    retryable: false,
  },
  INVALID_POSITION: {
    title: "The position token is not one that Meridian issued.",
    status: 400,
    retryable: false,
  },
  HEADERS_TOO_LARGE: {
    title: "The head of the request is larger than this server reads.",
    status: 431,
    retryable: false,
  },
  EXPECTATION_FAILED: {
    title: "The request expects what this server does not do.",
    status: 417,
    retryable: false,
  },
  NOT_IMPLEMENTED: {
    title: "The body has an encoding that this server does not support.",
    status: 501,
    retryable: false,
  },
  VALUE_TOO_LARGE: {
    title: "The value is larger than this node takes.",
    status: 413,
    retryable: false,
  },
  // The request is well-formed, but its object does not exist or may not be used so.
  KEY_NOT_FOUND: { title: "The key has no live value.", status: 404, retryable: false },
  NODE_NOT_FOUND: { title: "No node of that id is known.", status: 404, retryable: false },
  NODE_PRESENT: {
    title: "The node is there; only one that is gone can be forgotten.",
    status: 409,
    retryable: false,
  },
  QUARANTINED_NOT_FOUND: {
    title: "No quarantined entry has that id.",
    status: 404,
    retryable: false,
  },
  QUARANTINED_EXPIRED: {
    title: "The quarantined entry has expired and is not written again.",
    status: 410,
    retryable: false,
  },
  BACKUP_NOT_FOUND: {
    title: "There is no such backup, or it has been dropped.",
    status: 404,
    retryable: false,
  },
  BACKUP_DAMAGED: {
    title: "The file differs from the backup that was written.",
    status: 422,
    retryable: false,
  },
  ROUTE_NOT_FOUND: { title: "There is nothing at this path.", status: 404, retryable: false },
  METHOD_NOT_ALLOWED: {
    title: "This path does not take that method.",
    status: 405,
    retryable: false,
  },
  ORIGIN_NOT_ALLOWED: {
    title: "Web pages of this origin may not use this server.",
    status: 403,
    retryable: false,
  },
  HOST_NOT_ALLOWED: {
    title: "This server does not answer to that name.",
    status: 403,
    retryable: false,
  },
  UNAUTHENTICATED: {
    title: "The request has no valid token.",
    status: 401,
    closeCode: 4416,
    retryable: false,
  },
  RATE_LIMITED: {
    title: "The client has sent too many requests, or too many invalid tokens.",
    status: 429,
    retryable: true,
  },
  REVOCATIONS_UNKNOWN: {
    title: "This program has been cut off for so long that it accepts only recently issued tokens.",
    status: 503,
    retryable: true,
  },
  FORBIDDEN: {
    title: "The client is not allowed to do this.",
    status: 403,
    closeCode: 4401,
    retryable: false,
  },
  PRECONDITION_FAILED: {
    title: "The entry is not in the state that the request asked for.",
    status: 412,
    retryable: false,
  },
  NOT_SCOPED: {
    title: "The value was written without `scope=cluster`, so no condition on it can be decided.",
    status: 409,
    retryable: false,
  },
  // The cluster cannot do it now.
  CONDITIONS_UNAVAILABLE: {
    title: "Nobody can decide conditions for the whole cluster now.",
    status: 503,
    retryable: true,
  },
  POSITION_NOT_REACHED: {
    title: "This node has not yet reached the position that the request asked for.",
    status: 409,
    retryable: true,
  },
  DEADLINE_PASSED: {
    title:
      "The write came to its turn after the deadline that its client has set; it was not made.",
    status: 409,
    retryable: true,
  },
  ACK_TIMEOUT: {
    title: "The write is stored on this node, but not yet acknowledged as widely as asked.",
    status: 504,
    retryable: false,
  },
  OUTCOME_UNKNOWN: {
    title: "The conditional write may have been applied or not; nobody answered.",
    status: 504,
    retryable: false,
  },
  CLIENT_CLOSED: {
    title: "The client library was closed and makes no more calls.",
    status: 500,
    retryable: false,
  },
  LOAD_TIMEOUT: {
    title: "The program's own loader exceeded its time limit.",
    status: 504,
    retryable: true,
  },
  NODE_SYNCING: {
    title: "This node is catching up and would answer with stale data.",
    status: 503,
    retryable: true,
  },
  NODE_DRAINING: { title: "This node is shutting down.", status: 503, retryable: true },
  NODE_REFUSED: {
    title: "The directory refuses this node; its operator has to do something.",
    status: 503,
    retryable: true,
  },
  NODE_NOT_ADMITTED: {
    title: "No directory has ever admitted this node, so nobody else would get the write.",
    status: 503,
    retryable: true,
  },
  OVERLOADED: {
    title: "Too much work is waiting already.",
    status: 503,
    closeCode: 4413,
    retryable: true,
  },
  REQUEST_TIMEOUT: {
    title: "The request took too long to arrive.",
    status: 408,
    retryable: true,
  },
  NODE_UNREACHABLE: {
    title: "The node that was to be asked does not answer.",
    status: 504,
    retryable: true,
  },
  NODE_ANSWER_INVALID: {
    title: "The node that was asked answered something else than it was asked for.",
    status: 502,
    retryable: false,
  },
  NO_READY_NODE: { title: "No node is ready to serve.", status: 503, retryable: true },
  DIRECTORY_SYNCING: {
    title: "This directory is catching up with the others.",
    status: 503,
    closeCode: 4415,
    retryable: true,
  },
  DIRECTORY_UNREACHABLE: { title: "The directory does not answer.", status: 503, retryable: true },
  STORE_FULL: { title: "There is no room left on the disk.", status: 507, retryable: true },
  STORE_READ_ONLY: {
    title: "The disk is read-only, or this user may only read it.",
    status: 507,
    retryable: true,
  },
  STORE_FAILED: {
    title: "The store could not carry out the operation.",
    status: 500,
    retryable: true,
  },
  INTERNAL: {
    title: "Something is wrong in Meridian itself.",
    status: 500,
    closeCode: 1011,
    retryable: true,
  },
  // A program cannot start.
  INVALID_CONFIG: {
    title: "The configuration is not valid.",
    status: 500,
    retryable: false,
  },
  ADDRESS_IN_USE: {
    title: "Another program listens on that address.",
    status: 500,
    retryable: true,
  },
  STORE_IN_USE: { title: "Another process has the database open.", status: 500, retryable: true },
  STORE_SCHEMA_TOO_NEW: {
    title: "The database was written by a newer version.",
    status: 500,
    retryable: false,
  },
  STORE_WRONG_KIND: {
    title: "The file is a database of another kind of program.",
    status: 500,
    retryable: false,
  },
  STORE_CORRUPT: { title: "The database is damaged.", status: 500, retryable: false },
  // A replication link ends, or a frame on it is refused.
  MALFORMED_MESSAGE: {
    title: "The message does not follow the protocol.",
    status: 400,
    closeCode: 4400,
    retryable: false,
  },
  UNSUPPORTED_VERSION: {
    title: "The parties speak different versions of the protocol.",
    status: 400,
    closeCode: 4426,
    retryable: false,
  },
  WRONG_CLUSTER: {
    title: "The node belongs to another cluster.",
    status: 403,
    closeCode: 4403,
    retryable: false,
  },
  NODE_ID_TAKEN: {
    title: "Another live node has that id.",
    status: 409,
    closeCode: 4409,
    retryable: true,
  },
  INCARNATION_REUSED: {
    title: "The node's database is an older copy of one that went on.",
    status: 409,
    closeCode: 4411,
    retryable: true,
  },
  SAME_LOG: {
    title: "A directory cannot follow its own log, nor a copy of it.",
    status: 409,
    closeCode: 4414,
    retryable: false,
  },
  SESSION_REPLACED: {
    title: "The same node has connected again.",
    status: 409,
    closeCode: 4412,
    retryable: true,
  },
  LEASE_EXPIRED: {
    title: "The peer has been silent for too long.",
    status: 408,
    closeCode: 4408,
    retryable: true,
  },
  OUT_OF_ORDER: {
    title: "A message is missing before this one.",
    status: 409,
    closeCode: 4410,
    retryable: true,
  },
  GOING_AWAY: {
    title: "The peer is shutting down.",
    status: 503,
    closeCode: 1001,
    retryable: true,
  },
  CLOCK_OUT_OF_RANGE: {
    title: "The node's clock shows a time that no stamp can hold.",
    status: 503,
    retryable: true,
  },
  CLOCK_AHEAD: { title: "A stamp lies too far in the future.", status: 409, retryable: true },
} as const;

/** The name of an error, stable across versions. */
export type ErrorCode = keyof typeof ERROR_KINDS;

/** Facts about an error, for machines: plain JSON values. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The one error class of Meridian. Its message says what was expected and what came. */
export class MeridianError extends Error {
  readonly code: ErrorCode;
  /** Whether the same call may succeed later, unchanged. */
  readonly retryable: boolean;
  readonly details: ErrorDetails | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MeridianError";
    this.code = code;
    this.retryable = ERROR_KINDS[code].retryable;
    this.details = options.details;
  }
}

/** Returns `cause` itself if it is a `MeridianError`, else an `INTERNAL` error whose `cause` it is. */
export function asMeridianError(cause: unknown): MeridianError {
  if (cause instanceof MeridianError) return cause;
  return new MeridianError("INTERNAL", `Unexpected failure: ${textOf(cause)}`, { cause });
}

function textOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message;
  try {
    return String(cause);
  } catch {
    // An object without a usable `toString`.
    return typeof cause;
  }
}

/** The body of an HTTP error answer, `application/problem+json` (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly [detail: string]: unknown;
}

/** The media type of a `Problem`. */
export const PROBLEM_CONTENT_TYPE = "application/problem+json";

/** The problem document of an error. The error's details become members of the document. */
export function toProblem(error: MeridianError): Problem {
  const kind = ERROR_KINDS[error.code];
  return {
    ...error.details,
    type: `urn:meridian:error:${error.code.toLowerCase().replaceAll("_", "-")}`,
    title: kind.title,
    status: kind.status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
  };
}

/** How many seconds a client is asked to wait before it repeats a request that failed temporarily. */
const RETRY_AFTER_SECONDS = 1;

/**
 * The `Retry-After` header of an HTTP error answer, as `[name, value]`; empty unless the error is retryable and its status is 429, 503 or 507. The
 * value is `details.retryAfterSeconds`, 1 by default.
 */
export function retryAfterOf({ code, details }: MeridianError): readonly string[] {
  const { status, retryable }: ErrorKind = ERROR_KINDS[code];
  if (!retryable || (status !== 503 && status !== 507 && status !== 429)) return [];
  const { retryAfterSeconds = RETRY_AFTER_SECONDS } = details ?? {};
  return ["Retry-After", String(retryAfterSeconds)];
}

/** The WebSocket close code of an error; 1011, an internal error, for codes that have none. */
export function closeCodeOf(code: ErrorCode): number {
  const kind: ErrorKind = ERROR_KINDS[code];
  return kind.closeCode ?? 1011;
}

/** The error code that a WebSocket close code stands for; undefined for close codes that Meridian does not define. */
export function errorOfCloseCode(closeCode: number): ErrorCode | undefined {
  for (const code of Object.keys(ERROR_KINDS) as ErrorCode[]) {
    const kind: ErrorKind = ERROR_KINDS[code];
    if (kind.closeCode === closeCode) return code;
  }
  return undefined;
}
