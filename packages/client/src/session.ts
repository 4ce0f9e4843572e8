/**
 * The positions that this client has seen, so that no later answer is older: read-your-writes and monotonic reads, across
 * nodes and across directories.
 *
 * Every answer carries its node's position: a place in the log of the directory that the node is connected to. A node
 * never goes back behind its own position. So a request to a node must carry the positions of all *other* nodes; once the
 * node has answered it, the node's own position implies them and they are dropped. As a rule the client keeps one position.
 *
 * For example, the client has position 5 of A, and asks B with it. B answers with position 9, which implies 5: the client keeps 9 of B alone.
 *
 * That holds within one log. A position in another log implies nothing about the entries of the first. So the positions
 * in other logs are kept beside a node's own: requests to that node do not carry them, because it has reached them; requests to other
 * nodes do. So nothing is lost while nodes move from one directory to another one by one.
 *
 * A directory that starts anew begins an epoch of its log, and the ids of epochs have no order. Of two positions of one node in two epochs, the later one
 * is that in the answer to a request which carried the other. Where neither is known to be later, both are kept, as those in two logs are.
 */
import {
  formatPosition,
  OUTBOXES_MAX,
  parsePosition,
  type OutboxPlace,
  type Position,
} from "@meridian/protocol";

/** A position token and the node that sent it. */
export interface Seen {
  readonly node: string;
  readonly token: string;
}

/** The positions that one node is known to have reached. */
interface Reached {
  /** The node's own position. */
  latest: Position;
  /** Whether `latest` may name what another node has written. */
  isMixed: boolean;
  /** The positions in other epochs and logs, the newest last. Invariant: at most one for each epoch and incarnation. */
  readonly elsewhere: Position[];
}

/** How many positions in other epochs and logs are kept for a node. They are rare: they come with another directory, or its restart. */
const ELSEWHERE_MAX = 8;

/** The positions that a client has seen. Invariant: each belongs to one node. */
export class Session {
  readonly #reached = new Map<string, Reached>();
  #version = 0;

  /** Changes whenever what has been seen changes. */
  get version(): number {
    return this.#version;
  }

  /** Whether everything that was seen was seen at `node`, or there by now. */
  isAllOf(node: string): boolean {
    for (const from of this.#reached.keys()) if (from !== node) return false;
    return true;
  }

  /** Whether a position of `node` shows that the node had everything that was seen. */
  isCoveredBy(node: string, position: Position): boolean {
    const seen = this.#reached.get(node)?.latest;
    return this.isAllOf(node) && (seen === undefined || covers(position, seen));
  }

  /** The positions that a request to `node` must carry: those of the other nodes; if there are none, its own. */
  toPresent(node: string): readonly Seen[] {
    const others = [...this.#reached].filter(([from]) => from !== node);
    const seen = others.flatMap(([from, { latest, elsewhere }]) =>
      [latest, ...elsewhere].map((position) => ({ node: from, token: formatPosition(position) })),
    );
    const own = this.#reached.get(node);
    if (seen.length > 0 || own === undefined) return seen;
    return [{ node, token: formatPosition(own.latest) }];
  }

  /** Notes the position in an answer of `node` to a request that carried `presented`. */
  note(node: string, token: string, presented: readonly Seen[]): void {
    let position: Position;
    try {
      position = parsePosition(token);
    } catch {
      // The token of a newer version of Meridian: the client keeps sending the older positions.
      return;
    }
    const before = this.#reached.get(node)?.latest;
    const own = this.#own(node, position, presented);
    if (before === undefined || !isSame(before, own.latest)) this.#version += 1;
    for (const seen of presented) {
      if (seen.node === node) continue;
      const vouched = this.#take(seen);
      if (vouched !== undefined) this.#version += 1;
      if (vouched !== undefined && vouched.logId !== own.latest.logId) {
        keep(own.elsewhere, vouched);
      }
    }
  }

  /** Forgets everything that was seen. */
  forget(): void {
    this.#version += 1;
    this.#reached.clear();
  }

  /** Notes a node's own position. Answers may arrive in another order than the node sent them. */
  #own(node: string, position: Position, presented: readonly Seen[]): Reached {
    const own = this.#reached.get(node);
    if (own === undefined) {
      const first: Reached = { latest: position, isMixed: false, elsewhere: [] };
      this.#reached.set(node, first);
      return first;
    }
    if (isOfOneEpoch(own.latest, position)) {
      own.latest = (own.isMixed ? later : laterOfOne)(own.latest, position);
      return own;
    }
    if (!isAnswerTo(presented, node, own.latest, position)) keep(own.elsewhere, own.latest);
    own.latest = joinKnown(own.elsewhere, position);
    own.isMixed = own.latest !== position;
    return own;
  }

  /** Removes a position that a request carried, unless a later one has replaced it since the request was sent. */
  #take(seen: Seen): Position | undefined {
    const reached = this.#reached.get(seen.node);
    if (reached === undefined) return undefined;
    const { latest, elsewhere } = reached;
    if (formatPosition(latest) === seen.token) {
      const next = elsewhere.pop();
      if (next === undefined) this.#reached.delete(seen.node);
      else {
        reached.latest = next;
        reached.isMixed = true;
      }
      return latest;
    }
    const index = elsewhere.findIndex((position) => formatPosition(position) === seen.token);
    return index < 0 ? undefined : elsewhere.splice(index, 1)[0];
  }
}

