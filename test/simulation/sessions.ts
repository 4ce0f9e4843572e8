/**
 * Clients that go from node to node with a position token. After a client has read or written a version of a key, it never reads
 * an older one, whichever node it asks.
 */
import { isPurgeable, type Entry, type Position } from "@meridian/protocol";

import { write } from "./clients.ts";
import type { SimulatedCluster, SimulatedNode } from "./cluster.ts";
import { fades } from "./fading.ts";

const SESSIONS = 3;
/** How long a session waits for a write that is never answered: its node may have died. */
const WRITE_MS = 1_000;

interface Seen {
  readonly name: string;
  /** Whether the write was a delete, or has expired at the end of the simulation. */
  readonly fades: boolean;
}

class SimulatedSession {
  readonly #cluster: SimulatedCluster;
  readonly #keys: readonly string[];
  readonly #id: number;
  #token: Position | undefined;
  /** The newest write of each key that the client has seen, by name. */
  readonly #seen = new Map<string, Seen>();
  #losses = 0;
  #writes = 0;
  /** Until when the session waits for an answer that has not come, in true time. */
  #busyUntilMs = 0;

  constructor(cluster: SimulatedCluster, keys: readonly string[], id: number) {
    this.#cluster = cluster;
    this.#keys = keys;
    this.#id = id;
  }

  /** Reads or writes at some node, unless the session still waits for an answer. */
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
    // A copy that no directory has found out, because it is cut off or at another one than the original was, gives its writes outbox positions that
    // other nodes know from the original.
    const { acknowledged, directories } = this.#cluster;
    const isAlone = directories.length > 1 || status === "standalone";
    if (isAlone && acknowledged.isUnknownCopy(node)) return;
    const { replica } = node.process;
    const { losses: lossesThen } = replica;
    const proceed = (): void => {
      if (reads) this.#read(node, key, lossesThen);
      else this.#write(node, key, lossesThen);
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

  /** Begins to wait for an answer, at most for `forMs`. The returned function says, when the answer comes, whether the session still waits for it, and ends the wait. */
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

  /** Starts a new session, after data that the client has seen may have been lost for good. */
  #forget(): void {
    this.#busyUntilMs = 0;
    this.#losses = this.#cluster.losses;
    this.#token = undefined;
    this.#seen.clear();
  }

  /** Reads `key`, and checks that no key that the session has seen is older now than it was. */
  #read(node: SimulatedNode, key: string, losses: number): void {
    const { names, auditor } = this.#cluster;
    const { store, replica } = node.process ?? {};
    if (replica === undefined || store?.isRestamping === true || this.#isOfLostLog(node)) return;
    for (const [known, seen] of this.#seen) {
      const entry = replica.get(known);
      if (entry !== undefined && names.isAtLeast(entry.stamp, seen.name)) continue;
      if (this.#cluster.isForgetful && this.#mayBeForgotten(known, seen, entry)) continue;
      const got = entry === undefined ? "nothing" : names.nameOf(entry.stamp);
      auditor.report(
        `session ${this.#id} at ${node.id}: ${known} is ${got}, after ${seen.name} was seen`,
      );
    }
    const entry = replica.get(key);
    if (entry !== undefined) this.#note(node, entry, losses);
  }

  /**
   * Whether a write that the session has seen may be gone because tombstones are purged: it is in a quarantine, or about to be; or nothing is left of the key, and the write
   * was a delete, has expired, or was replaced by a newer one.
   */
  #mayBeForgotten(key: string, { name, fades }: Seen, got: Entry | undefined): boolean {
    const { ledger, names, nodes } = this.#cluster;
    const last = names.lastOf(name);
    const isAside = (each: string): boolean => each === name || each === last;
    if (nodes.some((each) => this.#cluster.quarantinedNames(each).some(isAside))) return true;
    const isGone = got === undefined || isPurgeable(got, this.#cluster.highestHorizon);
    // The burial of a write may be purged here before it has come to the node that will put the write aside.
    if (isGone && this.#cluster.durable.wasBuried(key, names.stampOf(name))) return true;
    const isFading = fades || ledger.fades(name);
    return isGone && (isFading || this.#cluster.isReplaced(key, name));
  }

  /** Whether the session's token names a log that is lost and that the node has never followed. Such a node cannot know which entries of that log other nodes still have to send. */
  #isOfLostLog({ disk }: SimulatedNode): boolean {
    const { logId } = this.#token ?? { logId: 0 };
    const isKept = this.#cluster.directories.some((directory) => directory.disk.logId === logId);
    return !isKept && ![disk.cursor, ...disk.others].some((place) => place?.logId === logId);
  }

  #write(node: SimulatedNode, key: string, losses: number): void {
    this.#writes += 1;
    const isAsked = this.#ask(WRITE_MS);
    const value = `session-${this.#id}-${this.#writes}`;
    write(this.#cluster, node, [{ key, value, ttlMs: 0 }], ([entry]) => {
      if (isAsked() && entry !== undefined) this.#note(node, entry, losses);
    });
  }

  /** The answer has come to a request that was sent when the node had had `losses` losses. */
  #note(node: SimulatedNode, entry: Entry, losses: number): void {
    const { names } = this.#cluster;
    // The process may have died meanwhile; then there was no answer.
    if (node.process === undefined) return;
    this.#token = node.process.replica.position(losses);
    this.#seen.set(entry.key, { name: names.nameOf(entry.stamp), fades: fades(entry) });
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
