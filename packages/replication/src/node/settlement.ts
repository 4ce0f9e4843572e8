import type { Link } from "@meridian/ports";
import { asMeridianError, MeridianError, type Entry, type Welcome } from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { Applier } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import type { ReplicaLimits } from "../limits.ts";
import { Reconciliation, type ReconcilingParty } from "../reconcile/reconciliation.ts";
import type { Rules } from "../rules.ts";
import type { CommittedOutbox } from "./committed-outbox.ts";
import type { Home } from "./home.ts";
import type { NodeContext } from "./node-context.ts";
import type { Restamper } from "./restamper.ts";
import type { Submitter } from "./submitter.ts";
import type { WritePath, WriteDone } from "./write-path.ts";

/** The parts of a node that a settlement works with. */
export interface SettlementParts {
  readonly position: LogPosition;
  readonly applier: Applier;
  readonly home: Home;
  readonly horizon: ReplicaHorizon;
  readonly writes: WritePath;
  readonly committed: CommittedOutbox;
  readonly submitter: Pick<Submitter, "acknowledgedThrough">;
  readonly restamper: Pick<Restamper, "isActive" | "refuse">;
}

/** A node that needs any one entry to send looks for it among this many of its first keys. */
const KEYS_LOOKED_AT = 256;

/**
 * Brings a node and the log of its directory to the same data in one of three ways: the directory feeds the node; the node also
 * sends again what the log lacks; or the two reconcile.
 */
export class Settlement implements ReconcilingParty {
  readonly #context: NodeContext;
  readonly #parts: SettlementParts;
  readonly reconciliation: Reconciliation;
  /** Counts how often a directory has taken the node in. Work that was begun at an earlier count is void. */
  #begun = 0;
  /** Whether the stamps that were last refused were refused on the present link. */
  #isRefusedHere = false;

  constructor(context: NodeContext, parts: SettlementParts) {
    const { position, applier } = parts;
    this.#context = context;
    this.#parts = parts;
    this.reconciliation = new Reconciliation(this, context.store, position, applier);
  }

  /** The directory has taken the node in. */
  begin(link: Link, welcome: Welcome): void {
    const { home, position, writes } = this.#parts;
    this.#begun += 1;
    const begun = this.#begun;
    home.enter(welcome);
    const missing = welcome.resume === "feed" ? home.arrive(welcome) : undefined;
    if (missing?.length !== 0) this.#context.events.emit.lacked();
    if (missing === undefined) {
      home.unsettle();
      return this.reconciliation.ask(link, welcome);
    }
    this.reconciliation.forget();
    position.observe(welcome.head, welcome.committedThrough);
    if (missing.length === 0) return;
    this.#context.logger.info("sending again what the log may lack", { keys: missing.length });
    const paid: WriteDone = (failure, receipt) => {
      // A failure ends the link. The node has not arrived in this log then, and reconciles with the next one.
      if (receipt === undefined) this.#fail(failure);
      else if (begun === this.#begun) home.paid();
    };
    writes.resubmit(missing, paid, (position) => {
      if (begun === this.#begun) this.#context.events.emit.completed(position);
    });
  }

  /** The node has to reconcile with the log that it comes to next. */
  unsettle(): void {
    this.reconciliation.forget();
    this.#parts.home.unsettle();
    this.#parts.applier.suspend();
  }

  /** The directory has refused the frame at `position`: it admits stamps up to `timeMax`. */
  refuse(position: number, timeMax: number): void {
    const { restamper } = this.#parts;
    if (!restamper.isActive) this.#isRefusedHere = true;
    restamper.refuse(position, timeMax);
  }

  /**
   * Stamps of this node are about to be taken back. Any log but the one that has refused them may have entries under them, and before the places that the
   * node knows there: as frames of its own they were passed over. So those places are void.
   */
  onTakingBack(): void {
    if (!this.rules.takenBackIsFound) return;
    const { home, position } = this.#parts;
    const isThere = position.isSettled && this.#isRefusedHere;
    // The greeting of the next link says that the node has taken stamps back, and names no places.
    if (!isThere && !this.reconciliation.isActive) {
      this.unsettle();
      const said = "Stamps are taken back by a node that has not settled where they were refused";
      this.#fail(new MeridianError("OUT_OF_ORDER", said));
    }
    home.forgetOthers();
  }

  /** The link is down. */
  onDown(): void {
    this.#isRefusedHere = false;
    this.#parts.home.onDown();
    this.reconciliation.stop();
  }

  /**
   * Puts entries into the outbox for the log, and calls `done` when they are durable there. During a reconciliation it calls `done` at
   * once: the reconciliation waits until the entries are acknowledged, and the node saves no cursor before the reconciliation ends.
   */
  offer(entries: readonly Entry[], done: () => void): void {
    this.#parts.writes.offer(entries, this.#whenOffered(entries.length, done));
  }

  /** Likewise, but puts what the store holds of the keys of `entries` into the outbox, above them. */
  outrank(entries: readonly Entry[], done: () => void): void {
    this.#parts.writes.outrank(entries, this.#whenOffered(entries.length, done));
  }

  #whenOffered(count: number, done: () => void): WriteDone {
    if (this.reconciliation.isActive) {
      done();
      return this.#whenCommitted(this.reconciliation.hold(count));
    }
    return (failure) => {
      if (failure === undefined) done();
      else this.#fail(failure);
    };
  }

  get rules(): Rules {
    return this.#context.rules;
  }

  /** False while entries get new stamps: each stamp that becomes lower would void what was compared. */
  get canReconcile(): boolean {
    return !this.#parts.restamper.isActive;
  }

  get limits(): ReplicaLimits {
    return this.#context.limits;
  }

  ownMs(): number {
    return this.#context.time.ownMs();
  }

  /** Catches what `callback` throws: no caller is left in that turn. */
  later(callback: () => void): void {
    this.#context.turns.later(() => {
      try {
        callback();
      } catch (failure) {
        this.#fail(failure);
      }
    });
  }

  compareUnder(horizon: number): number {
    return this.#parts.horizon.reconcile(horizon);
  }

  giveAgain(keys: readonly string[], done: () => void): void {
    this.#parts.writes.resubmit(keys, this.#whenCommitted(done));
  }

  onReconciled(): void {
    this.#parts.horizon.settle();
    this.#parts.home.settle();
    this.#context.events.emit.reconciled();
    // The log has acknowledged everything that it wanted: whatever the node sends from here on completes it.
    this.#context.events.emit.completed(this.#parts.submitter.acknowledgedThrough + 1);
    this.#sayComplete();
  }

  /**
   * Frames that were sent during the reconciliation carried the flag "the log may lack something". If no write follows, no frame would
   * take that back. So the node sends one more frame, with any one entry that it has.
   */
  #sayComplete(): void {
    const { store } = this.#context;
    const [any] = store.summaryPage(null, KEYS_LOOKED_AT).summaries;
    if (store.outboxThrough === 0 || any === undefined) return;
    this.#parts.writes.resubmit([any.key], (failure, receipt) => {
      if (receipt === undefined) this.#fail(failure);
    });
  }

  #whenCommitted(done: () => void): WriteDone {
    return (failure, receipt) => {
      if (receipt === undefined) {
        this.#fail(failure);
        this.reconciliation.forget();
      } else this.#parts.committed.after(receipt.outboxPosition, done);
    };
  }

  #fail(failure: unknown): void {
    this.#context.events.emit.failed(asMeridianError(failure));
  }
}
