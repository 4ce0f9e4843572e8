import { MeridianError, type AckLevel, type Acknowledgement } from "@meridian/protocol";

import type { NodeContext } from "./node-context.ts";

/** A level that is not reached by what this node has done. */
type WaitedLevel = Exclude<AckLevel, "local">;

interface Waiter {
  readonly position: number;
  readonly level: WaitedLevel;
  nodes: readonly string[];
  ready: readonly string[];
  /** Whether the directory has said anything of this position's appliers. */
  heard: boolean;
  readonly finish: (reached: boolean) => void;
}

interface Report {
  readonly position: number;
  readonly nodes: readonly string[];
  readonly ready: readonly string[];
}

/** Lets each writer wait until its write has reached the acknowledgement level that the writer asked for. */
export class Acknowledgements {
  readonly #context: NodeContext;
  readonly #waiters = new Set<Waiter>();
  readonly #localOnly: Acknowledgement;
  readonly #localOrdered: Acknowledgement;
  #reserved = 0;
  #directoryThrough: number;
  /**
   * After a change of directory the new log may lack writes of this node up to `#unorderedThrough`. Until they have been sent
   * again, at `#orderedFrom`, "node X has position 9" does not imply that X has position 8.
   */
  #unorderedThrough = 0;
  #orderedFrom = 0;
  /** The directory's newest reports, `reportsMax` of them. A report may come before its writer begins to wait. */
  readonly #reports: Report[] = [];

  constructor(context: NodeContext) {
    this.#context = context;
    const nodes = [context.node.id];
    this.#localOnly = {
      level: "local",
      reached: true,
      local: true,
      directory: false,
      nodes,
      ready: nodes,
    };
    this.#localOrdered = { ...this.#localOnly, directory: true };
    this.#directoryThrough = context.store.outboxAcknowledged;
  }

  /** Writers that wait, or are going to. */
  get waiting(): number {
    return Math.max(this.#reserved, this.#waiters.size);
  }

  /** Reserves a place for a writer that is going to wait, and returns the function that releases it. Throws `OVERLOADED` if all places are taken. */
  reserve(): () => void {
    if (this.#reserved >= this.#context.limits.waitersMax) throw this.#overloaded();
    this.#reserved += 1;
    let isKept = true;
    return () => {
      if (isKept) this.#reserved -= 1;
      isKept = false;
    };
  }

  /** Resolves once the level is reached, or after `timeoutMs` with what is known then. Rejects with `OVERLOADED` if no place is left. */
  wait(position: number, level: AckLevel, timeoutMs: number): Promise<Acknowledgement> {
    const { node, deadlines, limits } = this.#context;
    if (level === "local") return Promise.resolve(this.local(position));
    if (this.#waiters.size >= limits.waitersMax) return Promise.reject(this.#overloaded());
    return new Promise((resolve) => {
      const cancel = deadlines.after(timeoutMs, () => waiter.finish(false));
      const waiter: Waiter = {
        position,
        level,
        nodes: [],
        ready: [],
        heard: false,
        finish: (reached) => {
          cancel();
          this.#waiters.delete(waiter);
          resolve({
            level,
            reached,
            local: true,
            directory: position <= this.#directoryThrough,
            nodes: [node.id, ...waiter.nodes],
            ready: [node.id, ...waiter.ready],
          });
        },
      };
      this.#waiters.add(waiter);
      for (const report of this.#reports) this.#hear(waiter, report);
      this.#check(waiter);
    });
  }

  /** What is known now of a write that has reached the level `local`: always one of the same two objects, for nearly every write is one of these. */
  local(position: number): Acknowledgement {
    return position <= this.#directoryThrough ? this.#localOrdered : this.#localOnly;
  }

  /**
   * The log may lack acknowledged frames of this node's outbox up to `position`. Until they have been sent again, a node that has a
   * later position may lack these.
   */
  onLack(position: number): void {
    this.#unorderedThrough = position;
    this.#orderedFrom = Infinity;
    this.#reports.splice(0);
  }

  /** What the log may have lacked stands in the outbox again, at or before `position`. */
  onSentAgain(position: number): void {
    this.#orderedFrom = position;
  }

  /** The directory has committed the outbox through `position`. */
  onDirectory(position: number): void {
    this.#directoryThrough = Math.max(this.#directoryThrough, position);
    for (const waiter of this.#waiters) this.#check(waiter);
  }

  /** `nodes` have applied this node's outbox through `position`; `ready` are all nodes that were ready then. */
  onApplied(position: number, nodes: readonly string[], ready: readonly string[]): void {
    const report = { position, nodes, ready };
    if (this.#reports.push(report) > this.#context.limits.reportsMax) this.#reports.shift();
    for (const waiter of this.#waiters) {
      this.#hear(waiter, report);
      this.#check(waiter);
    }
  }

  /** Ends every wait with the level that has been reached by now. */
  close(): void {
    for (const waiter of this.#waiters) waiter.finish(false);
  }

  #overloaded(): MeridianError {
    const { waitersMax: max } = this.#context.limits;
    const said = `Expected at most ${max} writes waiting to be acknowledged, got one more`;
    return new MeridianError("OVERLOADED", said, { details: { max } });
  }

  #check(waiter: Waiter): void {
    if (this.#isReached(waiter)) waiter.finish(true);
  }

  #isReached({ position, level, nodes, ready, heard }: Waiter): boolean {
    const isOrdered = position <= this.#directoryThrough;
    if (level === "directory") return isOrdered;
    // A write that every node has applied, and no directory has committed, is lost if all nodes lose their data.
    if (level === "all") return isOrdered && heard && ready.every((id) => nodes.includes(id));
    return 1 + nodes.filter((id) => ready.includes(id)).length >= level;
  }

  /** A node that has applied a position has applied every earlier position of the same log. */
  #hear(waiter: Waiter, { position, nodes, ready }: Report): void {
    if (waiter.position > position) return;
    if (waiter.position <= this.#unorderedThrough && position < this.#orderedFrom) return;
    waiter.heard = true;
    waiter.nodes = [...new Set([...waiter.nodes, ...nodes])];
    waiter.ready = ready;
  }
}
