import {
  CONDITIONS,
  fromBase64,
  MeridianError,
  NO_BYTES,
  PROPOSALS_MAX,
  type DirectoryMessage,
  type NodeMessage,
  type Propose,
} from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import type { Decider, Decision, Proposal } from "./conditions.ts";

/** What a node asks about conditions. */
type Question = Extract<NodeMessage, { type: "propose" | "barrier" }>;

/** What the proposals of a link need of its session. */
interface ProposingSession {
  readonly isClosed: boolean;
  /** Whether its peer is a node with which that feature was agreed on. */
  nodeHas(feature: string): boolean;
  send(message: DirectoryMessage): void;
}

/** Takes in the proposals of one node, and tells it what was decided. */
export class SessionProposals {
  readonly #host: { readonly conditions: Decider; readonly clock: Clock };
  readonly #session: ProposingSession;
  #undecided = 0;
  #lastId = 0;

  constructor(
    host: { readonly conditions: Decider; readonly clock: Clock },
    session: ProposingSession,
  ) {
    this.#host = host;
    this.#session = session;
  }

  /** How many wait to be decided. */
  get undecided(): number {
    return this.#undecided;
  }

  /**
   * The node asks for a decision. Throws `MALFORMED_MESSAGE` if it must not, `OVERLOADED` if it asks for too many at a time, `OUT_OF_ORDER`
   * if it has asked that before.
   */
  onMessage(question: Question): void {
    if (!this.#session.nodeHas(CONDITIONS)) {
      const said = `Expected \`${question.type}\` only where it was agreed on`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    if (this.#undecided >= PROPOSALS_MAX) {
      const said = `Expected at most ${PROPOSALS_MAX} proposals at a time, got one more`;
      throw new MeridianError("OVERLOADED", said);
    }
    // A proposal that came twice would be refused for what it has written itself.
    if (question.id <= this.#lastId) {
      const said = `Expected a proposal after ${this.#lastId}, got ${question.id}`;
      throw new MeridianError("OUT_OF_ORDER", said);
    }
    this.#lastId = question.id;
    this.#undecided += 1;
    const decided = (decision: Decision): void => this.#tell(question.id, decision);
    if (question.type === "barrier") this.#host.conditions.barrier(decided);
    else this.#host.conditions.propose(proposalOf(question), decided);
  }

  #tell(id: number, decision: Decision): void {
    this.#undecided -= 1;
    if (this.#session.isClosed) return;
    this.#session.send({ type: "decided", nowMs: this.#host.clock.nowMs(), id, ...decision });
  }
}

function proposalOf({ key, ifStamp, stamp, value, ...rest }: Propose): Proposal {
  const { contentType, expiresAtMs, deleted } = rest;
  const [time, origin] = stamp;
  const bytes = value === "" ? NO_BYTES : fromBase64(value);
  return {
    entry: { key, value: bytes, contentType, stamp: { time, origin }, expiresAtMs, deleted },
    ifStamp: ifStamp === null ? null : { time: ifStamp[0], origin: ifStamp[1] },
  };
}
