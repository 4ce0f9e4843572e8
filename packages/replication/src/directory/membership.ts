/** The nodes of a cluster as one directory knows them: which are connected to it or to another directory, which are missing, and who is told. */
import {
  MeridianError,
  type Hello,
  type Member,
  type NodeLoad,
  type RegisteredMember,
  type RememberedMember,
} from "@meridian/protocol";
import type { Done } from "@meridian/ports";

import type { Peers, RemoteMember } from "../follow/peers.ts";
import type { DirectoryContext } from "./directory-context.ts";
import type { DirectorySession } from "./directory-session.ts";
import { MemberNews } from "./member-news.ts";
import { RegistryNews, type RegistryMessage, type RegistryStanding } from "./registry-news.ts";
import { Roster, type MemberFacts } from "./roster.ts";

/** A registered node as the directory knows it. */
export interface MemberInfo extends Member {
  readonly ip: string;
  readonly port: number;
  readonly lagMs: number;
  readonly load: NodeLoad;
  /** The name of the directory that it has its link with; null for this one. What only that one knows is then 0. */
  readonly peer: string | null;
  readonly appliedThrough: number;
  readonly outboxPending: number;
  /** How far the node's clock is ahead of the directory's, as its last message says; includes the way here. */
  readonly skewMs: number;
  readonly connectedAtMs: number;
  /** Bytes that wait on the node's link. */
  readonly bufferedBytes: number;
  /** Sequences not yet sent to it. */
  readonly unsent: number;
}

/** A node that is remembered and has no link with any directory, as far as this one knows. */
export interface AbsentMember extends Omit<Member, "status"> {
  readonly ip: string;
  readonly port: number;
  /** When it was last known to be there, by a directory's wall clock. */
  readonly seenAtMs: number;
}

/** Holds the sessions of a directory and the nodes registered by them. */
export class Membership {
  readonly #context: DirectoryContext;
  /** All links, those of followers included. */
  readonly #links: ReadonlySet<DirectorySession>;
  readonly #peers: Peers;
  readonly #roster: Roster;
  /** Registered nodes by id. Invariant: every one of them is among the sessions and has said hello. */
  readonly #byId = new Map<string, DirectorySession>();
  readonly #byIncarnation = new Map<number, DirectorySession>();
  /** The nodes with other directories, and what was last told of them, as text. */
  #elsewhereIds: ReadonlySet<string> = new Set();
  #elsewhere = "[]";
  readonly #news = new MemberNews();
  readonly #registry: RegistryNews;
  #isAnnouncing = false;
  #toldAtMs = -Infinity;

