/**
 * Has the directory decide conditions for the whole cluster, and answers whoever asked once this node has applied what the answer rests on: so what a
 * client reads here afterwards is no older than what it was told.
 *
 * A node keeps nothing of a proposal. If the link is lost before the decision has come, nobody here knows what was decided, and the outcome is unknown.
 */
import {
  CONDITIONS,
  formatStamp,
  MeridianError,
  PROPOSALS_MAX,
  toBase64,
  type Decided,
  type Entry,
  type Stamp,
  type Welcome,
} from "@meridian/protocol";

import type { LogPosition } from "../intake/log-position.ts";
import type { NodeLinkMessage } from "../link/link-messages.ts";
import type { ReplicaLink } from "../link/replica-link.ts";
import type { NodeContext } from "./node-context.ts";
import { entryOf, type Content } from "./write-path.ts";

/** Bytes of values that may wait to be decided. */
const UNDECIDED_BYTES_MAX: number = 8 * 1024 * 1024;

/** How often an entry is proposed, each time with a stamp above the version that it would replace. */
const ATTEMPTS_MAX = 8;

/** What a key is to hold if a condition holds anywhere in the cluster. */
export interface ConditionalWrite extends Content {
  readonly key: string;
  /** The stamp of the live version that the key has to have; null if it must have none. */
  readonly ifStamp: Stamp | null;
}

/** What the directory was asked, and who waits for the answer. */
interface Question {
  /** How many bytes it counts as. */
  readonly bytes: number;
  /** Whether its answer has come, or can do no good any more. */
  isOver: boolean;
  decided(decision: Decided): void;
  /** The link is gone. */
  lost(): void;
}

interface Applying {
  readonly sequence: number;
  readonly question: Question;
  readonly run: () => void;
}

/** The proposals and barriers of one node. */
export class Proposals {
  readonly #context: NodeContext;
  readonly #position: LogPosition;
  readonly #link: Pick<ReplicaLink<NodeLinkMessage>, "send">;
  /** The log and epoch that the directory has told; undefined while nobody can be asked. */
  #place: Pick<Welcome, "logId" | "epoch"> | undefined;
  #id = 0;
  /** What is not decided, by its id. */
  readonly #questions = new Map<number, Question>();
  #bytes = 0;
  /** What is decided, and not applied here. */
  readonly #applying = new Set<Applying>();
  /** Those who wait for the barrier that is sent at the end of this turn. */
  #readers: Question[] = [];
  #reading = 0;

  constructor(
    context: NodeContext,
    position: LogPosition,
    link: Pick<ReplicaLink<NodeLinkMessage>, "send">,
  ) {
    this.#context = context;
    this.#position = position;
    this.#link = link;
  }

  /** How many are not decided, or not applied here. */
  get waiting(): number {
    return this.#questions.size + this.#applying.size;
  }

  /** How many reads wait for a barrier. */
  get reading(): number {
    return this.#reading;
  }

  /** A directory has taken the node in. */
  welcome({ features, logId, epoch }: Pick<Welcome, "features" | "logId" | "epoch">): void {
    this.#place = features.includes(CONDITIONS) ? { logId, epoch } : undefined;
  }

