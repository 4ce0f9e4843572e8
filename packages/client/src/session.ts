/**
 * What this client has seen, so that no later answer is older: read-your-writes and monotonic reads, across
 * nodes.
 *
 * Every answer carries its node's position. A node never goes back behind its own, so one position per node says
 * it all; what another node is asked must have reached every position of *other* nodes. Once it has answered a
 * request that presented them, its own position stands for them and they are forgotten: as a rule the client
 * holds one.
 */
import { formatPosition, parsePosition, type Position } from "@meridian/protocol";

/** A position token and the node that gave it. */
export interface Seen {
  readonly node: string;
  readonly token: string;
}

/** The positions that a client has seen. Invariant: at most one per node. */
export class Session {
  readonly #positions = new Map<string, Position>();

  /** What `node` must have reached before it may answer: the positions of others, else its own. */
  toPresent(node: string): readonly Seen[] {
    const all = [...this.#positions];
    const others = all.filter(([from]) => from !== node);
    return (others.length > 0 ? others : all).map(([from, position]) => ({
      node: from,
      token: formatPosition(position),
    }));
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
    const own = this.#positions.get(node);
    this.#positions.set(node, own === undefined ? position : later(own, position));
    for (const seen of presented) {
      if (seen.node === node) continue;
      const held = this.#positions.get(seen.node);
      // Another answer may have moved that position on since the request left.
      if (held !== undefined && formatPosition(held) === seen.token) {
        this.#positions.delete(seen.node);
      }
    }
  }

  /** Forgets everything that was seen. */
  forget(): void {
    this.#positions.clear();
  }
}

/** The join of two positions of one node; answers may arrive in another order than they were given. */
function later(a: Position, b: Position): Position {
  const otherLog = a.logId !== b.logId;
  const otherDatabase =
    a.incarnation !== 0 && b.incarnation !== 0 && a.incarnation !== b.incarnation;
  if (otherLog || otherDatabase) return b;
  const ahead = a.epoch - b.epoch || a.sequence - b.sequence;
  return {
    ...(ahead > 0 ? a : b),
    incarnation: a.incarnation === 0 ? b.incarnation : a.incarnation,
    outboxPosition: Math.max(a.outboxPosition, b.outboxPosition),
  };
}
