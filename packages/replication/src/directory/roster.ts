/**
 * The nodes that belong to the cluster: every node that has ever been registered, until an operator forgets it. So a node that is gone is reported as
 * missing, even if the directory was restarted meanwhile.
 *
 * If two directories know different facts of a node, those with the higher generation win. A generation is odd while the node is remembered and even
 * once it is forgotten, and grows with each change. Forgotten nodes are kept for that comparison.
 *
 * A node is a newcomer, of generation 1, until it has been there for a while without a break. Anybody can greet with an id that is made up, or
 * with another one after each start: where majorities of the members are counted, a newcomer that is gone has no vote, and counts among
 * the members for a while only. A newcomer that has just greeted does count: while a cluster is young, those who wait are most of it, and
 * without them a few that are wrong would be its majority.
 */
import type { Done } from "@meridian/ports";
import type { RememberedMember } from "@meridian/protocol";

import type { DirectoryContext } from "./directory-context.ts";

/** What is remembered of a node that is there. */
export type MemberFacts = Omit<RememberedMember, "generation" | "seenAtMs">;

/** The remembered nodes that have changed, and the number of the last change. */
export interface RosterNews {
  readonly changes: number;
  readonly members: readonly RememberedMember[];
}

/** Changes become durable together, this many milliseconds after the first of them. */
const SAVE_MS = 100;

/** How many nodes other directories hear of at once: all together may be more than a message holds. */
const NEWS_MAX = 500;

/** Whether a newcomer is there or gone, and since when, by elapsed time: no clock that is set makes it a member, or none. */
interface Newcomer {
  readonly isThere: boolean;
  readonly sinceMs: number;
}

/** The generation of a node that has greeted, and the one after that in which it is remembered. */
const NEWCOMER = 1;
const ESTABLISHED = 3;

/** Remembers which nodes belong to the cluster, durably. */
export class Roster {
  readonly #context: DirectoryContext;
  /** Whether a node is there now, here or with another directory. */
  readonly #isPresent: (id: string) => boolean;
  readonly #known: Map<string, RememberedMember>;
  /** Which change of who is remembered, and where, each was last touched by: what other directories are to hear. */
  readonly #changedBy = new Map<string, number>();
  #changes = 1;
  /** Invariant: those of generation `NEWCOMER`. */
  readonly #newcomers = new Map<string, Newcomer>();
  /** The ids of nodes with changes that are not durable yet. */
  #unsaved = new Set<string>();
  #isSaving = false;
  #isStopped = false;

  constructor(context: DirectoryContext, isPresent: (id: string) => boolean) {
    this.#context = context;
    this.#isPresent = isPresent;
    this.#known = new Map(context.log.members.map((member) => [member.id, member]));
    for (const member of this.#known.values()) {
      this.#changedBy.set(member.id, (this.#changes += 1));
      this.#noteNewcomer(member, false);
    }
  }

  /** The ids of the nodes that count among the members: those that are so for good, are there, or were so until a while ago. */
  get counted(): readonly string[] {
    const { newcomerMs } = this.#context.limits;
    const ids: string[] = [];
    for (const [id, member] of this.#known) {
      if (!isRemembered(member)) continue;
      const newcomer = this.#newcomers.get(id);
      const isOver = newcomer?.isThere === false && this.#elapsedSince(newcomer) >= newcomerMs;
      if (!isOver) ids.push(id);
    }
    return ids;
  }

  /** Whether what the clock of a node has shown last still says something: it is a member for good, or is there. */
  votes(id: string): boolean {
    const newcomer = this.#newcomers.get(id);
    return newcomer === undefined ? this.get(id) !== undefined : newcomer.isThere;
  }

  /** Whether a node is a member for good: no newcomer, and not forgotten. */
  isEstablished(id: string): boolean {
    return this.get(id) !== undefined && !this.#newcomers.has(id);
  }

  /** How much is known, forgotten nodes included. */
  get size(): number {
    return this.#known.size;
  }

