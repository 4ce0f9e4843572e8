/**
 * Clients that go from node to node with a position token: what one has read or written, it never reads an older
 * version of, wherever it asks next.
 */
import type { Entry, Position } from "@meridian/protocol";

import { write } from "./clients.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";

const SESSIONS = 3;
/** How long a session waits for a write that is never answered: its node may have died. */
const WRITE_MS = 1_000;

class SimulatedSession {
  readonly #cluster: SimulatedCluster;
  readonly #keys: readonly string[];
  readonly #id: number;
  #token: Position | undefined;
  /** The newest write of each key that the client has seen, by name. */
  readonly #seen = new Map<string, string>();
  /** The directory of the node that the token is from, when it was. */
  #directory = 0;
  #losses = 0;
  #writes = 0;
  /** Until when it waits for an answer, unless that comes before. */
  #busyUntilMs = 0;

  constructor(cluster: SimulatedCluster, keys: readonly string[], id: number) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#id = id;
  }

  /** Asks some node for something. */
  act(): void {
    const { world, nodes, losses } = this.#cluster;
    if (losses !== this.#losses) this.#forget();
    if (world.nowMs < this.#busyUntilMs) return;
    const node = world.pick(nodes);
    const status = node.process?.replica.status;
    const key = world.pick(this.#keys);
    const reads = world.chance(0.6);
    const waitMs = world.between(0, 1_500);
    if (node.process === undefined || (status !== "ready" && status !== "standalone")) return;
    const { replica } = node.process;
    const proceed = (): void => {
      if (reads) this.#read(node, key);
      else this.#write(node, key);
    };
    if (this.#token === undefined) return proceed();
    const { auditor } = this.#cluster;
    const leave = auditor.waits(replica, "a position");
    auditor.asked.positions += 1;
    const isAsked = this.#ask(waitMs + 1);
    replica.reach(this.#token, waitMs).then((reached) => {
      leave();
      if (reached) auditor.reached.positions += 1;
      if (reached && isAsked() && node.process?.replica === replica) proceed();
    }, leave);
  }

  /** Waits for an answer. Returns whether it is still waited for, to be asked when it comes; nobody waits after that. */
  #ask(forMs: number): () => boolean {
    const { world, losses } = this.#cluster;
    const untilMs = world.nowMs + forMs;
    this.#busyUntilMs = untilMs;
    return () => {
      const isAsked = this.#busyUntilMs === untilMs && this.#cluster.losses === losses;
      if (isAsked) this.#busyUntilMs = 0;
      return isAsked;
    };
  }

  /** What was lost for good cannot be promised. */
  #forget(): void {
    this.#busyUntilMs = 0;
    this.#losses = this.#cluster.losses;
    this.#token = undefined;
    this.#seen.clear();
  }

  #read(node: SimulatedNode, key: string): void {
    const entry = node.process?.replica.get(key);
    const seen = this.#seen.get(key);
    const { names } = this.#cluster;
    if (node.process?.store.isRestamping === true) return;
    if (this.#isOfLostLog(node) || this.#hasMoved(node)) return;
    if (seen !== undefined && (entry === undefined || !names.isAtLeast(entry.stamp, seen))) {
      const got = entry === undefined ? "nothing" : names.nameOf(entry.stamp);
      this.#cluster.auditor.report(
        `session ${this.#id} at ${node.id}: ${key} is ${got}, after ${seen} was seen`,
      );
    }
    if (entry !== undefined) this.#note(node, entry);
  }

  /** A node that has never been in the log of a directory that is lost cannot tell what the others still have to bring from there. */
  #isOfLostLog({ disk }: SimulatedNode): boolean {
    const { logId } = this.#token ?? { logId: 0 };
    const isKept = this.#cluster.directories.some((directory) => directory.disk.logId === logId);
    return !isKept && ![disk.cursor, ...disk.others].some((place) => place?.logId === logId);
  }

  /**
   * The node whose outbox the token names has gone to another directory since. There, its newer writes may come before those that
   * its old directory had, which it sends again: its position alone does not tell.
   */
  #hasMoved(node: SimulatedNode): boolean {
    const { incarnation = 0 } = this.#token ?? {};
    const owner = this.#cluster.nodes.find(({ disk }) => disk.incarnation === incarnation);
    if (owner === undefined || owner === node) return false;
    return owner.process?.replica.info().directory !== this.#directory;
  }

  #write(node: SimulatedNode, key: string): void {
    this.#writes += 1;
    const isAsked = this.#ask(WRITE_MS);
    const value = `session-${this.#id}-${this.#writes}`;
    write(this.#cluster, node, [{ key, value, ttlMs: 0 }], ([entry]) => {
      if (isAsked() && entry !== undefined) this.#note(node, entry);
    });
  }

  #note(node: SimulatedNode, entry: Entry): void {
    const { names } = this.#cluster;
    // A process that has died meanwhile gives no answer.
    if (node.process === undefined) return;
    this.#token = node.process.replica.position();
    this.#directory = node.process.replica.info().directory;
    this.#seen.set(entry.key, names.nameOf(entry.stamp));
  }
}

/** Lets a few sessions ask about `keys` until `untilMs`. */
export function scheduleSessions(
  cluster: SimulatedCluster,
  keys: readonly string[],
  untilMs: number,
): void {
  const { world } = cluster;
  for (let id = 0; id < SESSIONS; id += 1) {
    const session = new SimulatedSession(cluster, keys, id);
    const act = (): void => {
      if (world.nowMs > untilMs) return;
      session.act();
      world.schedule(world.between(0, 300), act);
    };
    act();
  }
}
