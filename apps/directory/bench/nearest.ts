/**
 * The part of a directory that answers over HTTP, with as many nodes as are asked for, all over the world: more than have links with one directory. As in a directory,
 * what is told of each node is another object whenever it is read.
 */
import { HttpServer, RateLimits, SlowRequests } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, silentLogger, systemClock } from "@meridian/runtime";
import type { MemberInfo } from "@meridian/replication";

import { directoryHandlers } from "../src/http/directory-listener.ts";
import { NodeRegistry } from "../src/node-registry.ts";
import { memberOf } from "../test/members.ts";
import { serviceOf } from "../test/service.ts";

const count = Number(process.argv[2] ?? 10);

/** Places that spread evenly over the sphere: the turns of a spiral from pole to pole, by the golden angle. */
const placed = Array.from({ length: count }, (_, index) => {
  const lat = (Math.asin(1 - (2 * index + 1) / count) * 180) / Math.PI;
  const lon = ((index * 137.507_764) % 360) - 180;
  return memberOf({ id: `node-${index}`, lat, lon });
});

const byId = new Map(placed.map((member) => [member.id, member]));

const source = {
  get members(): readonly MemberInfo[] {
    return placed.map((member) => ({ ...member }));
  },
  linked(id: string): MemberInfo | undefined {
    const member = byId.get(id);
    return member && { ...member };
  },
};

const metrics = new Metrics();
const clock = systemClock;
const service = serviceOf([], {
  clock,
  metrics,
  registry: new NodeRegistry(source, clock),
  slow: new SlowRequests(clock, silentLogger),
  limits: new RateLimits({ perSecond: null, burst: null, clock, metrics }),
});
const server = new HttpServer({
  clock,
  logger: silentLogger,
  metrics,
  connectionsMax: 1_000,
  starting: new MeridianError("DIRECTORY_UNREACHABLE", "Not yet"),
});
server.listen("127.0.0.1", 0).then(
  () => {
    server.handle(directoryHandlers(service));
    process.send?.({ type: "listening", url: server.url });
  },
  (cause: unknown) => {
    throw cause;
  },
);
