/**
 * The nodes a client knows, nearest first, and which of them it believes in.
 *
 * A node is *up* until a request to it fails; it is up again when a check in the background says so. A node that
 * the directory leaves out of its answer although it is nearer than those it gives is not ready: it is kept, down,
 * so that its return is noticed by the check and not only by the next refresh.
 */
import { Backoff, type Random } from "@meridian/runtime";

import type { NodeInfo } from "./directory.ts";

/** One node and what the client knows of its health. */
export interface PooledNode {
  info: NodeInfo;
  up: boolean;
  /** Whether the directory's last answer had it. */
  listed: boolean;
  /** A check of this node is due or under way. */
  checking: boolean;
  readonly checks: Backoff;
}

/** How many nodes are remembered that the directory leaves out. */
const UNLISTED_MAX = 5;

/** The nodes a client knows. Invariant: `nodes` is ordered by distance and has each URL once. */
export class NodePool {
  readonly #random: Random;
  #nodes: readonly PooledNode[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** All known nodes, nearest first. */
  get nodes(): readonly PooledNode[] {
    return this.#nodes;
  }

  /** The node to use now: the nearest that is up, else the nearest; never one of `tried`. */
  next(tried: ReadonlySet<PooledNode>): PooledNode | undefined {
    const left = this.#nodes.filter((node) => !tried.has(node));
    return left.find((node) => node.up) ?? left.find((node) => node.listed) ?? left[0];
  }

  /** Takes the directory's answer, nearest first. Nodes that are down stay down until checked. */
  update(listed: readonly NodeInfo[]): void {
    const known = new Map(this.#nodes.map((node) => [node.info.url, node]));
    const next = new Map<string, PooledNode>();
    for (const info of listed) {
      const node = known.get(info.url) ?? this.#fresh(info);
      node.info = info;
      node.listed = true;
      next.set(info.url, node);
    }
    const nearestMeters = listed[0]?.distanceMeters ?? Infinity;
    const nearer = this.#nodes.filter(
      ({ info }) => !next.has(info.url) && info.distanceMeters <= nearestMeters,
    );
    for (const node of nearer.slice(0, UNLISTED_MAX)) {
      node.listed = false;
      node.up = false;
      next.set(node.info.url, node);
    }
    // Stable, so that what the directory ranks alike stays in its order.
    this.#nodes = [...next.values()].sort((a, b) => a.info.distanceMeters - b.info.distanceMeters);
  }

  #fresh(info: NodeInfo): PooledNode {
    const checks = new Backoff({ random: this.#random, firstMs: 250, maxMs: 10_000 });
    return { info, up: true, listed: true, checking: false, checks };
  }
}
