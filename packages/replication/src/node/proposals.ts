/**
 * Has the directory decide conditions for the whole cluster, and answers whoever asked once this node has applied what the answer rests on: so what a
 * client reads here afterwards is no older than what it was told.
 *
 * A node keeps nothing of a proposal on its disk. If the link is lost before the decision has come, the node proposes the same entry again, with the same
 * stamp, as soon as a directory of the same log has taken it in. A stamp is never given twice, so an entry is not ordered twice: where the first proposal
 * was, the second one is refused. Which of the two it was, the node sees from its own copy once it has applied what the refusal rests on:
 *
 * - The key has that very stamp: the write was made.
 * - The key has a lower one: it was not made, because versions of a key only rise in the log. The refusal is the answer.
 * - The key has a higher one, or nothing: it may have been made and replaced since. The outcome is unknown.
 */
import {
  compareStamps,
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
  readonly isOver: boolean;
  decided(decision: Decided): void;
  /** No answer can come any more. */
  lost(): void;
  /** Asks once more: the answer may have been lost with the link. Returns why that cannot be. */
  again(): MeridianError | undefined;
}

/** A question of one who waits. */
interface Settling extends Question {
  isOver: boolean;
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
  /** What was asked on a link that is lost, and is asked again on the next one. */
  #unanswered: Question[] = [];
  /** The log that was asked last. */
  #logId: number | undefined;
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
    return this.#questions.size + this.#applying.size + this.#unanswered.length;
  }

  /** How many reads wait for a barrier. */
  get reading(): number {
    return this.#reading;
  }

  /** A directory has taken the node in. What is not answered is asked again, unless that one has another log. */
  welcome({ features, logId, epoch }: Pick<Welcome, "features" | "logId" | "epoch">): void {
    const isSame = logId === this.#logId && features.includes(CONDITIONS);
    this.#logId = logId;
    this.#place = features.includes(CONDITIONS) ? { logId, epoch } : undefined;
    for (const question of this.#takeUnanswered()) {
      if (!isSame || question.again() !== undefined) question.lost();
    }
  }

  /** The link is gone. */
  down(): void {
    this.#place = undefined;
    this.#unanswered.push(
      ...this.#questions.values(),
      ...Array.from(this.#applying, ({ question }) => question),
    );
    this.#questions.clear();
    this.#applying.clear();
    this.#bytes = 0;
  }

  /** No directory will be asked any more. */
  close(): void {
    this.down();
    for (const question of [...this.#takeUnanswered(), ...this.#readers]) {
      if (!question.isOver) question.lost();
    }
    this.#readers = [];
  }

  #takeUnanswered(): readonly Question[] {
    const questions = this.#unanswered.filter(({ isOver }) => !isOver);
    this.#unanswered = [];
    return questions;
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
      const question: Settling = {
        bytes: 0,
        isOver: false,
        lost,
        again: () => this.#read(question),
        decided: (decision) => {
          if (decision.code !== null) return settle(() => reject(refusalOf(decision)));
          const { sequence, atMs } = decision;
          this.#whenApplied(sequence, question, () => settle(() => resolve(atMs)));
        },
      };
      const settle = this.#settling(question, timeoutMs, lost);
      this.#read(question);
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
    let [attempts, isRepeated, entry] = [0, false, this.#entryOf(write)];
    const lost = (): void => settle(() => reject(unknown(entry)));
    const question: Settling = {
      bytes: write.value.byteLength,
      isOver: false,
      lost,
      again: () => {
        isRepeated = true;
        return ask();
      },
      decided: (decision) => {
        const { code, sequence, time } = decision;
        const isTold = code === null || code === "PRECONDITION_FAILED" || code === "NOT_SCOPED";
        // What was asked before may have been decided, whatever hinders the directory now.
        if (isRepeated && !isTold) return lost();
        if (code === "STAMP_TOO_LOW") {
          attempts += 1;
          this.#context.stamps.observe(time);
          if (attempts < ATTEMPTS_MAX) entry = this.#entryOf(write);
          const again = attempts < ATTEMPTS_MAX ? ask() : refusalOf(decision);
          if (again !== undefined) settle(() => reject(again));
          return;
        }
        if (!isTold) return settle(() => reject(refusalOf(decision)));
        this.#whenApplied(sequence, question, () => {
          const refusal = code === null ? undefined : refusalOf(decision);
          const isTwice = isRepeated && this.#context.rules.repeatsAreJudged;
          const failure = isTwice && refusal ? this.#refusalAgain(entry, refusal) : refusal;
          settle(() => (failure === undefined ? resolve(entry) : reject(failure)));
        });
      },
    };
    const ask = (): MeridianError | undefined =>
      this.#ask(question, (id) =>
        this.#link.send(proposalOf(id, entry, write.ifStamp, this.#context.time.ownMs())),
      );
    const settle = this.#settling(question, timeoutMs, lost);
    const failure = ask();
    if (failure !== undefined) settle(() => reject(failure));
  }

  /** What the refusal of an entry means that was proposed twice; undefined if the first proposal was accepted. */
  #refusalAgain(entry: Entry, refusal: MeridianError): MeridianError | undefined {
    const now = this.#context.store.get(entry.key);
    const isAbove = now === undefined ? 1 : compareStamps(now.stamp, entry.stamp);
    if (isAbove === 0) return undefined;
    return isAbove < 0 ? refusal : unknown(entry);
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

  #read(reader: Question): undefined {
    this.#readers.push(reader);
    if (this.#readers.length === 1) this.#context.defer(() => this.#askForReaders());
    return undefined;
  }

  /** One barrier for all readers of a turn: it is asked for after each of them began. */
  #askForReaders(): void {
    const readers = this.#readers;
    this.#readers = [];
    if (readers.length === 0) return;
    const nowMs = this.#context.time.ownMs();
    const all: Question = {
      bytes: 0,
      get isOver() {
        return readers.every(({ isOver }) => isOver);
      },
      decided: (decision) => {
        for (const reader of readers) if (!reader.isOver) reader.decided(decision);
      },
      lost: () => {
        for (const reader of readers) if (!reader.isOver) reader.lost();
      },
      again: () => this.#ask(all, (id) => this.#link.send({ type: "barrier", nowMs, id })),
    };
    if (all.again() !== undefined) all.lost();
  }

  /** Returns what ends the question, once; after `timeoutMs`, `lost` does. */
  #settling(question: Settling, timeoutMs: number, lost: () => void): (end: () => void) => void {
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
    const { isAbreast, logId, epoch, wholeThrough } = this.#position;
    const isHere = logId === this.#place?.logId && epoch === this.#place.epoch;
    return isAbreast && isHere && wholeThrough >= sequence;
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
