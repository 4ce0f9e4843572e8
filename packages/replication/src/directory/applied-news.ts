/**
 * Tells waiting nodes which nodes have applied their frames.
 *
 * Each message lists all nodes that have. One message for each report of each node would cost the square of the number of nodes. So in a large
 * cluster several reports are told together, and in a small one each is told at once.
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

/** For each so many nodes, the pause between two messages is longer by one millisecond. */
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
