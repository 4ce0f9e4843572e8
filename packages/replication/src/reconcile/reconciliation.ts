import type { Link } from "@meridian/ports";
import { encodeMessage, type DirectoryMessage } from "@meridian/protocol";

import type { Applier } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import { Reconciler, type ReconcilerStore } from "./reconciler.ts";

/** Whoever reconciles with a log: a node, or a directory that follows another one. */
export interface ReconcilingParty {
  /** This machine's own time. */
  ownMs(): number;
  /** Runs `callback` once other work has had its turn. What it throws ends the link. */
  later(callback: () => void): void;
  /** The horizon to compare under with a log of that horizon. */
  compareUnder(horizon: number): number;
  /** Gives the log the newest entries of `keys`. Calls back when it has them. */
  giveAgain(keys: readonly string[], done: () => void): void;
  /** Everything that differed has been exchanged. The peer is still to be told. */
  onReconciled(): void;
}

interface Current {
  readonly reconciler: Reconciler;
  readonly logId: number;
  readonly epoch: number;
}

/** The reconciliation with the log at the other end of the link: from the welcome that asks for it until it is over, or the link is down. */
export class Reconciliation {
  readonly #party: ReconcilingParty;
  readonly #store: ReconcilerStore;
  readonly #position: LogPosition;
  readonly #applier: Applier;
  #current: Current | undefined;

  constructor(
    party: ReconcilingParty,
    store: ReconcilerStore,
    position: LogPosition,
    applier: Applier,
  ) {
    this.#party = party;
    this.#store = store;
    this.#position = position;
    this.#applier = applier;
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
    const party = this.#party;
    this.#applier.suspend();
    const reconciler: Reconciler = new Reconciler({
      store: this.#store,
      send: (message) => link.send(message),
      ownMs: () => party.ownMs(),
      later: (callback) => party.later(this.#unlessBroken(reconciler, callback)),
      giveAgain: (keys, done) => party.giveAgain(keys, this.#unlessBroken(reconciler, done)),
      onDone: () => {
        this.#current = undefined;
        party.onReconciled();
      },
    });
    this.#current = { reconciler, logId, epoch };
    link.send(encodeMessage({ type: "reconcile", nowMs: party.ownMs() }));
  }

  /** Its turn has come: what the log, of that horizon, has through `head` is compared. */
  begin(head: number, horizon: number): void {
    if (this.#current === undefined || !this.isWaiting) return;
    const { reconciler, logId, epoch } = this.#current;
    this.#position.becomeReconciling(logId, epoch, head);
    reconciler.begin(this.#party.compareUnder(horizon));
  }

  /** Keeps a reconciliation that is under way from being over before the function that is returned is called: the log gets `entries` more. */
  hold(entries: number): () => void {
    const reconciler = this.#current?.reconciler;
    if (reconciler === undefined) return () => {};
    return this.#unlessBroken(reconciler, reconciler.hold(entries));
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

  /** A link that broke meanwhile has taken its reconciliation along. */
  #unlessBroken(reconciler: Reconciler, done: () => void): () => void {
    return () => {
      if (this.#current?.reconciler === reconciler) done();
    };
  }
}
