import { encodeMessage, type DirectoryMessage, type Entry } from "@meridian/protocol";

import type { Applier } from "./applier.ts";
import type { ClusterClock } from "./cluster-clock.ts";
import type { CommittedOutbox } from "./committed-outbox.ts";
import type { Link, ReplicaStore } from "./ports.ts";
import { Reconciler } from "./reconciler.ts";
import type { ReplicaHorizon } from "./replica-horizon.ts";
import type { WritePath, Written } from "./write-path.ts";

/** What a reconciliation needs of its node. */
export interface ReconciliationOptions {
  readonly store: ReplicaStore;
  readonly applier: Applier;
  readonly horizon: ReplicaHorizon;
  readonly writes: WritePath;
  readonly committed: CommittedOutbox;
  readonly time: ClusterClock;
  /** What had to go out once more could not. */
  onFailed(failure: unknown): void;
  onDone(): void;
}

interface UnderWay {
  readonly reconciler: Reconciler;
  readonly logId: number;
  readonly epoch: number;
}

/** The reconciliation of a node with the log that it is connected to, from the welcome that asks for it until it is over or the link is down. */
export class Reconciliation {
  readonly #options: ReconciliationOptions;
  #current: UnderWay | undefined;

  constructor(options: ReconciliationOptions) {
    this.#options = options;
  }

  get isUnderWay(): boolean {
    return this.#current !== undefined;
  }

  /** Whether it waits for its turn: until then the node stands in another log. */
  get isWaiting(): boolean {
    return this.#current?.reconciler.begun === false;
  }

  /** Asks for a turn to reconcile with a log. */
  start(link: Link, logId: number, epoch: number): void {
    const { store, writes, applier, horizon, time } = this.#options;
    applier.suspend();
    const reconciler = new Reconciler({
      store,
      send: (message) => link.send(message),
      ownMs: () => time.ownMs(),
      resubmit: (keys, done) => writes.resubmit(keys, this.#whenCommitted(reconciler, done)),
      offer: (entries, done) => writes.offer(entries, this.#whenCommitted(reconciler, done)),
      onDone: () => {
        this.#current = undefined;
        horizon.settle();
        link.send(encodeMessage({ type: "reconciled", nowMs: time.ownMs() }));
        applier.settle();
        this.#options.onDone();
      },
    });
    this.#current = { reconciler, logId, epoch };
    link.send(encodeMessage({ type: "reconcile", nowMs: time.ownMs() }));
  }

  /** The turn has come: what the log has through `head` is compared, under the higher one of the two horizons. */
  begin(head: number, horizon: number): void {
    if (this.#current === undefined || !this.isWaiting) return;
    const { reconciler, logId, epoch } = this.#current;
    this.#options.applier.reconcileFrom(logId, epoch, head);
    reconciler.begin(this.#options.horizon.reconcile(horizon));
  }

  /**
   * Has the log hear of entries, and calls back once they are in the outbox. A reconciliation that is under way is not
   * over before they are acknowledged; as it stands without a cursor until then, nobody is called back.
   */
  offer(entries: readonly Entry[], done: () => void): void {
    if (this.#current !== undefined) return this.#current.reconciler.offer(entries);
    this.#options.writes.offer(entries, (failure) => {
      if (failure === undefined) done();
      else this.#options.onFailed(failure);
    });
  }

  onDonation(id: number, count: number): void {
    this.#current?.reconciler.onDonation(id, count);
  }

  onCompared(message: Extract<DirectoryMessage, { type: "compared" }>): void {
    this.#current?.reconciler.onCompared(message);
  }

  onWanted(message: Extract<DirectoryMessage, { type: "wanted" }>): void {
    this.#current?.reconciler.onWanted(message);
  }

  /** The link is down. */
  drop(): void {
    this.#current = undefined;
  }

  #whenCommitted(reconciler: Reconciler, done: () => void): Written {
    return (failure, receipt) => {
      // A link that broke meanwhile has taken its reconciliation along.
      if (this.#current?.reconciler !== reconciler) return;
      if (receipt === undefined) this.#options.onFailed(failure);
      else this.#options.committed.after(receipt.outboxPosition, done);
    };
  }
}
