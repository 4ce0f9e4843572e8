import type { Link } from "@meridian/ports";
import { encodeMessage, MeridianError, type NodeMessage } from "@meridian/protocol";

import { OpenRanges } from "../reconcile/open-ranges.ts";
import { ReconcileResponder } from "../reconcile/reconcile-responder.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { KeptComparison } from "./kept-comparisons.ts";
import type { SessionHost } from "./session-host.ts";

/** What a `SessionReconciliation` needs of its session. */
export interface SessionReconciliationOptions {
  readonly host: SessionHost;
  readonly link: Link;
  readonly session: DirectorySession;
  /** Starts the feed of the peer after a sequence. */
  startFeed(after: number): void;
}

/** The reconciliation of one peer, from the greeting or question that shows the need until it is done. */
export class SessionReconciliation {
  readonly #options: SessionReconciliationOptions;
  #responder: ReconcileResponder | undefined;
  /** The progress to keep if the link is lost. */
  #current: Omit<KeptComparison, "sentThrough"> | undefined;
  /** The peer's claim, when it came back, of how far it had come. */
  #appliedThrough: number | undefined;
  /** When the peer last made progress; before it has asked for its turn, when it was told to reconcile. */
  #movedAtMs = 0;
  /** When the comparison last reached keys that had not been compared before. */
  comparedFurtherAtMs = 0;
  /** Whether the peer has to reconcile, and has not finished. */
  isDue = false;
  /** Whether the peer was told to ask for its turn, and has not. */
  #isOwed = false;

  constructor(options: SessionReconciliationOptions) {
    this.#options = options;
  }

  /** The peer is told to reconcile. */
  demand(): void {
    this.isDue = true;
    this.#isOwed = true;
    this.#move();
  }

  /** How long it has been at rest; 0 where the peer waits: for its turn, for room on its disk, or for an answer that it is slow to take. */
  get restMs(): number {
    const { status } = this.#options.session;
    const isOwed = this.#isOwed && status !== "full";
    const isMoving = this.#responder === undefined ? !isOwed : this.#responder.isAnswering;
    return isMoving ? 0 : this.#options.host.clock.elapsedMs() - this.#movedAtMs;
  }

  /** Entries that the peer has offered and that wait to be answered. */
  get offeredEntries(): number {
    return this.#responder?.offeredEntries ?? 0;
  }

  /** Goes on answering until the link is full. */
  pump(): void {
    this.#responder?.pump();
  }

  onMessage(
    message: Extract<NodeMessage, { type: "reconcile" | "compare" | "offer" | "reconciled" }>,
  ): void {
    const { host, session } = this.#options;
    this.#move();
    switch (message.type) {
      case "reconcile":
        this.isDue = true;
        this.#isOwed = false;
        this.#appliedThrough = message.appliedThrough;
        return host.events.emit.turnAsked(session, (head) => this.#begin(head));
      case "compare":
        if (this.#responder?.compare(message)) this.comparedFurtherAtMs = this.#movedAtMs;
        return;
      case "offer":
        return this.#responder?.offer(message);
      case "reconciled":
        return this.#end();
    }
  }

  #move(): void {
    this.#movedAtMs = this.#options.host.clock.elapsedMs();
  }

  /** The peer's turn has come: what is through `head` is compared, and it gets everything after that as it comes. */
  #begin(head: number): void {
    const { host, link, session } = this.#options;
    const { log } = host;
    const { horizon } = host.horizon;
    const nowMs = (): number => host.clock.nowMs();
    this.#move();
    const under = Math.max(horizon, session.hello?.horizon ?? 0);
    const { nodeId, incarnation } = session.hello ?? {};
    const kept = this.#keptUnder(under);
    const { open = new OpenRanges() } = kept ?? {};
    const from = kept === undefined ? head : (this.#appliedThrough ?? head);
    this.#current =
      nodeId === undefined || incarnation === undefined
        ? undefined
        : { nodeId, incarnation, open, under, head: kept?.head ?? head };
    // What is wanted of a node it sends, to be buried then; a directory sends nothing.
    const buriesUnder = (): number => (session.isFollower ? host.horizon.horizon : 0);
    const { pageRows } = host.limits;
    const options = { log, link, open, horizon: under, pageRows, buriesUnder, nowMs };
    const responder: ReconcileResponder = new ReconcileResponder({
      ...options,
      linkBytesMax: host.linkBytesMax,
      later: (callback) => session.later(() => this.#responder === responder && callback()),
    });
    this.#responder = responder;
    const resumes = kept === undefined ? {} : { resumes: true };
    const told = { nowMs: nowMs(), head: from, horizon, ...resumes };
    link.send(encodeMessage({ type: "reconcile-begin", ...told }));
    this.#options.startFeed(from);
  }

  #keptUnder(under: number): KeptComparison | undefined {
    const { host, session } = this.#options;
    if (session.hello === undefined) return undefined;
    const { nodeId, incarnation } = session.hello;
    const { purgedThrough } = host.log;
    const appliedThrough = this.#appliedThrough;
    return host.comparisons.take({ nodeId, incarnation, appliedThrough, under, purgedThrough });
  }

  /** The link is lost, on which the peer has been sent the log through here. */
  keep(sentThrough: number): void {
    if (this.#current === undefined) return;
    this.#options.host.comparisons.keep({ ...this.#current, sentThrough });
    this.#current = undefined;
  }

  /** Only if everything was compared, a missing entry was deleted. */
  #end(): void {
    const responder = this.#responder;
    if (responder?.isWhole !== true) {
      const said = "Expected `reconciled` once all keys have been compared, got it before";
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const { host, session } = this.#options;
    this.#responder = undefined;
    this.#current = undefined;
    host.horizon.reach(session.hello?.horizon ?? 0);
    this.isDue = false;
    host.logger.info("node has reconciled", { node: session.id, ...responder.looked });
    host.events.emit.reconciled(session);
  }
}
