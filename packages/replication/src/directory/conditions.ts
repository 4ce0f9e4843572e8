/**
 * Decides conditional writes for the whole cluster: in the order of the log, one after the other, each against the newest version of its key there.
 * Frames that are ordered and not yet durable count, so of many conditions on one version exactly one holds.
 *
 * Nobody hears of a decision before everything that it rests on is durable: a refusal that named a version which is lost with the directory
 * would be wrong. An entry that is ordered goes out to nodes only then, too.
 *
 * A directory that does not write the order could pass a proposal on: `Decider` is all that a session needs.
 */
import {
  asMeridianError,
  compareStamps,
  isLive,
  isScoped,
  SCOPED_ATTRIBUTES,
  type Decided,
  type DecidedCode,
  type Entry,
  type EntryHead,
  type MeridianError,
  type Stamp,
} from "@meridian/protocol";

import type { Done, LogDoubt } from "@meridian/ports";
import type { Peers } from "../follow/peers.ts";
import type { DirectoryHorizon } from "../horizon/directory-horizon.ts";
import { NewestVersions } from "../order/newest-versions.ts";
import type { Sequencer } from "../order/sequencer.ts";
import type { DirectoryClocks } from "./directory-clocks.ts";
import type { DirectoryContext } from "./directory-context.ts";

/** An entry that is to be ordered if a condition holds. */
export interface Proposal {
  readonly entry: Entry;
  /** The stamp of the live version that the key has to have; null if it must have none. */
  readonly ifStamp: Stamp | null;
}

/** What became of a proposal or a barrier, as the node is told. */
export type Decision = Pick<Decided, "code" | "sequence" | "time" | "atMs" | "why">;

/** Whether a directory decides conditions. */
export interface ConditionsInfo {
  readonly decides: boolean;
  /** Why it does not; null while it does. */
  readonly why: string | null;
  /** Since when its log may have lost something, in milliseconds since the Unix epoch; null for a log of which nothing is known to be missing. */
  readonly doubtSinceMs: number | null;
}

/** Who decides. Each callback is called once, or never if the link to who decides is lost. */
export interface Decider {
  propose(proposal: Proposal, decided: (decision: Decision) => void): void;
  /** Asks for a sequence through which everything is ordered that anybody was told of before. */
  barrier(decided: (decision: Decision) => void): void;
}

/** The parts of a directory that decisions need. */
export interface ConditionsParts {
  readonly sequencer: Sequencer;
  readonly horizon: Pick<DirectoryHorizon, "horizon">;
  readonly clocks: Pick<DirectoryClocks, "nowMs">;
  /** Where other directories have logs of their own, this log is not the order of the cluster. */
  readonly peers: Pick<Peers, "names">;
}

/** While more bytes of frames wait for the disk, nothing is decided: each decision might look through all of them. */
const PENDING_BYTES_MAX: number = 32 * 1024 * 1024;

/** How often the log is settled for one proposal. */
const SETTLINGS_MAX = 3;

/** Bytes of values of proposals that wait for the log to settle. */
const SETTLING_BYTES_MAX: number = 32 * 1024 * 1024;

/** Decides in the order of this directory's log. */
export class Conditions implements Decider {
  readonly #context: DirectoryContext;
  readonly #parts: ConditionsParts;
  readonly #newest: NewestVersions;
  /** What waits until it is sure that nobody else has written the log. */
  #unconfirmed: ((why: string | undefined) => void)[] = [];
  /** Invariant: what the log has durably or is making durable, but for one that `accept` is about to end. */
  #doubt: LogDoubt | null;
  /** The doubt that `accept` is about to end. */
  #accepted: LogDoubt | null = null;
  #settlingBytes = 0;

