import type { Link } from "@meridian/ports";
import { encodeMessage, type DirectoryMessage, type Entry } from "@meridian/protocol";

import type { Applier } from "../intake/applier.ts";
import { Reconciler, type ReconcilerOptions } from "./reconciler.ts";

/** What a reconciliation needs. */
export interface ReconciliationOptions extends Pick<
  ReconcilerOptions,
  "store" | "ownMs" | "later"
> {
  readonly applier: Pick<Applier, "suspend" | "reconcileFrom">;
  /** The horizon to compare under with a log of that horizon. */
  compareUnder(horizon: number): number;
  /** Sends the newest entries of `keys` through the outbox. Calls back when the directory has committed them. */
  resubmit(keys: readonly string[], done: () => void): void;
  /** Likewise for entries as they are, or what is newer here. */
  offer(entries: readonly Entry[], done: () => void): void;
  /** Everything that differed has been exchanged. The peer is still to be told. */
  onDone(): void;
}

interface Current {
  readonly reconciler: Reconciler;
  readonly logId: number;
  readonly epoch: number;
}

/** The reconciliation with the log at the other end of the link: from the welcome that asks for it until it is over, or the link is down. */
export class Reconciliation {
  readonly #options: ReconciliationOptions;
  #current: Current | undefined;

  constructor(options: ReconciliationOptions) {
    this.#options = options;
  }

  get isActive(): boolean {
    return this.#current !== undefined;
  }

  /** Whether its turn has not come yet: until then the node stands in another log. */
  get isWaiting(): boolean {
    return this.#current?.reconciler.begun === false;
  }

  /** Asks for a turn to reconcile with a log. */
  ask(link: Link, logId: number, epoch: number): void {
    const { store, applier } = this.#options;
    const ownMs = (): number => this.#options.ownMs();
    applier.suspend();
    // A link that broke meanwhile has taken its reconciliation along.
    const unlessBroken = (done: () => void) => (): void => {
      if (this.#current?.reconciler === reconciler) done();
    };
    const reconciler: Reconciler = new Reconciler({
      store,
      send: (message) => link.send(message),
      ownMs,
      later: (callback) => this.#options.later(unlessBroken(callback)),
      resubmit: (keys, done) => this.#options.resubmit(keys, unlessBroken(done)),
      offer: (entries, done) => this.#options.offer(entries, unlessBroken(done)),
      onDone: () => {
        this.#current = undefined;
        this.#options.onDone();
      },
    });
    this.#current = { reconciler, logId, epoch };
    link.send(encodeMessage({ type: "reconcile", nowMs: ownMs() }));
  }

  /** Its turn has come: what the log, of that horizon, has through `head` is compared. */
  begin(head: number, horizon: number): void {
    if (this.#current === undefined || !this.isWaiting) return;
    const { reconciler, logId, epoch } = this.#current;
    this.#options.applier.reconcileFrom(logId, epoch, head);
    reconciler.begin(this.#options.compareUnder(horizon));
  }

  /** Has the log hear of entries as a part of the reconciliation, which is not over before they are committed. Returns whether one is under way. */
  offer(entries: readonly Entry[]): boolean {
    this.#current?.reconciler.offer(entries);
    return this.isActive;
  }

  /** Takes in an answer. Throws `OUT_OF_ORDER` if a donation is missing. */
  onAnswer(message: Extract<DirectoryMessage, { type: "compared" | "wanted" }>): void {
    if (message.type === "compared") this.#current?.reconciler.onCompared(message);
    else this.#current?.reconciler.onWanted(message);
  }

  /** Entries have been donated in answer to an offer. */
  onDonation(id: number, count: number): void {
    this.#current?.reconciler.onDonation(id, count);
  }

  /** The link is down. */
  stop(): void {
    this.#current = undefined;
  }
}
