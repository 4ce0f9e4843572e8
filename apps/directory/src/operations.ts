/**
 * What an operator asks of the directory that orders the log. One that serves nodes beside it passes the question on, and so answers as that one does.
 */
import type { FollowedLog } from "@meridian/log-jetstream";
import type { LogDoubt } from "@meridian/ports";
import { asMeridianError, MeridianError, toProblem } from "@meridian/protocol";
import { absentNode, checkAnswer, doubtEnded, problem } from "@meridian/protocol/http-api";
import type { AbsentMember, Directory } from "@meridian/replication";

import { absentMemberOf, describeAbsent } from "./http/nodes.ts";

/** What an operator may ask of a directory. */
export interface Operations {
  /** Forgets a node that is gone. Resolves once that is durable. Rejects with `NODE_NOT_FOUND` or `NODE_PRESENT`. */
  forget(id: string): Promise<AbsentMember>;
  /** Decides conditions again, although the log may have lost something. Resolves to what had shown that once it is durable; to null if nothing had. */
  acceptLoss(): Promise<LogDoubt | null>;
}

/** The operations of the directory that orders the log. */
export function operationsOf(directory: Pick<Directory, "forget" | "acceptLoss">): Operations {
  return {
    forget: (id) => promised((done) => directory.forget(id, done)),
    acceptLoss: () => promised((done) => directory.acceptLoss(done)),
  };
}

/** The operations of a directory that passes them on to the one that orders the log. */
export function operationsThrough(uplink: Pick<FollowedLog["uplink"], "ask">): Operations {
  const ask = async (question: Question): Promise<unknown> =>
    answerIn(await uplink.ask(JSON.stringify(question)));
  return {
    forget: async (id) =>
      absentMemberOf(checkAnswer(absentNode, await ask({ operation: "forget", id }), WRITER)),
    acceptLoss: async () => {
      const answer = await ask({ operation: "accept-loss" });
      return checkAnswer(doubtEnded, answer, WRITER).ended;
    },
  };
}

/** Answers, at the directory that orders the log, what `operationsThrough` asks. Never rejects. */
export async function answerOperation(operations: Operations, text: string): Promise<string> {
  try {
    return JSON.stringify({ answer: await answerTo(operations, questionIn(text)) });
  } catch (cause) {
    return JSON.stringify({ problem: toProblem(asMeridianError(cause)) });
  }
}

type Question =
  | { readonly operation: "forget"; readonly id: string }
  | { readonly operation: "accept-loss" };

/** How answers of the writer are named in messages. */
const WRITER = "the directory that writes the log";

async function answerTo(operations: Operations, question: Question): Promise<unknown> {
  switch (question.operation) {
    case "forget":
      return describeAbsent(await operations.forget(question.id));
    case "accept-loss":
      return { ended: await operations.acceptLoss() };
  }
}

function questionIn(text: string): Question {
  const { operation, id } = fieldsOf(text);
  if (operation === "forget" && typeof id === "string") return { operation, id };
  if (operation === "accept-loss") return { operation };
  throw new MeridianError(
    "UNSUPPORTED_VERSION",
    `Expected an operation, got ${text.slice(0, 100)}`,
  );
}

function answerIn(text: string): unknown {
  const fields = fieldsOf(text);
  if ("answer" in fields) return fields["answer"];
  const { code, detail } = checkAnswer(problem, fields["problem"], WRITER);
  throw new MeridianError(code, detail);
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  const read: unknown = JSON.parse(text);
  return typeof read === "object" && read !== null ? { ...read } : {};
}

function promised<Result>(
  start: (done: (failure?: MeridianError) => void) => Result,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const result = start((failure) => (failure === undefined ? resolve(result) : reject(failure)));
  });
}