  /** The nodes that are remembered, whether they are there or not. */
  get remembered(): readonly RememberedMember[] {
    return [...this.#known.values()].filter(isRemembered);
  }

  /** The node of that id, if it is remembered. */
  get(id: string): RememberedMember | undefined {
    const known = this.#known.get(id);
    return known !== undefined && isRemembered(known) ? known : undefined;
  }

  /** What has changed since so many changes, the first of it where that is much; forgotten nodes are among it. */
  since(changes: number): RosterNews {
    if (changes === this.#changes) return { changes, members: [] };
    const isNews = ([, by]: readonly [string, number]): boolean => by > changes;
    const news = [...this.#changedBy].filter(isNews).toSorted(([, a], [, b]) => a - b);
    const [told, rest] = [news.slice(0, NEWS_MAX), news.slice(NEWS_MAX)];
    const members = told.flatMap(([id]) => this.#known.get(id) ?? []);
    return { changes: rest.length === 0 ? this.#changes : (told.at(-1)?.[1] ?? changes), members };
  }

  /** Takes in what another directory remembers: of each node, what has the higher generation. */
  merge(members: readonly RememberedMember[]): void {
    const nowMs = this.#context.clock.nowMs();
    for (const told of members) {
      const known = this.#known.get(told.id);
      const seenAtMs = Math.min(told.seenAtMs, nowMs);
      if (known !== undefined && known.generation >= told.generation) continue;
      this.#noteNewcomer(told, this.#isPresent(told.id));
      this.#set({ ...told, seenAtMs });
      // A node that is connected belongs to the cluster again.
      if (!isRemembered(told) && this.#isPresent(told.id)) this.see(known ?? told);
      if (known === undefined) this.#makeRoom();
    }
  }

  /** Begins to note now and then who is there: "gone since" may be as wrong as that after a directory was killed. */
  start(): void {
    this.#context.deadlines.after(this.#context.limits.establishMs, () => {
      this.#establish();
      this.#noteAllSeen();
      this.start();
    });
  }

  /** Notes who is there at the end. */
  stop(): void {
    this.#noteAllSeen();
    this.#save();
    this.#isStopped = true;
  }

  /** A node is there. One that was forgotten is remembered again. */
  see(facts: MemberFacts): void {
    const known = this.#known.get(facts.id);
    const isKnown = known !== undefined && isRemembered(known);
    const generation = isKnown ? known.generation : (known?.generation ?? 0) + 1;
    const { id, region, url, ip, port, lat, lon } = facts;
    const place = { id, region, url, ip, port, lat, lon };
    const next = { ...place, generation, seenAtMs: this.#context.clock.nowMs() };
    this.#noteNewcomer(next, true);
    if (isKnown && isSamePlace(known, facts)) return void this.#known.set(id, next);
    this.#set(next);
    if (known === undefined) this.#makeRoom();
  }

  /** A node was there until now. */
  leave(id: string): void {
    const known = this.#known.get(id);
    if (known !== undefined) this.#noteNewcomer(known, false);
    this.#noteSeen(id);
    this.#saveSoon(id);
  }

  /** Forgets a node that is remembered and not there, and calls back once that is durable. */
  forget(id: string, done: Done): void {
    const known = this.#known.get(id);
    if (known === undefined) return done();
    const forgotten = { ...known, generation: known.generation + 1 };
    this.#noteNewcomer(forgotten, false);
    this.#set(forgotten);
    this.#save(done);
  }

  /** Makes newcomers members that have been there for long enough. */
  #establish(): void {
    const { establishMs } = this.#context.limits;
    for (const [id, newcomer] of this.#newcomers) {
      const known = this.#known.get(id);
      const isDue = newcomer.isThere && this.#elapsedSince(newcomer) >= establishMs;
      if (known === undefined || !isDue) continue;
      this.#newcomers.delete(id);
      this.#set({ ...known, generation: ESTABLISHED });
    }
  }

  #noteNewcomer({ id, generation }: RememberedMember, isThere: boolean): void {
    if (generation !== NEWCOMER) return void this.#newcomers.delete(id);
    if (this.#newcomers.get(id)?.isThere === isThere) return;
    this.#newcomers.set(id, { isThere, sinceMs: this.#context.clock.elapsedMs() });
  }

  #elapsedSince({ sinceMs }: Newcomer): number {
    return this.#context.clock.elapsedMs() - sinceMs;
  }

  #set(member: RememberedMember): void {
    this.#known.set(member.id, member);
    this.#changes += 1;
    this.#changedBy.set(member.id, this.#changes);
    this.#saveSoon(member.id);
  }

  #noteAllSeen(): void {
    for (const id of this.#known.keys()) {
      if (!this.#isPresent(id)) continue;
      this.#noteSeen(id);
      this.#saveSoon(id);
    }
  }

  #noteSeen(id: string): void {
    const known = this.#known.get(id);
    if (known === undefined) return;
    this.#known.set(id, { ...known, seenAtMs: this.#context.clock.nowMs() });
  }

  #saveSoon(id: string): void {
    this.#unsaved.add(id);
    if (this.#isSaving || this.#isStopped) return;
    this.#isSaving = true;
    this.#context.deadlines.after(SAVE_MS, () => this.#save());
  }

  #save(done?: Done): void {
    const ids = [...this.#unsaved];
    this.#unsaved = new Set();
    this.#isSaving = false;
    const members = ids.flatMap((id) => this.#known.get(id) ?? []);
    const dropped = ids.filter((id) => !this.#known.has(id));
    if (ids.length === 0 && done === undefined) return;
    this.#context.log.remember(members, dropped, (failure) => {
      if (failure !== undefined) this.#context.events.emit.failed(failure);
      done?.(failure);
    });
  }

  /** Drops what is missed least where there is too much: a forgotten node first, then a newcomer that is gone, then the longest gone. */
  #makeRoom(): void {
    const { logger, limits } = this.#context;
    const { membersMax } = limits;
    if (this.#known.size <= membersMax) return;
    let least: RememberedMember | undefined;
    for (const each of this.#known.values()) {
      if (!this.#isPresent(each.id) && (least === undefined || isMissedLess(each, least)))
        least = each;
    }
    if (least === undefined) return;
    if (isRemembered(least)) {
      logger.warn("too many nodes are remembered; the one that is gone the longest is forgotten", {
        node: least.id,
        max: membersMax,
      });
    }
    this.#known.delete(least.id);
    this.#newcomers.delete(least.id);
    this.#changedBy.delete(least.id);
    this.#saveSoon(least.id);
  }
}

function isRemembered({ generation }: RememberedMember): boolean {
  return generation % 2 === 1;
}

function isMissedLess(a: RememberedMember, b: RememberedMember): boolean {
  if (isRemembered(a) !== isRemembered(b)) return !isRemembered(a);
  const [isNew, isOtherNew] = [a.generation === NEWCOMER, b.generation === NEWCOMER];
  if (isNew !== isOtherNew) return isNew;
  return a.seenAtMs < b.seenAtMs;
}

function isSamePlace(a: MemberFacts, b: MemberFacts): boolean {
  return (
    a.region === b.region &&
    a.url === b.url &&
    a.ip === b.ip &&
    a.port === b.port &&
    a.lat === b.lat &&
    a.lon === b.lon
  );
}
