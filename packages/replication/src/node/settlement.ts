import type { Link, ReplicaStore } from "@meridian/ports";
import type { Entry, Welcome } from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { Applier } from "../intake/applier.ts";
import { Reconciliation } from "../reconcile/reconciliation.ts";
import type { CommittedOutbox } from "./committed-outbox.ts";
import { Home } from "./home.ts";
import type { WritePath, Written } from "./write-path.ts";

/** What a settlement needs. */
export interface SettlementOptions {
  readonly store: ReplicaStore;
  readonly applier: Applier;
  readonly horizon: ReplicaHorizon;
  readonly writes: WritePath;
  readonly committed: CommittedOutbox;
  ownMs(): number;
  /** Runs `callback` once other work has had its turn. */
  defer(callback: () => void): void;
  /** The log may lack what the node has had acknowledged. */
  onLack(): void;
  /** What was missing has been sent again, through this outbox position. */
  onSentAgain(outboxPosition: number): void;
  /** A reconciliation is over. */
  onReconciled(): void;
  /** What was to be sent again could not be stored. */
  onFailed(failure: unknown): void;
}

/** How a node and the directory that takes it in come to have the same: by the feed alone, by sending again what is missing, or by reconciling. */
export class Settlement {
  readonly #options: SettlementOptions;
  readonly home: Home;
  readonly reconciliation: Reconciliation;

  constructor(options: SettlementOptions) {
    this.#options = options;
    this.home = new Home(options);
    this.reconciliation = this.#makeReconciliation();
  }

  /** The directory has taken the node in. */
  begin(link: Link, welcome: Welcome): void {
    const { applier, writes } = this.#options;
    const missing = welcome.resume === "feed" ? this.home.arrive(welcome) : undefined;
    if (missing?.length !== 0) this.#options.onLack();
    if (missing === undefined) {
      this.home.unsettle();
      return this.reconciliation.ask(link, welcome.logId, welcome.epoch);
    }
    applier.observe(welcome.head, welcome.committedThrough);
    if (missing.length === 0) return;
    writes.resubmit(missing, (failure, receipt) => {
      if (receipt === undefined) return this.#options.onFailed(failure);
      if (this.home.paid()) this.#options.onSentAgain(receipt.outboxPosition);
    });
  }

  /** The node and whatever log it comes to next are to compare what they have. */
  unsettle(): void {
    this.home.unsettle();
    this.#options.applier.suspend();
  }

  /** The link is down. */
  onDown(): void {
    this.home.onDown();
    this.reconciliation.stop();
  }

  /**
   * Has the log hear of entries, and calls back once they are in the outbox; at once where a reconciliation is under way,
   * which is not over before they are acknowledged, and without which there is no cursor.
   */
  offer(entries: readonly Entry[], done: () => void): void {
    if (this.reconciliation.offer(entries)) return done();
    this.#options.writes.offer(entries, (failure) => {
      if (failure === undefined) done();
      else this.#options.onFailed(failure);
    });
  }

  #makeReconciliation(): Reconciliation {
    const { store, applier, writes, horizon } = this.#options;
    return new Reconciliation({
      store,
      applier,
      ownMs: () => this.#options.ownMs(),
      later: (callback) => this.#later(callback),
      compareUnder: (other) => horizon.reconcile(other),
      resubmit: (keys, done) => writes.resubmit(keys, this.#whenCommitted(done)),
      offer: (entries, done) => writes.offer(entries, this.#whenCommitted(done)),
      onDone: () => {
        horizon.settle();
        this.home.settle();
        this.#options.onReconciled();
      },
    });
  }

  /** What is thrown there nobody else would take. */
  #later(callback: () => void): void {
    this.#options.defer(() => {
      try {
        callback();
      } catch (failure) {
        this.#options.onFailed(failure);
      }
    });
  }

  #whenCommitted(done: () => void): Written {
    return (failure, receipt) => {
      if (receipt === undefined) this.#options.onFailed(failure);
      else this.#options.committed.after(receipt.outboxPosition, done);
    };
  }
}