/** Adds a position of another epoch or log. */
function keep(elsewhere: Position[], position: Position): void {
  const same = elsewhere.findIndex(
    (each) => isOfOneEpoch(each, position) && each.incarnation === position.incarnation,
  );
  const known = same < 0 ? undefined : elsewhere.splice(same, 1)[0];
  elsewhere.push(known === undefined ? position : later(known, position));
  if (elsewhere.length > ELSEWHERE_MAX) elsewhere.shift();
}

/** The join of a position and those of its epoch, which are removed. Those that name what yet another node has written stay. */
function joinKnown(elsewhere: Position[], position: Position): Position {
  let joint = position;
  for (const known of elsewhere.filter((each) => isOfOneEpoch(each, position))) {
    if (isOfOtherDatabase(joint, known)) continue;
    elsewhere.splice(elsewhere.indexOf(known), 1);
    joint = later(joint, known);
  }
  return joint;
}

function isOfOneEpoch(a: Position, b: Position): boolean {
  return a.logId === b.logId && a.epoch === b.epoch;
}

function isOfOtherDatabase(a: Position, b: Position): boolean {
  return a.incarnation !== 0 && b.incarnation !== 0 && a.incarnation !== b.incarnation;
}

/** Whether `node` has given `position` to a request that carried its own position in another epoch of the log: then that is implied. */
function isAnswerTo(
  presented: readonly Seen[],
  node: string,
  own: Position,
  position: Position,
): boolean {
  const token = formatPosition(own);
  return (
    own.logId === position.logId &&
    presented.some((seen) => seen.node === node && seen.token === token)
  );
}

/** The join of two positions of one node in one epoch. Without a pending outbox, a later sequence has all that the node had written before. */
function laterOfOne(a: Position, b: Position): Position {
  const ahead = a.sequence - b.sequence;
  if (ahead > 0 && a.incarnation === 0) return a;
  if (ahead < 0 && b.incarnation === 0) return b;
  // The later of two answers names all that was seen early before the other one, too.
  const early = ahead === 0 ? joinedPlaces(a.early, b.early) : (ahead > 0 ? a : b).early;
  return joined(a, b, early);
}

/** The join of two positions of one epoch. */
function later(a: Position, b: Position): Position {
  return joined(a, b, joinedPlaces(a.early, b.early));
}

function joined(a: Position, b: Position, early: readonly OutboxPlace[] = []): Position {
  if (isOfOtherDatabase(a, b)) return b;
  const position = {
    logId: b.logId,
    epoch: b.epoch,
    sequence: Math.max(a.sequence, b.sequence),
    incarnation: a.incarnation === 0 ? b.incarnation : a.incarnation,
    outboxPosition: Math.max(a.outboxPosition, b.outboxPosition),
  };
  return early.length === 0 ? position : { ...position, early };
}

/** The places of both, the furthest in each outbox; of too many, those that were named last. */
function joinedPlaces(
  a: readonly OutboxPlace[] = [],
  b: readonly OutboxPlace[] = [],
): readonly OutboxPlace[] {
  const places = new Map<number, number>();
  for (const { incarnation, outboxPosition } of [...a, ...b]) {
    const known = places.get(incarnation) ?? 0;
    places.delete(incarnation);
    places.set(incarnation, Math.max(known, outboxPosition));
  }
  const all = Array.from(places, ([incarnation, outboxPosition]) => ({
    incarnation,
    outboxPosition,
  }));
  return all.slice(-OUTBOXES_MAX);
}

function isSame(a: Position, b: Position): boolean {
  return (
    a.sequence === b.sequence &&
    a.outboxPosition === b.outboxPosition &&
    isOfOneEpoch(a, b) &&
    a.incarnation === b.incarnation &&
    hasPlaces(a, b.early) &&
    hasPlaces(b, a.early)
  );
}

/** Whether one position of a node implies another one of the same node. */
function covers(position: Position, seen: Position): boolean {
  if (!isOfOneEpoch(position, seen)) return false;
  const ahead = position.sequence - seen.sequence;
  if (ahead < 0 || (ahead === 0 && !hasPlaces(position, seen.early))) return false;
  if (seen.incarnation === 0) return true;
  // Without a pending outbox, a later sequence has all of the outbox; the same sequence may be from before the write.
  if (position.incarnation === 0) return ahead > 0;
  return (
    position.incarnation === seen.incarnation && position.outboxPosition >= seen.outboxPosition
  );
}

function hasPlaces({ early = [] }: Position, seen: readonly OutboxPlace[] = []): boolean {
  return seen.every(({ incarnation, outboxPosition }) =>
    early.some((each) => each.incarnation === incarnation && each.outboxPosition >= outboxPosition),
  );
}