  /** The link is gone. */
  down(): void {
    this.#place = undefined;
    const questions = [
      ...this.#questions.values(),
      ...[...this.#applying].map(({ question }) => question),
      ...this.#readers,
    ];
    this.#questions.clear();
    this.#applying.clear();
    this.#readers = [];
    this.#bytes = 0;
    for (const question of questions) if (!question.isOver) question.lost();
  }

  /**
   * Writes if the condition holds in the order of the log, and resolves to the entry once it is there, durable, and applied here. Rejects with
   * `PRECONDITION_FAILED` or `NOT_SCOPED`, with `CONDITIONS_UNAVAILABLE` where nothing was written, and with `OUTCOME_UNKNOWN` and
   * the ETag that the entry has if it was.
   */
  propose(write: ConditionalWrite, timeoutMs: number): Promise<Entry> {
    return new Promise((resolve, reject) => this.#propose(write, timeoutMs, resolve, reject));
  }

  /**
   * Resolves once this node has applied everything that anybody in the cluster was told of before the call: to the instant of the cluster's time by
   * which to judge what has expired. Rejects with `CONDITIONS_UNAVAILABLE`.
   */
  barrier(timeoutMs: number): Promise<number> {
    const { rules, time, limits } = this.#context;
    if (!rules.readsWaitForBarrier) return Promise.resolve(time.nowMs());
    if (this.#reading >= limits.waitersMax) {
      return Promise.reject(unavailable(`${limits.waitersMax} reads wait already`));
    }
    this.#reading += 1;
    return new Promise<number>((resolve, reject) => {
      const lost = (): void => settle(() => reject(unanswered()));
      const question: Question = {
        bytes: 0,
        isOver: false,
        lost,
        decided: (decision) => {
          if (decision.code !== null) return settle(() => reject(refusalOf(decision)));
          const { sequence, atMs } = decision;
          this.#whenApplied(sequence, question, () => settle(() => resolve(atMs)));
        },
      };
      const settle = this.#settling(question, timeoutMs, lost);
      this.#readers.push(question);
      if (this.#readers.length === 1) this.#context.defer(() => this.#askForReaders());
    }).finally(() => {
      this.#reading -= 1;
    });
  }

  /** Throws `MALFORMED_MESSAGE` for an answer to what was not asked. */
  onDecided(decision: Decided): void {
    const question = this.#questions.get(decision.id);
    if (question === undefined) {
      const said = `Expected no decision about ${decision.id}: nobody asked`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    this.#questions.delete(decision.id);
    this.#bytes -= question.bytes;
    if (!question.isOver) question.decided(decision);
  }

  /** The node has applied more of the log. */
  check(): void {
    if (this.#applying.size === 0) return;
    for (const applying of this.#applying) {
      if (!applying.question.isOver && !this.#hasApplied(applying.sequence)) continue;
      this.#applying.delete(applying);
      if (!applying.question.isOver) applying.run();
    }
  }

  #propose(
    write: ConditionalWrite,
    timeoutMs: number,
    resolve: (entry: Entry) => void,
    reject: (failure: MeridianError) => void,
  ): void {
    let [attempts, entry] = [0, this.#entryOf(write)];
    const lost = (): void => settle(() => reject(unknown(entry)));
    const question: Question = {
      bytes: write.value.byteLength,
      isOver: false,
      lost,
      decided: (decision) => {
        const { code, sequence, time } = decision;
        if (code === "STAMP_TOO_LOW") {
          attempts += 1;
          this.#context.stamps.observe(time);
          const again = attempts < ATTEMPTS_MAX ? ask() : refusalOf(decision);
          if (again !== undefined) settle(() => reject(again));
          return;
        }
        const isTold = code === null || code === "PRECONDITION_FAILED" || code === "NOT_SCOPED";
        if (!isTold) return settle(() => reject(refusalOf(decision)));
        this.#whenApplied(sequence, question, () =>
          settle(() => (code === null ? resolve(entry) : reject(refusalOf(decision)))),
        );
      },
    };
    const ask = (): MeridianError | undefined => {
      if (attempts > 0) entry = this.#entryOf(write);
      return this.#ask(question, (id) =>
        this.#link.send(proposalOf(id, entry, write.ifStamp, this.#context.time.ownMs())),
      );
    };
    const settle = this.#settling(question, timeoutMs, lost);
    const failure = ask();
    if (failure !== undefined) settle(() => reject(failure));
  }

  #entryOf(write: ConditionalWrite): Entry {
    const { stamps, time } = this.#context;
    const nowMs = time.nowMs();
    stamps.check(nowMs, 1);
    return entryOf(write.key, write, stamps.next(nowMs), nowMs);
  }

  /** Sends a question. Returns why it cannot be asked; then nothing was sent. */
  #ask(question: Question, send: (id: number) => void): MeridianError | undefined {
    if (this.#place === undefined) return unavailable("no directory is there that decides");
    const bytes = this.#bytes + question.bytes;
    if (this.waiting >= PROPOSALS_MAX || bytes > UNDECIDED_BYTES_MAX) {
      return unavailable(
        `${PROPOSALS_MAX} proposals, or ${UNDECIDED_BYTES_MAX} bytes of them, wait already`,
      );
    }
    this.#id += 1;
    this.#questions.set(this.#id, question);
    this.#bytes = bytes;
    send(this.#id);
    return undefined;
  }

  /** One barrier for all readers of a turn: it is asked for after each of them began. */
  #askForReaders(): void {
    const readers = this.#readers;
    this.#readers = [];
    if (readers.length === 0) return;
    const all: Question = {
      bytes: 0,
      isOver: false,
      decided: (decision) => {
        for (const reader of readers) if (!reader.isOver) reader.decided(decision);
      },
      lost: () => {
        for (const reader of readers) if (!reader.isOver) reader.lost();
      },
    };
    const nowMs = this.#context.time.ownMs();
    const failure = this.#ask(all, (id) => this.#link.send({ type: "barrier", nowMs, id }));
    if (failure !== undefined) all.lost();
  }

  /** Returns what ends the question, once; after `timeoutMs`, `lost` does. */
  #settling(question: Question, timeoutMs: number, lost: () => void): (end: () => void) => void {
    const cancel = this.#context.deadlines.after(timeoutMs, () => {
      lost();
      this.check();
    });
    return (end) => {
      if (question.isOver) return;
      question.isOver = true;
      cancel();
      end();
    };
  }

