import { NearestIndex, type Neighbour } from "@meridian/geo";
import type { Coordinates } from "@meridian/protocol";
import type { MemberInfo } from "@meridian/replication";
import type { Clock } from "@meridian/runtime";

/** Where the registry reads the registered nodes: the directory's machine. */
export interface MemberSource {
  readonly members: readonly MemberInfo[];
  /** The node of that id as it is now, if it has its link here. */
  linked(id: string): MemberInfo | undefined;
}

/** A registered node: the same object for as long as the node is registered. */
export interface KnownNode {
  readonly id: string;
  readonly member: MemberInfo;
  /** What the answers to clients keep of it. */
  face: unknown;
}

/** A node, and when it is to be read anew. */
interface ReadNode extends KnownNode {
  member: MemberInfo;
  staleAtMs: number;
}

/** How old the lag and load of a node may be, in milliseconds. Nodes report twice a second, so no client can tell. */
const FRESH_MS = 100;

/**
 * Finds registered nodes by id and by distance. Which nodes are registered, and where they are, is read from the source when that has changed; status, lag and load of
 * a node that has its link here are read when they are asked for and older than 100 ms. So a request visits few nodes, however many there are.
 */
export class NodeRegistry {
  readonly #source: MemberSource;
  readonly #clock: Clock;
  readonly #index = new NearestIndex<ReadNode>();
  readonly #nodes = new Map<string, ReadNode>();
  #hasChanged = true;

  constructor(source: MemberSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** The owner calls it when a node has come, gone or changed its status, and when another directory has told of its nodes. */
  changed(): void {
    this.#hasChanged = true;
  }

  /** Every registered node, in the order of their ids. */
  all(): MemberInfo[] {
    return this.#source.members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** The node of that id, if it is registered. */
  get(id: string): MemberInfo | undefined {
    const node = this.#current().get(id);
    return node && this.#read(node, this.#clock.elapsedMs());
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
  ): readonly Neighbour<KnownNode>[] {
    this.#current();
    const nowMs = this.#clock.elapsedMs();
    const isAccepted = (node: ReadNode): boolean => accept(this.#read(node, nowMs));
    return this.#index.nearest(coordinates, limit, isAccepted);
  }

  #read(node: ReadNode, nowMs: number): MemberInfo {
    // Of the nodes of another directory nothing is known but what it has told.
    if (nowMs >= node.staleAtMs && node.member.peer === null) {
      node.member = this.#source.linked(node.member.id) ?? node.member;
      node.staleAtMs = nowMs + FRESH_MS;
    }
    return node.member;
  }

  #current(): ReadonlyMap<string, ReadNode> {
    if (!this.#hasChanged) return this.#nodes;
    this.#hasChanged = false;
    const staleAtMs = this.#clock.elapsedMs() + FRESH_MS;
    const { members } = this.#source;
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.#nodes.keys()) if (!ids.has(id)) this.#forget(id);
    for (const member of members) this.#take(member, staleAtMs);
    return this.#nodes;
  }

  #take(member: MemberInfo, staleAtMs: number): void {
    const { id, lat, lon } = member;
    const known = this.#nodes.get(id);
    const node = known ?? { id, member, staleAtMs, face: undefined };
    const { member: before } = node;
    if (known === undefined) this.#nodes.set(id, node);
    node.member = member;
    node.staleAtMs = staleAtMs;
    if (known === undefined || before.lat !== lat || before.lon !== lon)
      this.#index.set(node, member);
  }

  #forget(id: string): void {
    this.#nodes.delete(id);
    this.#index.delete(id);
  }
}