  constructor(context: DirectoryContext, links: ReadonlySet<DirectorySession>, peers: Peers) {
    this.#context = context;
    this.#links = links;
    this.#peers = peers;
    this.#roster = new Roster(context, (id) => this.#isPresent(id));
    this.#registry = new RegistryNews(context, {
      registered: () => this.sessions.map(registeredMember),
      rememberedSince: (changes) => this.#roster.since(changes),
    });
  }

  start(): void {
    this.#roster.start();
  }

  stop(): void {
    this.#roster.stop();
  }

  /** Whether a node is a member for good: no newcomer, and not forgotten. */
  isEstablished(id: string): boolean {
    return this.#roster.isEstablished(id);
  }

  /** How many nodes are registered here. */
  get size(): number {
    return this.#byId.size;
  }

  /** How many nodes are known of, forgotten ones included. */
  get known(): number {
    return this.#roster.size;
  }

  /** The links of the nodes that are registered here. */
  get sessions(): readonly DirectorySession[] {
    return [...this.#byId.values()];
  }

  ofIncarnation(incarnation: number): DirectorySession | undefined {
    return this.#byIncarnation.get(incarnation);
  }

  /** A node that is registered here. */
  linked(id: string): MemberInfo | undefined {
    const session = this.#byId.get(id);
    return session && memberInfo(session);
  }

  /** The registered nodes, here and with the other directories. */
  get present(): readonly MemberInfo[] {
    const known = { appliedThrough: 0, bufferedBytes: 0, unsent: 0 };
    const elsewhere = this.elsewhere().map((member) => ({ ...member, ...known }));
    return [...this.sessions.map(memberInfo), ...elsewhere];
  }

  /** The ids of the nodes of which a majority is to agree, whether they are there or not. */
  get counted(): readonly string[] {
    return this.#roster.counted;
  }

  /** Whether the last reading of that node's clock counts in the vote of the clocks. */
  votes(id: string): boolean {
    return this.#roster.votes(id);
  }

  /** The nodes that are missed. */
  get absent(): readonly AbsentMember[] {
    return this.#roster.remembered
      .filter(({ id }) => !this.#isPresent(id))
      .map((member) => ({ ...placeOf(member), seenAtMs: member.seenAtMs }));
  }

  /** Nodes that have their link with another directory. One that is here as well is here. */
  elsewhere(): readonly RemoteMember[] {
    return this.#peers.members.filter(({ id }) => !this.#byId.has(id));
  }

  /** The ids of the nodes that are ready, with other directories. */
  get readyElsewhere(): readonly string[] {
    return this.elsewhere()
      .filter(({ status }) => status === "ready")
      .map(({ id }) => id);
  }

  /** The message for another directory that has been told so many changes. */
  registryFor(changes: number, standing: RegistryStanding): RegistryMessage {
    return this.#registry.messageFor(changes, standing);
  }

  /** Takes in what another directory remembers. */
  merge(members: readonly RememberedMember[]): void {
    if (members.length === 0) return;
    this.#roster.merge(members);
    this.#context.events.emit.membersChanged();
  }

  /**
   * The link that the same node has had until now. Throws `NODE_ID_TAKEN`, `INCARNATION_REUSED`, or `OVERLOADED` for one too many, where it cannot be
   * taken in.
   */
  previousOf(hello: Hello): DirectorySession | undefined {
    const previous = this.#byId.get(hello.nodeId);
    if (previous !== undefined && previous.hello?.incarnation !== hello.incarnation) {
      throw new MeridianError(
        "NODE_ID_TAKEN",
        `Expected a node id that no other live node has, got \`${hello.nodeId}\`, which a node at ${urlOf(previous)} has`,
        { details: { nodeId: hello.nodeId } },
      );
    }
    const { presentMax } = this.#context.limits;
    if (previous === undefined && this.size >= presentMax) {
      throw new MeridianError("OVERLOADED", `Expected at most ${presentMax} nodes, got one more`);
    }
    const twin = this.#byIncarnation.get(hello.incarnation);
    if (twin === undefined || twin.id === hello.nodeId) return previous;
    throw new MeridianError(
      "INCARNATION_REUSED",
      `Expected a database of its own, got a copy of that of node \`${twin.id}\``,
    );
  }

  /** Registers a node, whose session is about to know how it has introduced itself. */
  add(session: DirectorySession, hello: Hello): void {
    this.#byId.set(hello.nodeId, session);
    this.#byIncarnation.set(hello.incarnation, session);
    this.#roster.see(factsOf(hello, session.remoteAddress));
    this.announce();
  }

  /** The link of a node is gone. Returns whether it was the one by which the node was registered. */
  remove(session: DirectorySession): boolean {
    const { hello } = session;
    if (hello === undefined || this.#byId.get(hello.nodeId) !== session) return false;
    this.#byId.delete(hello.nodeId);
    this.#byIncarnation.delete(hello.incarnation);
    this.#roster.leave(hello.nodeId);
    this.announce();
    return true;
  }

  /**
   * Forgets a node that is gone, and calls back once that is durable. Throws `NODE_NOT_FOUND` for one that is not remembered, and
   * `NODE_PRESENT` for one that is there.
   */
  forget(id: string, done: Done): AbsentMember {
    const member = this.absent.find((each) => each.id === id);
    if (member === undefined) {
      const named = id.slice(0, 100);
      throw this.#isPresent(id)
        ? new MeridianError("NODE_PRESENT", `Expected a node that is gone, got \`${named}\``)
        : new MeridianError("NODE_NOT_FOUND", `Expected the id of a known node, got \`${named}\``);
    }
    this.#context.logger.info("node forgotten", { node: id });
    this.#roster.forget(id, done);
    this.announce();
    return member;
  }

  /** Tells every node who the members are: at once, or where that was just done, together with all that changes in the meantime. */
  announce(): void {
    const { clock, deadlines, limits } = this.#context;
    this.#context.events.emit.membersChanged();
    if (this.#isAnnouncing) return;
    this.#isAnnouncing = true;
    const restMs = this.#toldAtMs + limits.announceMs - clock.elapsedMs();
    deadlines.after(Math.max(0, restMs), () => this.#tell());
  }

  /** A node is heard of: if it could not be told the members for want of room, it may be now. */
  onHeard(session: DirectorySession): void {
    if (!this.#isAnnouncing) this.#news.inform(session, this.#context.clock.nowMs());
  }

  /** Other directories tell often; the nodes are told when it is news to them. */
  onElsewhere(): void {
    const members = this.#peers.members;
    for (const member of members) this.#roster.see(placeOf(member));
    const ids = new Set(members.map(({ id }) => id));
    for (const id of this.#elsewhereIds) {
      if (!ids.has(id) && !this.#byId.has(id)) this.#roster.leave(id);
    }
    this.#elsewhereIds = ids;
    const told = JSON.stringify(this.elsewhere().map(plainMember));
    if (told === this.#elsewhere) return this.#context.events.emit.membersChanged();
    this.#elsewhere = told;
    this.announce();
    this.#context.events.emit.appliersChanged();
  }

  #isPresent(id: string): boolean {
    return this.#byId.has(id) || this.#elsewhereIds.has(id);
  }

  #tell(): void {
    const { clock, limits } = this.#context;
    this.#isAnnouncing = false;
    this.#toldAtMs = clock.elapsedMs();
    const elsewhere = this.elsewhere().map(plainMember);
    const all = [...this.sessions.map(memberOf), ...elsewhere];
    const members = all.slice(0, limits.presentMax);
    this.#news.tell(this.#byId.values(), members, clock.nowMs());
    this.#registry.changed();
    for (const session of this.#links) if (session.isFollower) session.tellRegistry();
  }
}

function memberOf(session: DirectorySession): Member {
  const { nodeId = "", region = "", lat = 0, lon = 0 } = session.hello ?? {};
  return { id: nodeId, region, url: urlOf(session), lat, lon, status: session.status };
}

function factsOf(hello: Hello, remoteAddress: string): MemberFacts {
  const { nodeId: id, region, port, lat, lon } = hello;
  const url = urlOf({ hello, remoteAddress });
  return { id, region, url, ip: hello.ip ?? remoteAddress, port, lat, lon };
}

function placeOf(member: MemberFacts): MemberFacts {
  const { id, region, url, ip, port, lat, lon } = member;
  return { id, region, url, ip, port, lat, lon };
}

function registeredMember(session: DirectorySession): RegisteredMember {
  return {
    ...memberOf(session),
    ip: session.hello?.ip ?? session.remoteAddress,
    port: session.hello?.port ?? 0,
    lagMs: session.lagMs,
    load: session.load,
    outboxPending: session.outboxPending,
    skewMs: session.skewMs,
    connectedAtMs: session.connectedAtMs,
  };
}

function plainMember({ id, region, url, lat, lon, status }: Member): Member {
  return { id, region, url, lat, lon, status };
}

function memberInfo(session: DirectorySession): MemberInfo {
  return {
    ...registeredMember(session),
    peer: null,
    appliedThrough: session.appliedThrough,
    bufferedBytes: session.bufferedBytes,
    unsent: session.unsent,
  };
}

function urlOf({
  hello,
  remoteAddress,
}: Pick<DirectorySession, "hello" | "remoteAddress">): string {
  if (typeof hello?.url === "string") return hello.url;
  const host = hello?.ip ?? remoteAddress;
  return `http://${host.includes(":") ? `[${host}]` : host}:${hello?.port ?? 0}`;
}
