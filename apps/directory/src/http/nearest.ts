import { readWhole, type Query, type WholeBounds } from "@meridian/http";
import {
  checkIdentifier,
  MeridianError,
  parseCoordinates,
  type Coordinates,
} from "@meridian/protocol";
import type { Described, nearestNode } from "@meridian/protocol/http-api";
import type { MemberInfo } from "@meridian/replication";

import type { FoundNodes, KnownNode, NodeRegistry } from "../node-registry.ts";

/** The options of `GET /nearest`. */
export const NEAREST_OPTIONS = ["lat", "lon", "limit", "exclude"] as const;

const LIMIT: WholeBounds = { min: 1, max: 100, fallback: 3 };
const NOBODY: ReadonlySet<string> = new Set();

/** What `GET /nearest` is asked. */
export interface NearestQuestion {
  readonly coordinates: Coordinates;
  readonly limit: number;
  /** The ids of nodes that are not wanted. */
  readonly excluded: ReadonlySet<string>;
}

/** Reads the query of `GET /nearest`. Throws what it has wrong. */
export function readNearest(query: Query<(typeof NEAREST_OPTIONS)[number]>): NearestQuestion {
  return {
    coordinates: parseCoordinates(query.lat, query.lon),
    limit: readLimit(query.limit),
    excluded: readIds(query.exclude),
  };
}

/** What clients send: decimal degrees in this order, and perhaps a limit. */
const PLAIN =
  /^lat=(-?\d{1,2}(?:\.\d{1,17})?)&lon=(-?\d{1,3}(?:\.\d{1,17})?)(?:&limit=(\d{1,3}))?$/;

/** Reads what clients commonly send, faster. Returns undefined for any other query, and for one that has something wrong. */
export function readPlainNearest(query: string): NearestQuestion | undefined {
  const asked = PLAIN.exec(query);
  if (asked === null) return undefined;
  const [lat, lon, limit] = [
    Number(asked[1]),
    Number(asked[2]),
    Number(asked[3] ?? LIMIT.fallback),
  ];
  const areMeant = Math.abs(lat) <= 90 && Math.abs(lon) <= 180;
  if (!areMeant || limit < LIMIT.min || limit > LIMIT.max) return undefined;
  return { coordinates: { lat, lon }, limit, excluded: NOBODY };
}

/** The body of `GET /nearest`, in ASCII: the nodes that clients may be sent to, nearest first. Throws `NO_READY_NODE`. */
export function nearestBody(
  registry: NodeRegistry,
  lagMaxMs: number,
  question: NearestQuestion,
): string {
  return bodyOf(offered(registry, lagMaxMs, question));
}

/** The nodes that clients may be sent to, nearest first. `around` is what the registry says of the place, if that is known. Throws `NO_READY_NODE`. */
export function offered(
  registry: NodeRegistry,
  lagMaxMs: number,
  { coordinates, limit, excluded }: NearestQuestion,
  around?: FoundNodes,
): FoundNodes {
  const isOffered = (member: MemberInfo): boolean =>
    member.status === "ready" &&
    member.load.refusing !== true &&
    member.lagMs < lagMaxMs &&
    !excluded.has(member.id);
  const found = registry.nearest(coordinates, limit, isOffered, around);
  if (found.length === 0) throw nobodyReady(registry, lagMaxMs, excluded.size);
  return found;
}

/** What a body says of nodes that were found. */
export function bodyOf(found: FoundNodes): string {
  let text = "";
  for (const { node, distanceMeters } of found) {
    const { before, after } = frameOf(node);
    text += (text === "" ? '{"nodes":[' : ",") + before + distanceMeters + after;
  }
  return `${text}]}`;
}

type NearestNode = Described<typeof nearestNode>;
type Place = Omit<NearestNode, "distanceMeters" | keyof State>;
type State = Pick<NearestNode, "status" | "lagMs" | "load">;

/** The JSON of a node around its distance, which alone differs between requests. Another one is made when the node says something else. */
export class NodeFrame {
  readonly before: string;
  readonly after: string;
  /** What the text was made of, or the same in another object. */
  #member: MemberInfo;

  constructor(member: MemberInfo, last?: NodeFrame) {
    this.#member = member;
    this.before =
      last !== undefined && isSamePlace(last.#member, member) ? last.before : placeText(member);
    this.after = stateText(member);
  }

  /** Whether it says what the node says now: it is read often, and seldom another. */
  says(member: MemberInfo): boolean {
    if (member === this.#member) return true;
    if (!isSamePlace(this.#member, member) || !isSameState(this.#member, member)) return false;
    this.#member = member;
    return true;
  }
}

/** The frame of a node: the same object until the node says something else. */
export function frameOf(node: KnownNode): NodeFrame {
  const { face, member } = node;
  const last = face instanceof NodeFrame ? face : undefined;
  if (last?.says(member) === true) return last;
  const frame = new NodeFrame(member, last);
  node.face = frame;
  return frame;
}

function placeText({ id, region, url, ip, port, lat, lon }: MemberInfo): string {
  const place = { id, region, url, ip, port, lat, lon } satisfies Place;
  return `${asciiJson(place).slice(0, -1)},"distanceMeters":`;
}

function stateText({ status, lagMs, load }: MemberInfo): string {
  const state = { status, lagMs, load } satisfies State;
  return `,${asciiJson(state).slice(1)}`;
}

function isSamePlace(a: MemberInfo, b: MemberInfo): boolean {
  const isAtSame = a.url === b.url && a.ip === b.ip && a.port === b.port;
  return isAtSame && a.id === b.id && a.region === b.region && a.lat === b.lat && a.lon === b.lon;
}

function isSameState(a: MemberInfo, b: MemberInfo): boolean {
  return a.status === b.status && a.lagMs === b.lagMs && a.load === b.load;
}

/** JSON with as many bytes as characters. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function readLimit(text: string | undefined): number {
  return readWhole("limit", text, LIMIT);
}

function readIds(text: string | undefined): ReadonlySet<string> {
  if (text === undefined || text === "") return NOBODY;
  return new Set(text.split(",").map((id) => checkIdentifier("`exclude` to have node ids", id)));
}

function nobodyReady(registry: NodeRegistry, lagMaxMs: number, excluded: number): MeridianError {
  const others = excluded === 0 ? "" : ` and ${excluded} excluded`;
  return new MeridianError(
    "NO_READY_NODE",
    `Expected a ready node with a lag under ${lagMaxMs} ms, got none, with ${registry.size} registered${others}`,
    { details: { registered: registry.size } },
  );
}
