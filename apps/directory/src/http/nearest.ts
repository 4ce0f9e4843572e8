import { readWhole, type Query, type WholeBounds } from "@meridian/http";
import { checkIdentifier, MeridianError, parseCoordinates } from "@meridian/protocol";
import type { Described, nearestNode } from "@meridian/protocol/http-api";
import type { MemberInfo } from "@meridian/replication";

import type { NearNode, NodeRegistry } from "../node-registry.ts";

/** The options of `GET /nearest`. */
export const NEAREST_OPTIONS = ["lat", "lon", "limit", "exclude"] as const;

const LIMIT: WholeBounds = { min: 1, max: 100, fallback: 3 };
const NOBODY: ReadonlySet<string> = new Set();

/**
 * The body of `GET /nearest`: the nodes that clients may be sent to, nearest first. Throws what the request has wrong,
 * or `NO_READY_NODE`.
 */
export function nearestBody(
  registry: NodeRegistry,
  lagMaxMs: number,
  query: Query<(typeof NEAREST_OPTIONS)[number]>,
): string {
  const coordinates = parseCoordinates(query.lat, query.lon);
  const limit = readWhole("limit", query.limit, LIMIT);
  const excluded = readIds(query.exclude);
  const isOffered = (member: MemberInfo): boolean =>
    member.status === "ready" &&
    member.load.refusing !== true &&
    member.lagMs < lagMaxMs &&
    !excluded.has(member.id);
  const found = registry.nearest(coordinates, limit, isOffered);
  if (found.length === 0) throw nobodyReady(registry, lagMaxMs, excluded.size);
  return `{"nodes":[${found.map(offer).join(",")}]}`;
}

type NearestNode = Described<typeof nearestNode>;

/** The JSON of a node around its distance, which alone differs between requests. */
type Frame = readonly [before: string, after: string];

const frames = new WeakMap<MemberInfo, Frame>();

function offer({ member, distanceMeters }: NearNode): string {
  let frame = frames.get(member);
  if (frame === undefined) {
    frame = frameOf(member);
    frames.set(member, frame);
  }
  return frame[0] + distanceMeters + frame[1];
}

function frameOf({ id, region, url, ip, port, lat, lon, status, lagMs, load }: MemberInfo): Frame {
  const place = { id, region, url, ip, port, lat, lon } satisfies Partial<NearestNode>;
  const before = JSON.stringify(place);
  const after = JSON.stringify({
    status,
    lagMs,
    load,
  } satisfies Omit<NearestNode, keyof typeof place | "distanceMeters">);
  return [`${before.slice(0, -1)},"distanceMeters":`, `,${after.slice(1)}`];
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
