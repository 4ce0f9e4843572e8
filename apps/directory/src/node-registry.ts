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

/** A node, and the round in which it was last read: of the registry alone to change. */
export interface ReadNode extends KnownNode {
  member: MemberInfo;
  round: number;
}

/** Nodes that were found, nearest first. */
export type FoundNodes = readonly Neighbour<ReadNode>[];

/** How old the lag and load of a node may be, in milliseconds. Nodes report twice a second, so no client can tell. */
const FRESH_MS = 100;

/**
 * Finds registered nodes by id and by distance. Which nodes are registered, and where they are, is read from the source when that has changed; status, lag and load of
 * a node that has its link here are read when they are asked for and older than 100 ms. So a request visits few nodes, however many there are.
 *
 * All that is told within one round is the same: rounds end with changes, and after 100 ms. So an answer to a request may be kept until the end of its round.
 */
export class NodeRegistry {
  readonly #source: MemberSource;
  readonly #clock: Clock;
  readonly #index = new NearestIndex<ReadNode>();
  readonly #nodes = new Map<string, ReadNode>();
  #hasChanged = true;
  #round = 0;
  #roundEndsMs = -Infinity;
  #moves = 0;

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
    this.#begin();
    const node = this.#nodes.get(id);
    return node && this.#read(node);
  }

  /** How many nodes are registered. */
  get size(): number {
    this.#begin();
    return this.#nodes.size;
  }

  /** The number of this round. In another one, other things may be told. */
  get round(): number {
    this.#begin();
    return this.#round;
  }

  /** How often a node has come, gone or moved. Between two of these, `around` finds the same. */
  get moves(): number {
    this.#begin();
    return this.#moves;
  }

  /** The nodes nearest to `coordinates`, nearest first, at most `limit`. */
  around(coordinates: Coordinates, limit: number): FoundNodes {
    this.#begin();
    return this.#index.nearest(coordinates, limit);
  }

  /**
   * The nodes nearest to `coordinates` that `accept` takes, nearest first, at most `limit`. `around` is what the method of that name returns for this
   * place and limit: nearly always all of these are taken.
   */
  nearest(
    coordinates: Coordinates,
    limit: number,
    accept: (member: MemberInfo) => boolean,
    around: FoundNodes = this.around(coordinates, limit),
  ): FoundNodes {
    this.#begin();
    const isAccepted = (node: ReadNode): boolean => accept(this.#read(node));
    if (around.every(({ node }) => isAccepted(node))) return around;
    return this.#index.nearest(coordinates, limit, isAccepted);
  }

  #read(node: ReadNode): MemberInfo {
    // Of the nodes of another directory nothing is known but what it has told.
    if (node.round !== this.#round && node.member.peer === null) {
      node.member = this.#source.linked(node.member.id) ?? node.member;
      node.round = this.#round;
    }
    return node.member;
  }

  /** Begins another round if this one is over. */
  #begin(): void {
    const nowMs = this.#clock.elapsedMs();
    if (!this.#hasChanged && nowMs < this.#roundEndsMs) return;
    this.#round += 1;
    this.#roundEndsMs = nowMs + FRESH_MS;
    if (this.#hasChanged) this.#takeAll();
    this.#hasChanged = false;
  }

  #takeAll(): void {
    const { members } = this.#source;
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.#nodes.keys()) if (!ids.has(id)) this.#forget(id);
    for (const member of members) this.#take(member);
  }

  #take(member: MemberInfo): void {
    const { id, lat, lon } = member;
    const known = this.#nodes.get(id);
    const node = known ?? { id, member, round: this.#round, face: undefined };
    const { member: before } = node;
    if (known === undefined) this.#nodes.set(id, node);
    node.member = member;
    node.round = this.#round;
    if (known !== undefined && before.lat === lat && before.lon === lon) return;
    this.#index.set(node, member);
    this.#moves += 1;
  }

  #forget(id: string): void {
    this.#nodes.delete(id);
    this.#index.delete(id);
    this.#moves += 1;
  }
}
