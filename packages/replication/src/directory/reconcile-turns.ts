/**
 * Whose turn it is to reconcile.
 *
 * Nodes take turns because the first of them fills an empty log, after which the others differ from it by little: side by side, five nodes would each
 * bring everything. So a node keeps its turn while its reconciliation makes progress. A reconciliation that stands still, or takes longer than any
 * should, is not broken off, because its node would lose what it has compared. But it does not delay others any more: the next node begins beside it.
 * Nodes wait in the order of asking, and one that asks again waits behind the others. Members for good go before newcomers: anybody can greet with
 * hundreds of ids that are made up, each of which could stand still in its turn.
 */
import type { DirectoryContext } from "./directory-context.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { Membership } from "./membership.ts";

interface Turn {
  readonly session: DirectorySession;
  readonly begin: (head: number) => void;
  beganAtMs: number;
}

/** Gives turns to those that ask. */
export class ReconcileTurns {
  readonly #context: DirectoryContext;
  readonly #membership: Pick<Membership, "isEstablished">;
  readonly #waiting: Turn[] = [];
  /** Those that have begun and are not over, in that order. Invariant: only the last can hold others up. */
  readonly #begun: Turn[] = [];

  /** How many turns there have been. */
  begunTotal = 0;

  constructor(context: DirectoryContext, membership: Pick<Membership, "isEstablished">) {
    this.#context = context;
    this.#membership = membership;
  }

  /** The one that began last and is not over. */
  get current(): DirectorySession | undefined {
    return this.#begun.at(-1)?.session;
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Those that have begun and are not over. */
  get begun(): readonly DirectorySession[] {
    return this.#begun.map(({ session }) => session);
  }

  /** Has a session wait for its turn. `begin` is what `turnCame` is handed then. */
  ask(session: DirectorySession, begin: (head: number) => void): void {
    if ([...this.#begun, ...this.#waiting].some((turn) => turn.session === session)) return;
    this.#waiting.push({ session, begin, beganAtMs: 0 });
    this.watch();
  }

  /** A session has reconciled, or is gone. */
  end(session: DirectorySession): void {
    for (const turns of [this.#begun, this.#waiting]) {
      const index = turns.findIndex((turn) => turn.session === session);
      if (index >= 0) turns.splice(index, 1);
    }
    this.watch();
  }

  /** Begins the next turn unless one is held. To be called now and then. */
  watch(): void {
    if (this.#waiting.length === 0 || this.#isHeld()) return;
    const isMember = ({ session }: Turn): boolean => this.#membership.isEstablished(session.id);
    const index = Math.max(0, this.#waiting.findIndex(isMember));
    const [next] = this.#waiting.splice(index, 1);
    if (next === undefined) return;
    next.beganAtMs = this.#context.clock.elapsedMs();
    this.#begun.push(next);
    this.begunTotal += 1;
    this.#context.events.emit.turnCame(next.session, next.begin);
  }

  #isHeld(): boolean {
    const last = this.#begun.at(-1);
    if (last === undefined) return false;
    const { clock, limits } = this.#context;
    const nowMs = clock.elapsedMs();
    const movedAtMs = Math.max(last.beganAtMs, last.session.comparedFurtherAtMs);
    return nowMs - movedAtMs < limits.turnStillMs && nowMs - last.beganAtMs < limits.turnMs;
  }
}