  #whenApplied(sequence: number, question: Question, run: () => void): void {
    if (this.#hasApplied(sequence)) run();
    else this.#applying.add({ sequence, question, run });
  }

  #hasApplied(sequence: number): boolean {
    const { isSettled, logId, epoch, wholeThrough } = this.#position;
    const isHere = logId === this.#place?.logId && epoch === this.#place.epoch;
    return isSettled && isHere && wholeThrough >= sequence;
  }
}

function proposalOf(
  id: number,
  entry: Entry,
  ifStamp: Stamp | null,
  nowMs: number,
): Parameters<ReplicaLink<NodeLinkMessage>["send"]>[0] {
  const { key, value, contentType, stamp, expiresAtMs, deleted } = entry;
  return {
    type: "propose",
    nowMs,
    id,
    key,
    ifStamp: ifStamp === null ? null : [ifStamp.time, ifStamp.origin],
    stamp: [stamp.time, stamp.origin],
    value: toBase64(value),
    contentType,
    expiresAtMs,
    deleted,
  };
}

function refusalOf({ code, why }: Decided): MeridianError {
  switch (code) {
    case "PRECONDITION_FAILED":
      return new MeridianError(
        code,
        "Expected the condition to hold in the cluster, but it does not",
      );
    case "NOT_SCOPED": {
      const said = "Expected a version written with `scope=cluster`, got one written without it";
      return new MeridianError(code, said);
    }
    // Clients would leave a node that is overloaded.
    case "OVERLOADED":
    case null:
    case "STAMP_TOO_LOW":
    case "CONDITIONS_UNAVAILABLE":
      return unavailable(why === "" ? "the key is written too often" : why);
  }
}

function unavailable(why: string): MeridianError {
  const said = `Nobody decides conditions of scope=cluster now: ${why}. Nothing was written`;
  return new MeridianError("CONDITIONS_UNAVAILABLE", said);
}

function unanswered(): MeridianError {
  const said = "The directory has not said in time how far its log is ordered";
  return new MeridianError("CONDITIONS_UNAVAILABLE", said);
}

function unknown({ stamp }: Entry): MeridianError {
  const etag = `"${formatStamp(stamp)}"`;
  const said = `The directory has not said in time whether the write was made. If it was, its ETag is ${etag}: read the key with scope=cluster and compare`;
  return new MeridianError("OUTCOME_UNKNOWN", said, { details: { etag } });
}
