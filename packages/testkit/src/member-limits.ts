/**
 * Messages in which one member is at its limit, just beyond, or far beyond. The members come from the table of schemas, so that a new member
 * without values here fails the tests.
 */
import { DIRECTORY_SCHEMAS, NODE_SCHEMAS } from "@meridian/protocol";

/** Values for one kind of member: some that its schema accepts, and some that it refuses. */
interface Values {
  readonly right: readonly unknown[];
  readonly wrong: readonly unknown[];
}

const MOST = Number.MAX_SAFE_INTEGER;
const LONG = "x".repeat(5_000);
const ODD = [null, true, "1", "NaN", [], {}, LONG];

const whole: Values = { right: [0, 1, MOST], wrong: [-1, 0.5, MOST + 1, 1e308, ...ODD] };
const counted: Values = { right: [1, MOST], wrong: [0, -1, 0.5, MOST + 1, ...ODD] };
const identity: Values = { right: [1, 2 ** 48 - 1], wrong: [0, -1, 2 ** 48, 1.5, ...ODD] };
const orNull = ({ right, wrong }: Values): Values => ({
  right: [null, ...right],
  wrong: wrong.filter((value) => value !== null),
});
const instant: Values = {
  right: [0, -1, -8.64e15, 8.64e15, 0.25],
  wrong: [8.64e15 + 2, -8.64e15 - 2, ...ODD],
};
const duration: Values = { right: [0, 0.5, 8.64e15], wrong: [-1, 8.64e15 + 2, ...ODD] };
const text: Values = {
  right: ["", "x", "\u0000", "x".repeat(4_096)],
  wrong: [null, 1, {}, "x".repeat(4_097)],
};
const label: Values = {
  right: ["a", "a".repeat(63)],
  wrong: ["", "A", "a b", "-a", "a".repeat(64), null, 1, {}],
};
const key: Values = {
  right: ["k", "\0", "k".repeat(1_024)],
  wrong: ["", "k".repeat(1_025), "\ud800", 1, {}],
};
const heats: Values = {
  right: [[["k", 1]], [["k".repeat(1_024), 2 ** 32 - 1]]],
  wrong: [
    [],
    [["k", 0]],
    [["k", 2 ** 32]],
    [["k", 0.5]],
    [["k", "1"]],
    [["\0k", 1]],
    [["", 1]],
    [["k".repeat(1_025), 1]],
    [["k"]],
    ["k"],
    Array.from({ length: 1_024 }, () => ["k", 1]),
    1,
    null,
    {},
  ],
};
const stampOf = (originMax: number): Values => ({
  right: [
    [1, 1],
    [MOST, originMax],
  ],
  wrong: [[0, 1], [1, 0], [1, originMax + 1], [MOST + 1, 1], [1.5, 1], [1], ["1", 1], 1, "x", {}],
});
/** A value in base64 of which the schema takes at most 1 MiB. */
const proposed: Values = {
  right: ["", "QUI="],
  wrong: ["x", "====", "Q Q=", "A".repeat(4 * Math.ceil(2 ** 20 / 3) + 4), null, 1, {}],
};
const flag: Values = { right: [true, false], wrong: [0, 1, "true", null] };
const cursor = (sequence: unknown, logId: unknown = 7, epoch: unknown = 1): object => ({
  logId,
  epoch,
  sequence,
});
const aCursor: Values = {
  right: [cursor(0), cursor(MOST), cursor(MOST, 9), cursor(MOST, 7, 9), cursor(0, 0, 0)],
  wrong: [cursor(-1), cursor(MOST + 1), cursor(0, -1), cursor(0, 2 ** 48), cursor("1"), 1, "x", {}],
};
const listOf = (values: Values, most: number): Values => ({
  right: [[], ...values.right.map((each) => [each])],
  wrong: [
    ...values.wrong.map((each) => [each]),
    Array.from({ length: most + 1 }, () => values.right[0]),
    null,
    1,
    "x",
    {},
  ],
});
const cursors = listOf(aCursor, 32);
const status: Values = {
  right: ["joining", "syncing", "ready", "standalone", "full"],
  wrong: ["gone", "READY", "", null, 1],
};
const load: Values = {
  right: [{ entries: MOST, bytes: MOST, requestsPerSecond: 1e300 }],
  wrong: [{ entries: -1, bytes: 0, requestsPerSecond: 0 }, {}, null, []],
};
const versions: Values = {
  right: [
    [1, 1],
    [1, MOST],
  ],
  wrong: [[1], [0, 1], [2, 1], [2, MOST], ["1", "1"], 1, null, {}],
};
const features = listOf({ right: ["x", "x".repeat(64)], wrong: ["", "x".repeat(65), 1] }, 64);
const address: Values = {
  right: ["10.0.0.5", "::1"],
  wrong: ["", "10.0.0.5:80", "host", "[::1]", LONG, 1],
};
const origin: Values = {
  right: ["http://a", "https://a.example:1"],
  wrong: ["", "a", "http://a/b", "http://a?b", "javascript:0", LONG, 1],
};
const degrees = (most: number): Values => ({
  right: [0, most, -most],
  wrong: [most + 0.001, -most - 1, 1e308, ...ODD],
});
const member = (more: object = {}): object => ({
  id: "a",
  region: "a",
  url: "http://a",
  lat: 0,
  lon: 0,
  status: "ready",
  ...more,
});
const registered = (more: object = {}): object => ({
  ...member(),
  ip: "10.0.0.1",
  port: 1,
  lagMs: 0,
  load: { entries: 0, bytes: 0, requestsPerSecond: 0 },
  outboxPending: 0,
  skewMs: 0,
  connectedAtMs: 0,
  ...more,
});
const remembered = (more: object = {}): object => {
  const { id, region, url, lat, lon } = { id: "a", region: "a", url: "http://a", lat: 0, lon: 0 };
  return {
    id,
    region,
    url,
    lat,
    lon,
    ip: "10.0.0.1",
    port: 1,
    generation: 1,
    seenAtMs: 0,
    ...more,
  };
};
const range = (more: object): object => ({
  to: null,
  count: 0,
  fingerprint: "0000000000000000",
  ...more,
});
const clock: Values = {
  right: [{ aheadMs: 1_000, agreeing: 1, members: MOST }],
  wrong: [
    { aheadMs: 0, agreeing: 2, members: 1 },
    { aheadMs: 0, agreeing: -1, members: 1 },
    { aheadMs: 0, agreeing: 0, members: 0 },
    null,
  ],
};
const sides: Readonly<Record<string, Values>> = { nowMs: instant, versions, features };

