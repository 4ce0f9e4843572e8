import type { NodeStatus } from "@meridian/protocol";

/** What a node's status depends on at one moment. */
export interface ServingFacts {
  /** The directory has taken the node in. */
  readonly up: boolean;
  readonly reconciling: boolean;
  /** The disk takes nothing new. */
  readonly full: boolean;
  /** Whether the node is settled: its log holds everything that the node holds. */
  readonly settled: boolean;
  readonly applied: number;
}

/** What the node can do for clients. A node that has once served goes on serving when it is cut off. */
export class ServingState {
  #status: NodeStatus = "joining";
  #stopping = false;
  #joinExpired = false;
  /** Whether the node has been `ready` or `standalone` since it started. */
  #served = false;
  /** The sequence that `applied` has to reach for the node to be `ready`. */
  #target = Infinity;

  get status(): NodeStatus {
    return this.#status;
  }

  /** The node has waited long enough for a directory: it serves what it has. */
  expireJoin(): void {
    this.#joinExpired = true;
  }

  /** The node stops. */
  stop(): void {
    this.#stopping = true;
  }

  /** A directory whose log has come to `head` has taken the node in. One that comes back may be `lagMax` behind. */
  welcome(head: number, lagMax: number): void {
    this.#target = this.#served ? head - lagMax : head;
  }

  /** A reconciliation is over: the node is level with what it was compared with. */
  reconciled(applied: number): void {
    this.#target = Math.min(this.#target, applied);
  }

  /** Moves on to what the facts make of the status. Returns whether it has changed. */
  update(facts: ServingFacts): boolean {
    const status = this.#next(facts);
    if (status === "ready" || status === "standalone" || status === "full") this.#served = true;
    const hasChanged = status !== this.#status;
    this.#status = status;
    return hasChanged;
  }

  #next({ up, reconciling, applied, full, settled }: ServingFacts): NodeStatus {
    if (this.#stopping) return "draining";
    if (!up) return this.#served || this.#joinExpired ? "standalone" : "joining";
    if (full && (this.#served || settled)) return "full";
    if (reconciling) return this.#served ? "standalone" : "syncing";
    if (this.#status === "ready") return "ready";
    return applied >= this.#target ? "ready" : "syncing";
  }
}
