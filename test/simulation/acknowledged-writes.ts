import type { ReplicaDisk } from "@meridian/testkit";

import type { SimulatedNode } from "./cluster.ts";

/** A write that was acknowledged to its client. */
export interface AcknowledgedWrite {
  readonly name: string;
  readonly key: string;
  readonly node: SimulatedNode;
  /** When it was acknowledged, in true time. */
  readonly atMs: number;
  readonly outboxPosition: number;
  /** The write that this one replaced at its node; undefined if the key was new there. */
  readonly over: string | undefined;
  /** Whether it is a delete, or has expired at the end of the simulation. */
  readonly fades: boolean;
}

/** A disk that was put back from a backup. */
interface Copy {
  readonly incarnation: number;
  /** What had been acknowledged by then. */
  readonly before: ReadonlySet<AcknowledgedWrite>;
  /** When a directory first took it in, in true time. */
  metAtMs: number;
}

/** How long a copy may take to get a new identity from when a directory has taken it in. */
const FINDING_MS = 3_000;

/** The acknowledged writes that must not be lost. */
export class AcknowledgedWrites {
  #writes: AcknowledgedWrite[] = [];
  readonly #copies = new Map<SimulatedNode, Copy>();

  get length(): number {
    return this.#writes.length;
  }

  [Symbol.iterator](): Iterator<AcknowledgedWrite> {
    return this.#writes.values();
  }

  push(write: AcknowledgedWrite): void {
    this.#writes.push(write);
  }

  /** Those that `isLost` may be lost rightly. */
  excuse(isLost: (write: AcknowledgedWrite) => boolean): void {
    this.#writes = this.#writes.filter((write) => !isLost(write));
  }

  /** A node has got `disk` from a backup. */
  onRestored(node: SimulatedNode, { incarnation }: ReplicaDisk): void {
    this.#copies.set(node, { incarnation, before: new Set(this.#writes), metAtMs: Infinity });
  }

  /** A directory has taken a node in. */
  onWelcome(id: string, nowMs: number): void {
    for (const [node, copy] of this.#copies) {
      if (node.id === id) copy.metAtMs = Math.min(copy.metAtMs, nowMs);
    }
  }

  /** Whether a node has a disk from a backup that no directory has found to be a copy. */
  isUnknownCopy(node: SimulatedNode): boolean {
    return this.#copies.get(node)?.incarnation === node.disk.incarnation;
  }

  /**
   * The process of a node has ended. If no directory had found its disk to be a copy by then, nothing tells what this process wrote from what the
   * copy had not sent, and both may lose to what the original has sent.
   */
  onEnded(node: SimulatedNode, nowMs: number): void {
    const copy = this.#copies.get(node);
    if (copy === undefined || !this.isUnknownCopy(node)) return;
    if (nowMs > copy.metAtMs + FINDING_MS) return;
    const { outboxAcknowledged } = node.disk;
    this.excuse((write) => {
      const isUnsent = write.node === node && write.outboxPosition > outboxAcknowledged;
      return isUnsent && !copy.before.has(write);
    });
  }
}