  constructor(context: DirectoryContext, parts: ConditionsParts) {
    this.#context = context;
    this.#parts = parts;
    this.#newest = new NewestVersions(context.log, parts.sequencer, context.rules);
    this.#doubt = context.log.doubt;
    if (this.#doubt !== null) this.#tell(this.#doubt);
  }

  /** Whether conditions are decided, and why not. */
  get info(): ConditionsInfo {
    const why = this.#hindrance();
    return {
      decides: why === undefined,
      why: why ?? null,
      doubtSinceMs: (this.#doubt ?? this.#context.log.doubt)?.sinceMs ?? null,
    };
  }

  /** The log may lack what it has acknowledged, or what another log has: from here on nothing is decided, until an operator accepts that. */
  doubt(why: string): void {
    if (this.#doubt !== this.#accepted) return;
    const { log, clock, events } = this.#context;
    const doubt = { why, sinceMs: clock.nowMs() };
    this.#doubt = doubt;
    this.#accepted = null;
    this.#tell(doubt);
    log.saveDoubt(doubt, (failure) => {
      if (failure !== undefined) events.emit.failed(failure);
    });
  }

  /** Decides again, with the log as it is. Returns the doubt that ends; null for none. Calls back once that is durable. */
  accept(done: Done): LogDoubt | null {
    const { log, logger } = this.#context;
    const ended = this.#doubt ?? log.doubt;
    this.#doubt = ended;
    if (ended === null) {
      queueMicrotask(done);
      return null;
    }
    this.#accepted = ended;
    log.saveDoubt(null, (failure) => {
      // What has come up meanwhile is another doubt.
      if (failure === undefined && this.#doubt === ended) {
        this.#doubt = null;
        this.#accepted = null;
        logger.warn("conditions of scope=cluster are decided again, as an operator wants it", {
          why: ended.why,
        });
      }
      if (this.#accepted === ended) this.#accepted = null;
      done(failure);
    });
    return ended;
  }

  #tell({ why }: LogDoubt): void {
    this.#context.logger.warn("conditions of scope=cluster are not decided any more", { why });
  }

  propose(proposal: Proposal, decided: (decision: Decision) => void): void {
    this.#propose(proposal, decided, SETTLINGS_MAX);
  }

  barrier(decided: (decision: Decision) => void): void {
    const why = this.#hindrance();
    const { sequencer, clocks } = this.#parts;
    const atMs = clocks.nowMs();
    if (why !== undefined) return decided(undecided("CONDITIONS_UNAVAILABLE", why, atMs));
    const passed = { code: null, sequence: sequencer.ordered, time: 0, atMs, why: "" };
    this.#confirm((doubt) =>
      decided(
        doubt === undefined ? passed : undecided("CONDITIONS_UNAVAILABLE", doubt, clocks.nowMs()),
      ),
    );
  }

  #propose(
    { entry, ifStamp }: Proposal,
    decided: (decision: Decision) => void,
    settlings: number,
  ): void {
    const { clocks, sequencer } = this.#parts;
    const atMs = clocks.nowMs();
    const why = this.#hindrance() ?? this.#ahead(entry.stamp);
    if (why !== undefined) return decided(undecided("CONDITIONS_UNAVAILABLE", why, atMs));
    const { pendingBytes } = sequencer;
    const { byteLength } = entry.value;
    const overloaded = `${pendingBytes} bytes of frames wait for the directory's disk`;
    if (pendingBytes > PENDING_BYTES_MAX || settlings === 0) {
      return decided(undecided("OVERLOADED", overloaded, atMs));
    }
    const version = this.#newest.of(entry.key);
    if (version === undefined) {
      if (this.#settlingBytes + byteLength > SETTLING_BYTES_MAX) {
        return decided(undecided("OVERLOADED", overloaded, atMs));
      }
      this.#settlingBytes += byteLength;
      return this.#settle(decided, byteLength, () =>
        this.#propose({ entry, ifStamp }, decided, settlings - 1),
      );
    }
    const code = this.#refusalOf(entry.stamp, ifStamp, version, atMs);
    if (code !== null) return this.#refuse(code, version, atMs, decided);
    const scoped = { ...entry, attributes: SCOPED_ATTRIBUTES };
    const sequence = sequencer.orderDecided(scoped, this.#context.clock.nowMs(), (failure) => {
      if (failure === undefined) decided({ code: null, sequence, time: 0, atMs, why: "" });
    });
  }

  /** Why the entry must not be ordered; null if it may. */
  #refusalOf(
    stamp: Stamp,
    ifStamp: Stamp | null,
    version: EntryHead | null,
    atMs: number,
  ): DecidedCode {
    const { proposedLiesAbove, scopeIsMarked } = this.#context.rules;
    const live = version !== null && isLive(version, atMs) ? version : undefined;
    if (ifStamp === null) {
      if (live !== undefined) return "PRECONDITION_FAILED";
    } else {
      if (live === undefined || compareStamps(live.stamp, ifStamp) !== 0)
        return "PRECONDITION_FAILED";
      // Older plain writes of other regions may be on their way, and would replace what is ordered now.
      if (scopeIsMarked && !isScoped(live.attributes)) return "NOT_SCOPED";
    }
    const isAbove = version === null || compareStamps(stamp, version.stamp) > 0;
    // What is as old as the horizon would count as deleted.
    const isYoung = stamp.time > this.#parts.horizon.horizon;
    return proposedLiesAbove && !(isAbove && isYoung) ? "STAMP_TOO_LOW" : null;
  }

  #refuse(
    code: DecidedCode,
    version: EntryHead | null,
    atMs: number,
    decided: (decision: Decision) => void,
  ): void {
    const { sequencer, horizon } = this.#parts;
    const isLow = code === "STAMP_TOO_LOW";
    const time = isLow ? Math.max(version?.stamp.time ?? 0, horizon.horizon) : 0;
    const decision = { code, sequence: sequencer.ordered, time, atMs, why: "" };
    if (isLow || !this.#context.rules.refusalsWait) return decided(decision);
    let [isStored, isConfirmed] = [false, false];
    const tell = (): void => {
      if (isStored && isConfirmed) decided(decision);
    };
    sequencer.afterCommitted(decision.sequence, () => {
      isStored = true;
      tell();
    });
    this.#confirm((doubt) => {
      if (doubt !== undefined) return decided(undecided("CONDITIONS_UNAVAILABLE", doubt, atMs));
      isConfirmed = true;
      tell();
    });
  }

  /** Goes on once the log has settled, and `bytes` wait no more. What that throws is answered. */
  #settle(decided: (decision: Decision) => void, bytes: number, goOn: () => void): void {
    const { log } = this.#context;
    const refuse = (failure: MeridianError): void =>
      decided(undecided("CONDITIONS_UNAVAILABLE", failure.message, this.#parts.clocks.nowMs()));
    log.settle((failure) => {
      this.#settlingBytes -= bytes;
      if (failure !== undefined) return refuse(failure);
      try {
        goOn();
      } catch (cause) {
        refuse(asMeridianError(cause));
      }
    });
  }

  /** Calls back once it is sure that nobody else had written the log when this was called; one question for all of a turn. */
  #confirm(run: (doubt: string | undefined) => void): void {
    this.#unconfirmed.push(run);
    if (this.#unconfirmed.length > 1) return;
    this.#context.defer(() => {
      const waiting = this.#unconfirmed;
      this.#unconfirmed = [];
      this.#context.log.confirm((failure) => {
        for (const each of waiting) each(failure?.message);
      });
    });
  }

  /** Why nothing can be decided now. */
  #hindrance(): string | undefined {
    if (this.#parts.peers.names.length > 0)
      return "Directories that follow each other (`--peer`) have no common order; one directory, or a log on NATS JetStream, has";
    const { log } = this.#context;
    // The log may have found a doubt itself, and been unable to write it when it was opened.
    return doubtText(this.#doubt ?? log.doubt) ?? log.stall?.message;
  }

  #ahead({ time }: Stamp): string | undefined {
    const timeMax = this.#parts.sequencer.timeMax();
    return time <= timeMax
      ? undefined
      : `Expected a stamp of at most ${timeMax}, got ${time}: the region's clock is ahead`;
  }
}

/** Why a directory with that doubt decides nothing, for whoever is refused. */
export function doubtText(doubt: LogDoubt | null): string | undefined {
  if (doubt === null) return undefined;
  return `the directory's log may have lost something: ${doubt.why}. \`meridian conditions accept\` lets it decide again`;
}

function undecided(code: DecidedCode, why: string, atMs: number): Decision {
  return { code, sequence: 0, time: 0, atMs, why };
}
