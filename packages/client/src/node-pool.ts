/**
 * The nodes a client knows, nearest first, and which of them it believes in.
 *
 * Requests go to the nearest node whose circuit admits them and that is trusted. A node that has failed, or that
 * turns up nearer than the one in use, is trusted again only when it has looked well for some time; until then it
 * serves where no trusted one can.
 *
 * A node that the directory leaves out of its answer although it is nearer than those it gives is not ready: it is
 * kept, its circuit open, so that its return is noticed by the checks and not only by the next refresh.
 */
import { Backoff, type Random } from "@meridian/runtime";

import { Circuit } from "./circuit.ts";
import type { NodeInfo } from "./directory.ts";
import type { Events } from "./events.ts";
import { NodeTime } from "./node-time.ts";
import { Probation } from "./probation.ts";
import { isFaster, RoundTrips } from "./round-trips.ts";
import { Slots } from "./slots.ts";

/** One node and what the client knows of its health. */
export interface PooledNode {
  info: NodeInfo;
  readonly circuit: Circuit;
  readonly probation: Probation;
  readonly roundTrips: RoundTrips;
  readonly time: NodeTime;
  /** Bounds the requests under way. */
  readonly slots: Slots;
  /** Whether the directory's last answer had it. */
  listed: boolean;
  /** The end of the node's `Retry-After`, on the clock's `elapsedMs`. */
  restsUntilMs: number;
  /** A check of this node is due or running. */
  checking: boolean;
  readonly checks: Backoff;
  /** The running request to `/readyz`, if there is one. */
  looking: Promise<boolean> | undefined;
  /** The running request that checks whether the node answers at all, if there is one. */
  lifeSign: Promise<void> | undefined;
  /** Whether the node gave no answer to its last request. */
  unreachable: boolean;
  /** The last failure, for error details. */
  lastFailure: string;
  /** The largest value that the node accepts, learnt from a refusal, and until when the client relies on it. */
  valueBytesMax: { readonly bytes: number; readonly untilMs: number } | undefined;
}

/** The longest time between two checks of a failed node: so long it may be ready before its probation begins. */
const CHECK_MS_MAX = 2_000;

/** How many nodes are remembered that the directory does not list any more. */
const UNLISTED_MAX = 5;

/**
 * The nodes that a client knows. Invariant: `nodes` has each URL once and is ordered by distance, except that a node may be first because
 * it answers much faster than the nearest.
 */
export class NodePool {
  readonly #random: Random;
  readonly #failbackMs: number;
  readonly #seeds: readonly NodeInfo[];
  readonly #events: Events | undefined;
  #nodes: readonly PooledNode[] = [];
  #faster: PooledNode | undefined;

  /**
   * `failbackMs` is how long a node must have been ready before it takes over from a farther one. `seeds` are always
   * in the pool; those that the directory does not name come last. `events` gets the changes of circuits.
   */
  constructor(
    random: Random,
    failbackMs: number,
    seeds: readonly NodeInfo[] = [],
    events?: Events,
  ) {
    this.#random = random;
    this.#failbackMs = failbackMs;
    this.#seeds = seeds;
    this.#events = events;
  }

  /** All known nodes, the one to use first. */
  get nodes(): readonly PooledNode[] {
    return this.#nodes;
  }

  /** Whether there are nodes, and the circuit of each is open. */
  get isOpen(): boolean {
    return this.#nodes.length > 0 && this.#nodes.every(({ circuit }) => circuit.state === "open");
  }

  /** Whether `isOpen`, and none of the nodes answered its last request. */
  get isDown(): boolean {
    return this.isOpen && this.#nodes.every(({ unreachable }) => unreachable);
  }

  /** The node in use: where the next call goes first. */
  inUse(nowMs: number): PooledNode | undefined {
    return this.next(new Set(), nowMs) ?? this.anyway();
  }