/** By side, type and member. */
const VALUES: Readonly<Record<string, Readonly<Record<string, Values>>>> = {
  hello: {
    ...sides,
    cluster: text,
    nodeId: label,
    region: label,
    incarnation: identity,
    ip: orNull(address),
    port: { right: [1, 65_535], wrong: [0, 65_536, -1, 0.5, ...ODD] },
    url: orNull(origin),
    lat: degrees(90),
    lon: degrees(180),
    status,
    cursors,
    home: orNull(aCursor),
    outboxThrough: whole,
    outboxAcknowledged: whole,
    admittedTime: whole,
    horizon: whole,
  },
  follow: { ...sides, cluster: text, logId: identity, epoch: identity, head: whole, cursors },
  probe: { ...sides, cluster: text },
  heartbeat: {
    nowMs: instant,
    status,
    appliedThrough: whole,
    outboxPending: whole,
    lowestTime: whole,
    lagMs: duration,
    load,
  },
  applied: { nowMs: instant, through: counted },
  locate: { nowMs: instant, incarnation: identity, position: counted },
  reconcile: { nowMs: instant, appliedThrough: whole },
  compare: {
    nowMs: instant,
    id: whole,
    from: orNull(key),
    ranges: {
      right: [[range({})], [range({ to: "a" }), range({ count: 65_536 })]],
      wrong: [
        [],
        [range({ count: -1 })],
        [range({ count: MOST })],
        [range({ fingerprint: "0" })],
        1,
      ],
    },
  },
  offer: {
    nowMs: instant,
    id: whole,
    from: orNull(key),
    to: orNull(key),
    entries: {
      right: [[], [["k", 1, 1]], [["k", MOST, 2 ** 48 - 1]]],
      wrong: [
        [["k", 0, 1]],
        [["k", 1, 0]],
        [["k", MOST + 1, 1]],
        [["", 1, 1]],
        [["k", 1]],
        1,
        null,
      ],
    },
  },
  reconciled: { nowMs: instant },
  heat: { nowMs: instant, keys: heats },
  propose: {
    nowMs: instant,
    id: counted,
    key: {
      right: ["k", "k".repeat(1_024)],
      wrong: ["", "\0k", "k".repeat(1_025), "\ud800", null, 1, {}],
    },
    // Null, which lets the entry be ordered, is tried where the log may move.
    ifStamp: stampOf(2 ** 48 - 1),
    stamp: { right: stampOf(2 ** 48 - 2).right, wrong: [null, ...stampOf(2 ** 48 - 2).wrong] },
    value: proposed,
    contentType: { right: ["", "é".repeat(127)], wrong: ["x".repeat(256), "é".repeat(128), 1, {}] },
    expiresAtMs: { right: [0, 8.64e15], wrong: [-1, 0.5, 8.64e15 + 2, ...ODD] },
    deleted: { right: [false], wrong: [0, 1, "true", null] },
  },
  barrier: { nowMs: instant, id: counted },
  goodbye: { nowMs: instant },
  welcome: {
    nowMs: instant,
    version: { right: [1], wrong: [0, 2, 1.5, ...ODD] },
    features: { right: [[]], wrong: [["x"], 1, null] },
    logId: identity,
    epoch: identity,
    head: whole,
    committedThrough: whole,
    epochs: { right: [[[1, 0]]], wrong: [[], [[0, 0]], [[1, -1]], [[1]], 1, null] },
    resume: { right: ["feed", "reconcile"], wrong: ["", "FEED", null, 1] },
    resumeAfter: whole,
    homeThrough: whole,
    followed: cursors,
    outboxThrough: whole,
    outboxTime: whole,
    horizon: whole,
    horizonMs: { right: [0, 8.64e15], wrong: [-1, 0.5, 8.64e15 + 2, ...ODD] },
    heartbeatMs: { right: [1, 60_000], wrong: [0, 60_001, -1, 0.5, ...ODD] },
    leaseMs: { right: [1, 3_600_000], wrong: [0, 3_600_001, ...ODD] },
    maxClockDriftMs: { right: [0, 8.64e15], wrong: [-1, 0.5, ...ODD] },
    holdBack: flag,
    clock,
    shared: { right: [true, false], wrong: [null, 0, "true"] },
  },
  echo: {
    nowMs: instant,
    echoMs: instant,
    head: whole,
    committedThrough: whole,
    followed: cursors,
    horizon: whole,
    horizonAt: whole,
    holdBack: flag,
    clock,
  },
  acknowledge: { nowMs: instant, outboxThrough: whole, committedThrough: whole },
  refuse: {
    nowMs: instant,
    position: counted,
    code: { right: ["CLOCK_AHEAD", "x"], wrong: ["", "x".repeat(65), 1, null] },
    timeMax: whole,
  },
  "applied-by": {
    nowMs: instant,
    position: counted,
    nodes: listOf(label, 65_536),
    ready: listOf(label, 65_536),
  },
  located: { nowMs: instant, incarnation: identity, position: counted, sequence: orNull(whole) },
  members: {
    nowMs: instant,
    members: {
      right: [[], [member()]],
      wrong: [[member({ url: "" })], [member({ lat: 91 })], [{}], 1, null],
    },
  },
  "members-changed": {
    nowMs: instant,
    changed: {
      right: [[], [member()]],
      wrong: [[member({ url: "" })], [{}], 1, null],
    },
    gone: listOf(label, 65_536),
  },
  "heat-elsewhere": { nowMs: instant, keys: heats },
  decided: {
    nowMs: instant,
    id: counted,
    code: {
      right: [
        null,
        "PRECONDITION_FAILED",
        "NOT_SCOPED",
        "STAMP_TOO_LOW",
        "CONDITIONS_UNAVAILABLE",
        "OVERLOADED",
      ],
      wrong: ["", "INTERNAL", 1, {}],
    },
    sequence: whole,
    time: whole,
    atMs: instant,
    why: text,
  },
  registry: {
    nowMs: instant,
    early: { right: [true, false], wrong: [1, "true", null] },
    remembered: {
      right: [[], [remembered()]],
      wrong: [[remembered({ generation: 0 })], [remembered({ ip: "x" })], [member()], 1, null],
    },
    head: whole,
    lowestTime: whole,
    members: {
      right: [[], [registered()]],
      wrong: [[registered({ ip: "" })], [registered({ port: 0 })], [member()], 1, null],
    },
  },
  standing: {
    nowMs: instant,
    version: { right: [1], wrong: [0, 2, ...ODD] },
    features: { right: [[]], wrong: [["x"], 1, null] },
    ready: flag,
    logId: identity,
    epoch: identity,
    head: whole,
    followed: cursors,
  },
  "reconcile-begin": {
    nowMs: instant,
    head: whole,
    horizon: whole,
    resumes: { right: [true, false], wrong: [null, 0, "true"] },
  },
  compared: { nowMs: instant, id: whole, differing: listOf(whole, 4_096) },
  wanted: { nowMs: instant, id: whole, donated: whole, keys: listOf(key, 65_536) },
};

