import { encodeMessage, type DirectoryMessage } from "@meridian/protocol";

import type { Applier } from "./applier.ts";
import type { Link } from "./ports.ts";
import { Reconciler, type ReconcilerOptions } from "./reconciler.ts";

/** What a reconciliation needs. */
export interface ReconciliationOptions extends Pick<ReconcilerOptions, "store" | "ownMs"> {
  readonly applier: Pick<Applier, "suspend" | "reconcileFrom">;
  /** Sends the newest entries of `keys` through the outbox. Calls back when the directory has committed them. */
  resubmit(keys: readonly string[], done: () => void): void;
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

  /** Whether its turn has not come yet. */
  get isWaiting(): boolean {
    return this.#current?.reconciler.begun === false;
  }

  /** Asks for a turn to reconcile with a log. */
  ask(link: Link, logId: number, epoch: number): void {
    const { store, applier } = this.#options;
    const ownMs = (): number => this.#options.ownMs();
    applier.suspend();
    const reconciler = new Reconciler({
      store,
      send: (message) => link.send(message),
      ownMs,
      resubmit: (keys, done) => {
        this.#options.resubmit(keys, () => {
          // A link that broke meanwhile has taken its reconciliation along.
          if (this.#current?.reconciler === reconciler) done();
        });
      },
      onDone: () => {
        this.#current = undefined;
        this.#options.onDone();
      },
    });
    this.#current = { reconciler, logId, epoch };
    link.send(encodeMessage({ type: "reconcile", nowMs: ownMs() }));
  }

  /** Its turn has come: what the log has through `head` is compared. */
  begin(head: number): void {
    if (this.#current === undefined || !this.isWaiting) return;
    const { reconciler, logId, epoch } = this.#current;
    this.#options.applier.reconcileFrom(logId, epoch, head);
    reconciler.begin();
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
