import type { Link } from "@meridian/ports";
import {
  encodeMessage,
  MeridianError,
  type DirectoryMessage,
  type Welcome,
} from "@meridian/protocol";

import type { Applier } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import type { Rules } from "../rules.ts";
import { Reconciler, type ReconcileLimits, type ReconcilerStore } from "./reconciler.ts";

/** Whoever reconciles with a log: a node, or a directory that follows another one. */
export interface ReconcilingParty {
  readonly rules: Rules;
  /** Whether the party can reconcile now. While it is false, no turn is asked for; the party calls `Reconciliation.proceed` once it is true. */
  readonly canReconcile: boolean;
  readonly limits: ReconcileLimits;
  /** This machine's own time. */
  ownMs(): number;
  /** Runs `callback` in a later turn. An error that it throws ends the link. */
  later(callback: () => void): void;
  /** The horizon to compare under with a log of that horizon. */
  compareUnder(horizon: number): number;
  /** Gives the log the newest entries of `keys`. Calls back when it has them. */
  giveAgain(keys: readonly string[], done: () => void): void;
  /** Everything that differed has been exchanged. The peer has not been told yet. */
  onReconciled(): void;
}

type Begin = Pick<
  Extract<DirectoryMessage, { type: "reconcile-begin" }>,
  "head" | "horizon" | "resumes"
>;

type LogAtWelcome = Pick<Welcome, "logId" | "epoch" | "head" | "committedThrough">;

interface Current {
  readonly reconciler: Reconciler;
  readonly logId: number;
  readonly epoch: number;
  /** Undefined while the link is lost. */
  link: Link | undefined;
  /** How far the log had come when the link was made. */
  welcome: LogAtWelcome | undefined;
  /** Whether a turn was asked for on this link, and whether it has come. */
  hasAsked: boolean;
  hasTurn: boolean;
}

/**
 * The reconciliation with the log at the other end of the link: from the welcome that asks for it until it is over.
 *
 * A reconciliation whose link is lost is kept. It goes on where it was if the next link leads to the same epoch of the log, and the directory
 * remembers it, too. It becomes void if another log feeds the node or reconciles with it, because this log may lack what came from there; if stamps
 * become lower; and if the store refuses something that came with it. A node that has been restarted begins anew.
 */
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
    return this.#current?.link !== undefined;
  }

  /** Whether its turn has not come yet: until then the node stands in another log. */
  get isWaiting(): boolean {
    return this.isActive && this.#current?.hasTurn === false;
  }

  /** Asks for a turn to reconcile with a log, as soon as the party may compare. */
  ask(link: Link, welcome: LogAtWelcome): void {
    const { logId, epoch } = welcome;
    const kept = this.#keptOf(welcome);
    const current = kept ?? this.#make(logId, epoch);
    current.link = link;
    current.welcome = welcome;
    current.hasAsked = current.hasTurn = false;
    this.#current = current;
    this.#applier.suspend();
    this.proceed();
  }

  /** Asks for the turn that was put off until the party may compare. */
  proceed(): void {
    const current = this.#current;
    if (current?.link === undefined || current.hasAsked || !this.#party.canReconcile) return;
    current.hasAsked = true;
    const isKept = current.reconciler.begun;
    const resumed = isKept ? { appliedThrough: this.#position.applied } : {};
    current.link.send(encodeMessage({ type: "reconcile", nowMs: this.#party.ownMs(), ...resumed }));
  }

  /** The kept reconciliation with that epoch, if it is still valid. */
  #keptOf({ logId, epoch }: LogAtWelcome): Current | undefined {
    const current = this.#current;
    if (current?.logId !== logId || current.epoch !== epoch) return undefined;
    const { place, isReconciling } = this.#position;
    return isReconciling && place.logId === logId && place.epoch === epoch ? current : undefined;
  }

  #make(logId: number, epoch: number): Current {
    const party = this.#party;
    const reconciler: Reconciler = new Reconciler({
      store: this.#store,
      rules: party.rules,
      limits: party.limits,
      send: (message) => current.link?.send(message),
      ownMs: () => party.ownMs(),
      later: (callback) => party.later(this.#unlessVoid(reconciler, callback)),
      giveAgain: (keys, done) => party.giveAgain(keys, this.#unlessVoid(reconciler, done)),
      onDone: () => {
        this.#current = undefined;
        party.onReconciled();
      },
    });
    const nowhere = { link: undefined, welcome: undefined, hasAsked: false, hasTurn: false };
    const current: Current = { reconciler, logId, epoch, ...nowhere };
    return current;
  }

  /**
   * The turn has come. The log through `head` is compared, or only what an earlier link has left of it. Throws `MALFORMED_MESSAGE` if the
   * reconciliation should go on beyond what the node has applied.
   */
  begin({ head, horizon, resumes = false }: Begin): void {
    if (this.#current === undefined || !this.isWaiting) return;
    const { applied } = this.#position;
    if (resumes && head > applied) {
      const said = `Expected to go on at most from sequence ${applied}, got ${head}`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const { logId, epoch, link, reconciler, welcome } = this.#current;
    const current = reconciler.begun && !resumes ? this.#make(logId, epoch) : this.#current;
    current.link = link;
    current.hasAsked = current.hasTurn = true;
    this.#current = current;
    // What is compared from the start on is committed. What this party goes on from is what it was sent, which may be lost yet.
    const committed = resumes ? Math.min(head, welcome?.committedThrough ?? 0) : head;
    this.#position.becomeReconciling(logId, epoch, head, committed);
    // The log is compared as it is now, even if the feed starts far behind its head.
    if (welcome !== undefined) this.#position.observe(welcome.head, welcome.committedThrough);
    current.reconciler.begin(this.#party.compareUnder(horizon));
  }

  /** Keeps a reconciliation that is under way from being over before the function that is returned is called: the log gets `entries` more. */
  hold(entries: number): () => void {
    const reconciler = this.#current?.reconciler;
    if (reconciler === undefined) return () => {};
    return this.#unlessVoid(reconciler, reconciler.hold(entries));
  }

  /** Takes in an answer. Throws `OUT_OF_ORDER` if a donation is missing. */
  onAnswer(message: Extract<DirectoryMessage, { type: "compared" | "wanted" }>): void {
    if (!this.isActive) return;
    if (message.type === "compared") this.#current?.reconciler.onCompared(message);
    else this.#current?.reconciler.onWanted(message);
  }

  /** Entries have been donated in answer to an offer. */
  onDonation(id: number, count: number): void {
    this.#current?.reconciler.onDonation(id, count);
  }

  /** The link is down. */
  stop(): void {
    if (this.#current === undefined) return;
    this.#current.link = undefined;
    if (this.#current.reconciler.begun) this.#current.reconciler.pause();
    else this.#current = undefined;
  }

  /** Forgets all progress, which is void. Returns whether a reconciliation was under way. */
  forget(): boolean {
    const { isActive } = this;
    this.#current = undefined;
    return isActive;
  }

  /**
   * What was compared is void. Returns whether it was compared on this link, which the caller then resets. A reconciliation that has not asked for
   * its turn yet begins anew on this link.
   */
  startOver(): boolean {
    const current = this.#current;
    if (current?.link === undefined || current.hasAsked) return this.forget();
    const { link, welcome, logId, epoch } = current;
    this.#current = Object.assign(this.#make(logId, epoch), { link, welcome });
    return false;
  }

  /** A callback that does nothing if another reconciliation has begun meanwhile. */
  #unlessVoid(reconciler: Reconciler, done: () => void): () => void {
    return () => {
      if (this.#current?.reconciler === reconciler) done();
    };
  }
}
