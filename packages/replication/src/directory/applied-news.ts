/**
 * Tells the nodes that wait for it who has applied their frames.
 *
 * Each message lists everyone. Told at each report of each node, it would cost the square of their number: so among many nodes, what a few
 * reports bring is told together, and among few of them each one at once.
 */
import type { ApplyingNode } from "./applied-watch.ts";
import type { DirectoryContext } from "./directory-context.ts";
import type { Membership } from "./membership.ts";

/** A node that waits to hear who has applied its frames. */
export interface Watcher extends ApplyingNode {
  /** Whether it still waits to hear of a frame. */
  readonly isWatching: boolean;
  updateWatch(appliers: readonly ApplyingNode[], readyElsewhere: readonly string[]): void;
}

/** How much longer it takes at least from one telling to the next for each so many nodes, in milliseconds. */
const NODES_PER_MS = 10;

/** Sends each waiting node, now and then, which nodes have applied its frames. */
export class AppliedNews {
  readonly #context: DirectoryContext;
  readonly #membership: Membership;
  readonly #watchers = new Set<Watcher>();
  #isDue = false;
  #toldAtMs = -Infinity;

  constructor(context: DirectoryContext, membership: Membership) {
    this.#context = context;
    this.#membership = membership;
  }

  /** A node has sent a frame of which it wants to know who has applied it. */
  watch(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.changed();
  }

  /** A node is gone. */
  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.changed();
  }

  /** Something may have changed: who has applied what, who is ready, or who is there. */
  changed(): void {
    if (this.#isDue || this.#watchers.size === 0) return;
    const { clock, deadlines } = this.#context;
    const paceMs = Math.floor(this.#membership.size / NODES_PER_MS);
    const restMs = this.#toldAtMs + paceMs - clock.elapsedMs();
    if (restMs <= 0) return this.#tell();
    this.#isDue = true;
    deadlines.after(restMs, () => this.#tell());
  }

  #tell(): void {
    this.#isDue = false;
    this.#toldAtMs = this.#context.clock.elapsedMs();
    const { readyElsewhere } = this.#membership;
    const appliers = this.#membership.sessions.map(asApplyingNode);
    for (const watcher of this.#watchers) {
      const others = appliers.filter(({ id }) => id !== watcher.id);
      watcher.updateWatch(others, readyElsewhere);
      if (!watcher.isWatching) this.#watchers.delete(watcher);
    }
  }
}

function asApplyingNode({ id, ready, appliedThrough }: ApplyingNode): ApplyingNode {
  return { id, ready, appliedThrough };
}
