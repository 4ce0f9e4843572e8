/**
 * What this client has seen, so that no later answer is older: read-your-writes and monotonic reads, across
 * nodes and across directories.
 *
 * Every answer carries its node's position: a place in the log of the directory that the node is attached to. A node
 * never goes back behind its own, so its latest position says it all; what another node is asked must have
 * reached every position of *other* nodes. Once it has answered a request that presented them, its own position
 * stands for them and they are forgotten: as a rule the client holds one.
 *
 * That holds within one log. A position in another log says nothing of the first one's entries, so what was seen
 * in other logs is kept beside a node's position: the node itself has reached it and is not asked again, any other
 * node is. So nothing is lost when nodes move from one directory to another, each at a time of its own.
 */
import { formatPosition, parsePosition, type Position } from "@meridian/protocol";

/** A position token and the node that vouches for it. */
export interface Seen {
  readonly node: string;
  readonly token: string;
}

/** What is known to have been reached by one node. */
interface Reached {
  /** The node's own position. */
  latest: Position;
  /** What was seen in other logs, the newest last. Invariant: at most one for a log and a database. */
  readonly elsewhere: Position[];
}

/** How many positions of other logs are kept for a node: logs change as rarely as directories die. */
const ELSEWHERE_MAX = 8;

/** The positions that a client has seen. Invariant: one node vouches for each. */
export class Session {
  readonly #reached = new Map<string, Reached>();

  /** What `node` must have reached before it may answer: the positions of others, else its own. */
  toPresent(node: string): readonly Seen[] {
    const others = [...this.#reached].filter(([from]) => from !== node);
    const seen = others.flatMap(([from, { latest, elsewhere }]) =>
      [latest, ...elsewhere].map((position) => ({ node: from, token: formatPosition(position) })),
    );
    const own = this.#reached.get(node);
    if (seen.length > 0 || own === undefined) return seen;
    return [{ node, token: formatPosition(own.latest) }];
  }

  /** Takes note of the position in an answer of `node` to a request that presented `presented`. */
  note(node: string, token: string, presented: readonly Seen[]): void {
    let position: Position;
    try {
      position = parsePosition(token);
    } catch {
      // A newer node's token of another form: without it, the older positions go on being presented.
      return;
    }
    const own = this.#own(node, position);
    for (const seen of presented) {
      if (seen.node === node) continue;
      const vouched = this.#take(seen);
      if (vouched !== undefined && vouched.logId !== own.latest.logId) {
        keep(own.elsewhere, vouched);
      }
    }
  }

  /** Forgets everything that was seen. */
  forget(): void {
    this.#reached.clear();
  }

  /** Takes note of a node's own position. Answers may arrive in another order than they were given. */
  #own(node: string, position: Position): Reached {
    const own = this.#reached.get(node);
    if (own === undefined) {
      const first: Reached = { latest: position, elsewhere: [] };
      this.#reached.set(node, first);
      return first;
    }
    if (own.latest.logId === position.logId) own.latest = later(own.latest, position);
    else {
      keep(own.elsewhere, own.latest);
      own.latest = takeLog(own.elsewhere, position.logId).reduce(later, position);
    }
    return own;
  }

  /** Removes a position that was presented, if it is still held: it may have moved on since the request left. */
  #take(seen: Seen): Position | undefined {
    const reached = this.#reached.get(seen.node);
    if (reached === undefined) return undefined;
    const { latest, elsewhere } = reached;
    if (formatPosition(latest) === seen.token) {
      const next = elsewhere.pop();
      if (next === undefined) this.#reached.delete(seen.node);
      else reached.latest = next;
      return latest;
    }
    const index = elsewhere.findIndex((position) => formatPosition(position) === seen.token);
    return index < 0 ? undefined : elsewhere.splice(index, 1)[0];
  }
}

/** Adds a position of another log. */
function keep(elsewhere: Position[], position: Position): void {
  const same = elsewhere.findIndex(
    ({ logId, incarnation }) => logId === position.logId && incarnation === position.incarnation,
  );
  const known = same < 0 ? undefined : elsewhere.splice(same, 1)[0];
  elsewhere.push(known === undefined ? position : later(known, position));
  if (elsewhere.length > ELSEWHERE_MAX) elsewhere.shift();
}

/** Removes the positions of one log and returns them. */
function takeLog(elsewhere: Position[], logId: number): readonly Position[] {
  const taken = elsewhere.filter((position) => position.logId === logId);
  for (const position of taken) elsewhere.splice(elsewhere.indexOf(position), 1);
  return taken;
}

/** The join of two positions of one log. */
function later(a: Position, b: Position): Position {
  const otherDatabase =
    a.incarnation !== 0 && b.incarnation !== 0 && a.incarnation !== b.incarnation;
  if (otherDatabase) return b;
  const ahead = a.epoch - b.epoch || a.sequence - b.sequence;
  return {
    ...(ahead > 0 ? a : b),
    incarnation: a.incarnation === 0 ? b.incarnation : a.incarnation,
    outboxPosition: Math.max(a.outboxPosition, b.outboxPosition),
  };
}
