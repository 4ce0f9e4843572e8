/**
 * The shortest way to the commonest answer: a plain `GET /nearest` is answered below node:http, exactly as the app would, header for
 * header. It takes a request only if it is sure of that; all others go to the app.
 *
 * Programs ask for the same places again and again: their own. So answers are kept, each as long as these nodes say the same, and which nodes are around
 * a place, until one of all nodes has come, gone or moved. What is asked once only is not kept: that would cost more than the answer.
 */
import { HeadText, type AnswerStyle, type PlainAnswer, type PlainReader } from "@meridian/http";

import type { FoundNodes } from "../node-registry.ts";
import type { DirectoryService } from "./directory-service.ts";
import {
  bodyOf,
  frameOf,
  offered,
  readPlainNearest,
  type NearestQuestion,
  type NodeFrame,
} from "./nearest.ts";

const PREFIX = "/nearest?";

/** The place of the length in the list of headers. */
const LENGTH_AT = 3;

/** All answers together keep so much at most, each as much as its nodes and two more: some five mebibytes. */
const KEPT_MAX = 16_384;

/** Of so many paths it is noted that they were asked for: each has the place of the last one that shares it. */
const NOTED_MAX = 4_096;

/** What is kept of one path. */
interface KeptAnswer {
  readonly question: NearestQuestion;
  readonly around: FoundNodes;
  /** Invariant: as many as the registry had counted when it found `around`. */
  readonly moves: number;
  answer: PlainAnswer;
  /** What the answer says of its nodes. */
  frames: readonly NodeFrame[];
  /** The answer holds in this round of the registry, and as long as nodes may be behind by so much. */
  round: number;
  lagMaxMs: number;
}

/** Answers plain requests for the nearest nodes. */
export function nearestReads(service: DirectoryService, style: AnswerStyle): PlainReader {
  const answers = new NearestAnswers(service, style);
  return ({ path }) => {
    if (!path.startsWith(PREFIX) || service.notReady() !== undefined) return undefined;
    // The app says how old the answer is.
    return service.unheardMs() === undefined ? answers.of(path) : undefined;
  };
}

/** Makes answers, and keeps them. */
class NearestAnswers {
  readonly #service: DirectoryService;
  readonly #headers: string[];
  readonly #text: HeadText;
  readonly #kept = new Map<string, KeptAnswer>();
  readonly #noted = new NotedPaths();
  /** Invariant: the sum of the weights of what is in `#kept`. */
  #weight = 0;

  constructor(service: DirectoryService, style: AnswerStyle) {
    this.#service = service;
    const top = ["Content-Type", "application/json", "Content-Length", ""];
    this.#headers = [...top, ...style.headers(), ...style.origins.unnamed];
    this.#text = new HeadText(200, this.#headers);
  }

  /** The answer to a path; undefined if the path is not plain. Throws what the app throws. */
  of(path: string): PlainAnswer | undefined {
    const { registry, lag } = this.#service;
    const { round, moves } = registry;
    const kept = this.#kept.get(path);
    if (kept?.moves !== moves) return this.#find(path, kept);
    if (kept.round !== round || kept.lagMaxMs !== lag.maxMs) this.#renew(kept);
    return kept.answer;
  }

  /** Finds the nodes around a place, and answers with them. `before` is what was kept of the path. */
  #find(path: string, before: KeptAnswer | undefined): PlainAnswer | undefined {
    const question = before?.question ?? readPlainNearest(path.slice(PREFIX.length));
    if (question === undefined) return undefined;
    const { registry, lag } = this.#service;
    const { round, moves } = registry;
    const around = registry.around(question.coordinates, question.limit);
    const found = offered(registry, lag.maxMs, question, around);
    const answer = this.#make(found);
    if (before !== undefined || this.#noted.has(path)) {
      const frames = found.map(({ node }) => frameOf(node));
      const kept = { question, around, moves, frames, round, lagMaxMs: lag.maxMs };
      this.#keep(path, { ...kept, answer: inOnePiece(answer) }, before);
    }
    return answer;
  }

  /** Answers anew if one of the nodes says something else. */
  #renew(kept: KeptAnswer): void {
    const { registry, lag } = this.#service;
    const { question, around, frames } = kept;
    const found = offered(registry, lag.maxMs, question, around);
    const areSame =
      found.length === frames.length && found.every(({ node }, at) => frameOf(node) === frames[at]);
    if (!areSame) {
      kept.answer = inOnePiece(this.#make(found));
      kept.frames = found.map(({ node }) => frameOf(node));
    }
    kept.round = registry.round;
    kept.lagMaxMs = lag.maxMs;
  }

  #keep(path: string, kept: KeptAnswer, before: KeptAnswer | undefined): void {
    this.#weight += weightOf(kept) - (before === undefined ? 0 : weightOf(before));
    if (this.#weight > KEPT_MAX) {
      this.#kept.clear();
      this.#weight = weightOf(kept);
    }
    // What was cut out of the text of a request would keep all of that text.
    this.#kept.set(before === undefined ? ownText(path) : path, kept);
  }

  #make(found: FoundNodes): PlainAnswer {
    const body = bodyOf(found);
    this.#headers[LENGTH_AT] = String(body.length);
    return { head: this.#text.of(this.#headers), body };
  }
}

/** Which paths were asked for lately. */
class NotedPaths {
  readonly #hashes = new Int32Array(NOTED_MAX);
  #count = 0;

  /** Notes a path. Returns whether it was noted before. */
  has(path: string): boolean {
    // Two that share a place now will soon not share one any more.
    const hash = hashOf(path, Math.floor(this.#count / NOTED_MAX));
    const at = hash & (NOTED_MAX - 1);
    if (this.#hashes[at] === hash) return true;
    this.#hashes[at] = hash;
    this.#count += 1;
    return false;
  }
}

function weightOf({ around }: KeptAnswer): number {
  return around.length + 2;
}

/** A number that another path has too only by chance. */
function hashOf(path: string, seed: number): number {
  let hash = seed;
  for (let at = PREFIX.length; at < path.length; at += 1) {
    hash = Math.imul(hash ^ path.charCodeAt(at), 0x01_00_01_93);
  }
  return hash ^ (hash >>> 16);
}

/** The same answer. A text that was put together is read piece by piece each time it is written. */
function inOnePiece({ head, body }: PlainAnswer): PlainAnswer {
  return { head: ownText(head), body: typeof body === "string" ? ownText(body) : body };
}

/** The same text, in memory of its own. */
function ownText(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