/** A message with one unusual member. */
export interface OddMessage {
  readonly type: string;
  readonly member: string;
  readonly json: string;
  /** Whether the schema must accept the member. */
  readonly isRight: boolean;
}

/** The names of the members that the schema of `type` has, and those that have values here. */
export function membersOf(
  side: "node" | "directory",
): readonly (readonly [string, string[], string[]])[] {
  const schemas: Readonly<Record<string, { readonly entries: object }>> =
    side === "node" ? NODE_SCHEMAS : DIRECTORY_SCHEMAS;
  return Object.entries(schemas).map(([type, { entries }]) => [
    type,
    Object.keys(entries)
      .filter((name) => name !== "type")
      .toSorted(),
    Object.keys(VALUES[type] ?? {}).toSorted(),
  ]);
}

/** All odd messages that can be made of `usual` messages of a side. */
export function oddMessages(usual: readonly { readonly type: string }[]): readonly OddMessage[] {
  return usual.flatMap((message) =>
    Object.entries(VALUES[message.type] ?? {}).flatMap(([name, { right, wrong }]) => {
      const odd =
        (isRight: boolean) =>
        (value: unknown): OddMessage => ({
          type: message.type,
          member: name,
          json: JSON.stringify({ ...message, [name]: value }),
          isRight,
        });
      return [...right.map(odd(true)), ...wrong.map(odd(false))];
    }),
  );
}
