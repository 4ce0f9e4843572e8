/** The bodies that describe nodes, both connected and absent ones. */
import { MeridianError } from "@meridian/protocol";
import {
  UNKNOWN_PROGRESS,
  type absentNode,
  type Described,
  type node,
  type nodes,
  type presentNode,
} from "@meridian/protocol/http-api";
import type { AbsentMember, MemberInfo } from "@meridian/replication";

import type { NodeRegistry } from "../node-registry.ts";

/** Where connected and absent nodes are read. */
export interface NodeSource {
  readonly registry: NodeRegistry;
  /** The nodes that are remembered and not there. */
  absent(): readonly AbsentMember[];
  /** Forgets a node that is gone. Resolves once that is durable. Throws `NODE_NOT_FOUND` or `NODE_PRESENT`. */
  forget(id: string): Promise<AbsentMember>;
}

/** Every node that is there or missed, in the order of their ids. */
export function knownNodes(source: NodeSource): readonly (MemberInfo | AbsentMember)[] {
  const known = [...source.registry.all(), ...source.absent()];
  return known.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** The public facts of a node that is there or missed. */
export function describeKnown(known: MemberInfo | AbsentMember): Described<typeof node> {
  return "seenAtMs" in known ? describeAbsent(known) : describe(known);
}

/** The body of `GET /nodes`: every node that is there or missed, in the order of their ids. */
export function nodesBody(source: NodeSource): Described<typeof nodes> {
  return { nodes: knownNodes(source).map(describeKnown) };
}

/** The body of `GET /nodes/<id>`. Throws `NODE_NOT_FOUND`. */
export function nodeBody(source: NodeSource, id: string): Described<typeof node> {
  const member = source.registry.get(id);
  if (member !== undefined) return describe(member);
  const missed = source.absent().find((each) => each.id === id);
  if (missed !== undefined) return describeAbsent(missed);
  throw new MeridianError(
    "NODE_NOT_FOUND",
    `Expected the id of a known node, got \`${id.slice(0, 100)}\``,
  );
}

/** The body of `DELETE /nodes/<id>`: the node as it was known. */
export async function forgottenBody(
  source: NodeSource,
  id: string,
): Promise<Described<typeof absentNode>> {
  return describeAbsent(await source.forget(id));
}

/**
 * The public facts of a node, listed one by one, so that what the machine adds for itself is not published. They are not spread out of another object:
 * V8 makes a hash table of an object that gets more than a dozen members after its spreading, which costs a thousand times as much.
 */
function describe(member: MemberInfo): Described<typeof presentNode> {
  return {
    id: member.id,
    region: member.region,
    url: member.url,
    ip: member.ip,
    port: member.port,
    lat: member.lat,
    lon: member.lon,
    status: member.status,
    goneSinceMs: null,
    lagMs: member.lagMs,
    load: member.load,
    appliedThrough: member.appliedThrough,
    outboxPending: member.outboxPending,
    skewMs: member.skewMs,
    peer: member.peer,
    connectedAtMs: member.connectedAtMs,
    bufferedBytes: member.bufferedBytes,
    unsent: member.unsent,
  };
}

/** What is known of an absent node that is described. */
export function absentMemberOf(described: Described<typeof absentNode>): AbsentMember {
  const { id, region, url, ip, port, lat, lon, goneSinceMs } = described;
  return { id, region, url, ip, port, lat, lon, seenAtMs: goneSinceMs };
}

/** Describes an absent node. Its progress is not known, and is null. */
export function describeAbsent(member: AbsentMember): Described<typeof absentNode> {
  const { id, region, url, ip, port, lat, lon, seenAtMs } = member;
  const place = { id, region, url, ip, port, lat, lon };
  return { ...place, status: "gone", goneSinceMs: seenAtMs, ...UNKNOWN_PROGRESS };
}
