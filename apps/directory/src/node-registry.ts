import { NearestIndex } from "@meridian/geo";
import type { Coordinates } from "@meridian/protocol";
import type { MemberInfo } from "@meridian/replication";
import type { Clock } from "@meridian/runtime";

/** Where the registry reads the registered nodes: the directory's machine. */
export interface MemberSource {
  readonly members: readonly MemberInfo[];
}

/** A node, and its distance from the place that was asked about. */
export interface NearNode {
  readonly member: MemberInfo;
  readonly distanceMeters: number;
}

/** How old the lag and load of a node may be, in milliseconds. Nodes report twice a second, so no client can tell. */
const FRESH_MS = 100;

/**
 * Finds registered nodes by id and by distance. Which nodes are registered and ready is always read from the source; lag and load may be
 * 100 ms old, so that a request need not visit every node.
 */
export class NodeRegistry {
  readonly #source: MemberSource;
  readonly #clock: Clock;
  readonly #index = new NearestIndex();
  #members = new Map<string, MemberInfo>();
  #staleAtMs = -Infinity;

  constructor(source: MemberSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The owner calls it when a node has come, gone or changed its status. */
  changed(): void {
    this.#staleAtMs = -Infinity;
  }

  /** Every registered node, in the order of their ids. */
  all(): MemberInfo[] {
    return [...this.#current().values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The node of that id, if it is registered. */
  get(id: string): MemberInfo | undefined {
    return this.#current().get(id);
  }

  /** How many nodes are registered. */
  get size(): number {
    return this.#current().size;
  }

  /** The nodes nearest to `coordinates` that `accept` takes, nearest first, at most `limit`. */
  nearest(
    coordinates: Coordinates,
    limit: number,
    accept: (member: MemberInfo) => boolean,
  ): NearNode[] {
    const members = this.#current();
    const isAccepted = (id: string): boolean => {
      const member = members.get(id);
      return member !== undefined && accept(member);
    };
    return this.#index.nearest(coordinates, limit, isAccepted).flatMap(({ id, distanceMeters }) => {
      const member = members.get(id);
      return member === undefined ? [] : [{ member, distanceMeters }];
    });
  }

  #current(): ReadonlyMap<string, MemberInfo> {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs < this.#staleAtMs) return this.#members;
    const before = this.#members;
    this.#members = new Map(this.#source.members.map((member) => [member.id, member]));
    for (const id of before.keys()) if (!this.#members.has(id)) this.#index.delete(id);
    for (const [id, member] of this.#members) {
      const known = before.get(id);
      if (known?.lat !== member.lat || known.lon !== member.lon) this.#index.set(id, member);
    }
    this.#staleAtMs = nowMs + FRESH_MS;
    return this.#members;
  }
}
