import { capabilities, OWN_FRAMES, type Hello, type NodeMessage } from "@meridian/protocol";

type Heartbeat = Extract<NodeMessage, { type: "heartbeat" }>;

/** The `hello` of a node without data, with the members of `given` instead of its own. */
export function helloOf(
  given: Partial<Hello> & Pick<Hello, "nodeId" | "incarnation" | "nowMs">,
): Hello {
  return {
    type: "hello",
    ...capabilities(OWN_FRAMES),
    cluster: "test",
    region: given.nodeId,
    ip: null,
    port: 1,
    url: null,
    lat: 0,
    lon: 0,
    status: "ready",
    cursors: [],
    home: null,
    outboxThrough: 0,
    outboxAcknowledged: 0,
    admittedTime: 0,
    horizon: 0,
    ...given,
  };
}

/** The heartbeat of an idle node, with the members of `given` instead of its own. */
export function heartbeatOf(given: Partial<Heartbeat> & Pick<Heartbeat, "nowMs">): Heartbeat {
  return {
    type: "heartbeat",
    status: "ready",
    appliedThrough: 0,
    outboxPending: 0,
    lowestTime: 0,
    lagMs: 0,
    load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
    ...given,
  };
}
