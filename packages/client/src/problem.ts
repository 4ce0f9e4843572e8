/** Turns HTTP answers into errors. */
import { ERROR_KINDS, MeridianError, type ErrorCode } from "@meridian/protocol";

import type { RawAnswer } from "./exchange.ts";

const decoder = new TextDecoder();

/** The error codes for answers without a problem document. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_ARGUMENT",
  404: "ROUTE_NOT_FOUND",
  405: "METHOD_NOT_ALLOWED",
  409: "POSITION_NOT_REACHED",
  412: "PRECONDITION_FAILED",
  413: "VALUE_TOO_LARGE",
  503: "NODE_SYNCING",
  504: "ACK_TIMEOUT",
};

/** The JSON value of a body. Throws `INVALID_BODY` for anything else. */
export function readJson(answer: RawAnswer, from: string): unknown {
  if (answer.json !== undefined) return answer.json;
  const text = decoder.decode(answer.body);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected JSON from ${from}, got \`${text.slice(0, 80)}\` (HTTP ${answer.status})`,
      { cause },
    );
  }
}

/** The members of a JSON object; of anything else, none. */
function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** The error that an answer stands for, or undefined for a success. */
export function errorOf(answer: RawAnswer, from: string): MeridianError | undefined {
  if (answer.status < 400) return undefined;
  const problem = problemOf(answer, from);
  if (problem !== undefined) return problem;
  const code =
    answer.headers.get("meridian-cache") === "miss"
      ? "KEY_NOT_FOUND"
      : (CODE_OF_STATUS[answer.status] ?? "INTERNAL");
  return new MeridianError(code, `${from} answered HTTP ${answer.status}`, {
    details: { status: answer.status },
  });
}

function problemOf(answer: RawAnswer, from: string): MeridianError | undefined {
  const isEmpty = answer.body.length === 0 && answer.json === undefined;
  if (isEmpty || !/json/.test(answer.headers.get("content-type") ?? "")) return undefined;
  let members: Readonly<Record<string, unknown>>;
  try {
    members = membersOf(readJson(answer, from));
  } catch {
    return undefined;
  }
  const { code, detail, type: _type, title: _title, retryable: _retryable, ...details } = members;
  if (typeof code !== "string") return undefined;
  // An unknown code of a newer server still has its message.
  const known = Object.hasOwn(ERROR_KINDS, code)
    ? (code as ErrorCode)
    : (CODE_OF_STATUS[answer.status] ?? "INTERNAL");
  const message = typeof detail === "string" ? detail : ERROR_KINDS[known].title;
  return new MeridianError(known, message, { details });
}
