import * as v from "valibot";

import { MeridianError, type ErrorDetails } from "../errors.ts";
import { isDeeperThan } from "../json-depth.ts";
import {
  requestId,
  SOCKET_REQUESTS,
  type RequestId,
  type SocketRequest,
  type SocketRequestType,
} from "./requests.ts";

/** A message that has been read: a request, or what is wrong with it, and the id that it has if it has one. */
export type ReadRequest =
  | { readonly id: RequestId; readonly request: SocketRequest }
  | { readonly id: RequestId | null; readonly error: MeridianError };

/** How many lists and objects may be in each other. JSON values that are deeper are nobody's data. */
export const SOCKET_DEPTH_MAX = 64;

/** Reads a message of a client. What is wrong with it has the code `MALFORMED_MESSAGE`, `INVALID_BODY` or `UNKNOWN_OPTION`. */
export function readSocketRequest(text: string): ReadRequest {
  let json: unknown;
  if (isDeeperThan(text, SOCKET_DEPTH_MAX)) {
    return failed(null, "MALFORMED_MESSAGE", `Expected JSON of at most ${SOCKET_DEPTH_MAX} levels`);
  }
  try {
    json = JSON.parse(text);
  } catch {
    return failed(null, "MALFORMED_MESSAGE", "Expected a JSON object, got text that is no JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return failed(null, "MALFORMED_MESSAGE", "Expected a JSON object, got another value");
  }
  const { id, type } = json as Readonly<Record<string, unknown>>;
  if (!v.is(requestId, id)) {
    const said = `Expected \`id\` to be text of 1 to 64 characters or a whole number from 0, got ${shown(id)}`;
    return failed(null, "MALFORMED_MESSAGE", said);
  }
  if (typeof type !== "string" || !Object.hasOwn(SOCKET_REQUESTS, type)) {
    const known = Object.keys(SOCKET_REQUESTS);
    const said = `Expected \`type\` to be one of ${known.join(", ")}, got ${shown(type)}`;
    return failed(id, "MALFORMED_MESSAGE", said);
  }
  const { issues, output } = v.safeParse(
    SOCKET_REQUESTS[type as SocketRequestType] as v.GenericSchema<unknown, SocketRequest>,
    json,
    { abortEarly: true },
  );
  if (issues === undefined) return { id, request: output };
  return { id, error: errorOf(type, issues[0]) };
}

function errorOf(type: string, issue: v.BaseIssue<unknown>): MeridianError {
  const path = v.getDotPath(issue) ?? "the message";
  if (issue.type === "strict_object" && issue.expected === "never") {
    const said = `Expected only members that \`${type}\` has, got \`${path.slice(0, 100)}\``;
    return new MeridianError("UNKNOWN_OPTION", said, { details: { option: path.slice(0, 100) } });
  }
  const expected = issue.expected ?? issue.message;
  const got = issue.received === "undefined" ? "nothing" : issue.received.slice(0, 100);
  const said =
    issue.received === "undefined" || issue.input === undefined
      ? `Expected \`${path}\`, got ${got}`
      : `Expected \`${path}\` to be ${expected}, got ${got}`;
  return new MeridianError("INVALID_BODY", said);
}

function failed(
  id: RequestId | null,
  code: "MALFORMED_MESSAGE",
  said: string,
  details?: ErrorDetails,
): ReadRequest {
  return { id, error: new MeridianError(code, said, details && { details }) };
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return `\`${value.slice(0, 100)}\``;
  return typeof value === "number" ? String(value) : `another value`;
}