  /**
   * The next node to ask, none of `tried`; undefined if the call should wait. If every circuit is open, a node with an open
   * circuit is asked.
   */
  next(tried: ReadonlySet<PooledNode>, nowMs: number): PooledNode | undefined {
    const left = this.#nodes.filter((node) => !tried.has(node) && node.restsUntilMs <= nowMs);
    const admitted = left.filter(({ circuit }) => circuit.admits);
    const best =
      admitted.find(({ probation }) => probation.isOver) ??
      admitted.find(({ circuit }) => circuit.state === "closed") ??
      admitted[0];
    if (best !== undefined) return best;
    if (this.#nodes.some(({ circuit }) => circuit.state !== "open")) return undefined;
    return left.find(({ listed }) => listed) ?? left[0];
  }

  /** The node to ask if the call must not wait, whatever the state of the nodes. */
  anyway(): PooledNode | undefined {
    return this.#nodes.find(({ circuit }) => circuit.state !== "open") ?? this.#nodes[0];
  }

  /** How long the `Retry-After` of all nodes still lasts, in milliseconds. */
  restMs(nowMs: number): number {
    const rests = this.#nodes.map(({ restsUntilMs }) => Math.max(0, restsUntilMs - nowMs));
    return rests.length === 0 ? 0 : Math.min(...rests);
  }

  /** Adopts the directory's list, nearest first. The circuits of nodes stay as they are. */
  update(listed: readonly NodeInfo[], nowMs: number): void {
    const known = new Map(this.#nodes.map((node) => [node.info.url, node]));
    const usedMeters = this.inUse(nowMs)?.info.distanceMeters ?? -Infinity;
    const next = new Map<string, PooledNode>();
    for (const info of listed) {
      const node =
        known.get(info.url) ?? this.#fresh(info, info.distanceMeters < usedMeters, nowMs);
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
      if (node.circuit.state === "closed") node.circuit.open();
      node.probation.begin(nowMs);
      next.set(node.info.url, node);
    }
    for (const info of this.#seeds) {
      if (next.has(info.url)) continue;
      const node = known.get(info.url) ?? this.#fresh(info, false, nowMs);
      node.info = info;
      node.listed = false;
      next.set(info.url, node);
    }
    // Stable, so that what the directory ranks alike stays in its order.
    this.#nodes = [...next.values()].sort((a, b) => byDistance(a.info, b.info));
    this.arrange();
  }

  /** Puts a node first if it answers much faster than the nearest. Called after round trips were measured, and after the list has changed. */
  arrange(): void {
    const nodes = this.#nodes.toSorted((a, b) => byDistance(a.info, b.info));
    const [nearest] = nodes;
    const candidates = nodes.filter((node) => {
      const isKnown = nearest !== undefined && node !== nearest && node.listed;
      return isKnown && isFaster(node.roundTrips, nearest.roundTrips, node === this.#faster);
    });
    const held = candidates.find((node) => node === this.#faster);
    this.#faster = held ?? candidates.toSorted(byRoundTrip)[0];
    const faster = this.#faster;
    if (faster === undefined) this.#nodes = nodes;
    else this.#nodes = [faster, ...nodes.filter((node) => node !== faster)];
  }

  #fresh(info: NodeInfo, takesOver: boolean, nowMs: number): PooledNode {
    const probation = new Probation(this.#failbackMs);
    if (takesOver) probation.begin(nowMs);
    return {
      info,
      circuit: new Circuit((circuit) => {
        this.#events?.tell("node", { id: info.id, url: info.url, circuit });
      }),
      probation,
      time: new NodeTime(),
      roundTrips: new RoundTrips(),
      slots: new Slots(),
      listed: true,
      restsUntilMs: -Infinity,
      checking: false,
      checks: new Backoff({ random: this.#random, firstMs: 250, maxMs: CHECK_MS_MAX }),
      looking: undefined,
      lifeSign: undefined,
      unreachable: false,
      lastFailure: "",
      valueBytesMax: undefined,
    };
  }
}

function byRoundTrip(a: PooledNode, b: PooledNode): number {
  return (a.roundTrips.meanMs ?? Infinity) - (b.roundTrips.meanMs ?? Infinity);
}

/** Infinite distances, which are those of seeds, are alike. */
function byDistance(a: NodeInfo, b: NodeInfo): number {
  return a.distanceMeters === b.distanceMeters ? 0 : a.distanceMeters - b.distanceMeters;
}
