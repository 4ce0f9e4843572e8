import {
  ERROR_KINDS,
  PROBLEM_CONTENT_TYPE,
  retryAfterOf,
  toProblem,
  type MeridianError,
} from "@meridian/protocol";

/** An HTTP answer before it meets a server. */
export interface Answer {
  readonly status: number;
  /** Names and values in turn, as node:http takes them fastest. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** Headers of every answer: any page may read it, and nobody keeps it, for it is true only now. */
// oxfmt-ignore
const COMMON_HEADERS: readonly string[] = [
  "Cache-Control", "no-store",
  "Access-Control-Allow-Origin", "*",
  "Access-Control-Expose-Headers", "Retry-After",
];

const JSON_HEADERS: readonly string[] = ["Content-Type", "application/json", ...COMMON_HEADERS];

const PROBLEM_HEADERS: readonly string[] = [
  "Content-Type",
  PROBLEM_CONTENT_TYPE,
  ...COMMON_HEADERS,
];

/** An answer of 200 with JSON text. */
export function jsonAnswer(body: string): Answer {
  return { status: 200, headers: JSON_HEADERS, body };
}

/** The problem document of an error, with the status of its kind and `headers` beside the usual ones. */
export function problemAnswer(error: MeridianError, headers: readonly string[] = []): Answer {
  return {
    status: ERROR_KINDS[error.code].status,
    headers: [...PROBLEM_HEADERS, ...retryAfterOf(error.code), ...headers],
    body: JSON.stringify(toProblem(error)),
  };
}

/** The answer to what is refused before there is a request to route; the connection ends with it. */
export function refusalOf(error: MeridianError): Answer {
  return problemAnswer(error, ["Connection", "close"]);
}

// oxfmt-ignore
const PREFLIGHT_HEADERS: readonly string[] = [
  ...COMMON_HEADERS,
  "Access-Control-Allow-Methods", "GET, HEAD",
  "Access-Control-Allow-Headers", "*",
  "Access-Control-Max-Age", "86400",
];

/** The answer to a browser that asks whether it may ask. */
export const PREFLIGHT_ANSWER: Answer = { status: 204, headers: PREFLIGHT_HEADERS, body: "" };

/** The answer as the app gives it to its server. */
export function responseOf({ status, headers, body }: Answer): Response {
  const named: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2) named[headers[at] ?? ""] = headers[at + 1] ?? "";
  return new Response(status === 204 ? null : body, { status, headers: named });
}
