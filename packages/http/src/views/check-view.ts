/** What a node or a directory may answer to a request that is handed on to it. */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import {
  BYTES,
  checkAnswer,
  EVENTS,
  problem,
  type ApiRoute,
  type Described,
} from "@meridian/protocol/http-api";

import type { ProgramAnswer } from "./program-request.ts";

/** A message of a node is shown to this length. */
const DETAIL_UNITS_MAX = 1_000;

/**
 * The text of an answer that is what its route promises; nothing else of what a node says goes on. Throws the problem that the node
 * answered, and `NODE_ANSWER_INVALID` for anything else: a page, a redirection, another program's JSON.
 */
export function checkView(
  who: string,
  { answer }: Pick<ApiRoute, "answer">,
  told: ProgramAnswer,
): string {
  const { status, contentType, text } = told;
  if (answer === BYTES || answer === EVENTS) throw invalid(who, "bytes");
  if (status === 200 && contentType.startsWith("application/json")) {
    try {
      checkAnswer(answer, JSON.parse(text), who);
    } catch (cause) {
      throw new MeridianError("NODE_ANSWER_INVALID", saidBy(cause));
    }
    return text;
  }
  throw failureIn(text) ?? invalid(who, `HTTP ${status} with ${contentType.slice(0, 80)}`);
}

function failureIn(text: string): MeridianError | undefined {
  let told: Described<typeof problem>;
  try {
    told = checkAnswer(problem, JSON.parse(text), "the program");
  } catch {
    return undefined;
  }
  const { code, detail } = told;
  const said = detail.slice(0, DETAIL_UNITS_MAX);
  // What fails in a node is no failure of this directory.
  return code === "INTERNAL"
    ? new MeridianError("NODE_ANSWER_INVALID", `The node failed: ${said}`)
    : new MeridianError(code, said);
}

function invalid(who: string, got: string): MeridianError {
  return new MeridianError(
    "NODE_ANSWER_INVALID",
    `Expected ${who} to answer what it was asked for, got ${got}`,
  );
}

function saidBy(cause: unknown): string {
  return cause instanceof SyntaxError
    ? "Expected JSON of the node, got something else"
    : asMeridianError(cause).message.slice(0, DETAIL_UNITS_MAX);
}
