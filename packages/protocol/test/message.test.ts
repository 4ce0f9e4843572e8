import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  agree,
  decodeDirectoryMessage,
  decodeNodeMessage,
  encodeMessage,
  MeridianError,
  type DirectoryMessage,
  type NodeMessage,
} from "@meridian/protocol";

import { refusal } from "./refusal.ts";

const nowMs = 1_750_000_000_000.5;

const HELLO: NodeMessage = {
  type: "hello",
  versions: [1, 1],
  features: [],
  cluster: "meridian",
  nodeId: "frankfurt",
  region: "eu",
  incarnation: 2 ** 48 - 1,
  ip: null,
  port: 7402,
  url: null,
  lat: 50.11,
  lon: 8.68,
  status: "joining",
  cursors: [{ logId: 1, epoch: 2, sequence: 3 }],
  home: { logId: 1, epoch: 2, sequence: 3 },
  outboxThrough: 2,
  outboxAcknowledged: 1,
  admittedTime: 1,
  horizon: 1,
  nowMs,
};

const NODE_MESSAGES: readonly NodeMessage[] = [
  HELLO,
  { ...HELLO, ip: "::1", url: "https://cache.example", cursors: [], home: null },
  {
    type: "follow",
    versions: [1, 3],
    features: ["tracing", "tags"],
    cluster: "meridian",
    logId: 1,
    epoch: 2,
    head: 3,
    cursors: [{ logId: 4, epoch: 5, sequence: 6 }],
    nowMs,
  },
  { type: "probe", versions: [1, 1], features: [], cluster: "meridian", nowMs },
  {
    type: "heartbeat",
    nowMs,
    status: "ready",
    appliedThrough: 10,
    outboxPending: 0,
    lowestTime: Number.MAX_SAFE_INTEGER,
    lagMs: 0.25,
    load: { entries: 1, bytes: 2, requestsPerSecond: 3.5 },
  },
  { type: "applied", nowMs, through: Number.MAX_SAFE_INTEGER },
  { type: "locate", nowMs, incarnation: 1, position: 2 },
  { type: "reconcile", nowMs },
  {
    type: "compare",
    nowMs,
    id: 0,
    from: null,
    ranges: [
      { to: "größe\u{1f600}", count: 3, fingerprint: "00ff00ff00ff00ff" },
      { to: null, count: 0, fingerprint: "0000000000000000" },
    ],
  },
  { type: "offer", nowMs, id: 1, from: "a", to: null, entries: [["b", 1, 1]] },
  { type: "reconciled", nowMs },
  {
    type: "heat",
    nowMs,
    keys: [
      ["größe", 2 ** 32 - 1],
      ["b", 1],
    ],
  },
  { type: "goodbye", nowMs },
];

const DIRECTORY_MESSAGES: readonly DirectoryMessage[] = [
  {
    type: "welcome",
    version: 1,
    features: [],
    nowMs,
    logId: 1,
    epoch: 2,
    head: 3,
    committedThrough: 3,
    epochs: [
      [1, 0],
      [2, 3],
    ],
    resume: "feed",
    resumeAfter: 3,
    homeThrough: 3,
    followed: [{ logId: 4, epoch: 5, sequence: 6 }],
    outboxThrough: 4,
    outboxTime: 5,
    horizon: 6,
    horizonMs: 604_800_000,
    heartbeatMs: 500,
    leaseMs: 1_500,
    maxClockDriftMs: 10_000,
    holdBack: false,
    clock: { aheadMs: -3_600_000, agreeing: 2, members: 3 },
  },
  {
    type: "echo",
    nowMs,
    echoMs: nowMs,
    head: 1,
    committedThrough: 1,
    followed: [],
    horizon: 6,
    horizonAt: 1,
    holdBack: false,
    clock: { aheadMs: -3_600_000, agreeing: 2, members: 3 },
  },
  { type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 2 },
  { type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax: 7 },
  { type: "applied-by", nowMs, position: 1, nodes: ["a", "b"], ready: ["a"] },
  { type: "located", nowMs, incarnation: 1, position: 2, sequence: null },
  {
    type: "members",
    nowMs,
    members: [{ id: "a", region: "r", url: "http://a", lat: 0, lon: -180, status: "ready" }],
  },
  {
    type: "members-changed",
    nowMs,
    changed: [{ id: "a", region: "r", url: "http://a", lat: 0, lon: -180, status: "ready" }],
    gone: ["b"],
  },
  { type: "heat-elsewhere", nowMs, keys: [["a", 1]] },
  {
    type: "registry",
    nowMs,
    head: 3,
    lowestTime: 4,
    members: [
      {
        id: "a",
        region: "r",
        url: "http://a",
        lat: 0,
        lon: -180,
        status: "ready",
        ip: "::1",
        port: 7401,
        lagMs: 0.5,
        load: { entries: 1, bytes: 2, requestsPerSecond: 3.5 },
        outboxPending: 0,
        skewMs: -3,
        connectedAtMs: nowMs,
      },
    ],
  },
  {
    type: "standing",
    version: 1,
    features: [],
    nowMs,
    ready: true,
    logId: 1,
    epoch: 2,
    head: 3,
    followed: [],
  },
  { type: "reconcile-begin", nowMs, head: 1, horizon: 6 },
  { type: "compared", nowMs, id: 1, differing: [0, 2] },
  { type: "wanted", nowMs, id: 1, donated: 0, keys: ["a"] },
];

const SIDES = [
  { side: "node", decode: decodeNodeMessage, messages: NODE_MESSAGES, others: DIRECTORY_MESSAGES },
  {
    side: "directory",
    decode: decodeDirectoryMessage,
    messages: DIRECTORY_MESSAGES,
    others: NODE_MESSAGES,
  },
] as const;

describe.each(SIDES)("a message from the $side", ({ decode, messages, others }) => {
  const decodes = (message: unknown): string => refusal(() => decode(JSON.stringify(message)));

  it("of every type reads back as it was written", () => {
    for (const message of messages) expect(decode(encodeMessage(message))).toEqual(message);
  });

  it("is refused without any one of its members", () => {
    for (const message of messages) {
      for (const name of Object.keys(message)) {
        expect(decodes({ ...message, [name]: undefined })).toBe("MALFORMED_MESSAGE");
      }
    }
  });

  it("is understood with members that it does not know, which are left out", () => {
    for (const message of messages) {
      for (const name of ["extra", "toString", "constructor", "hasOwnProperty", ""]) {
        expect(decode(JSON.stringify({ ...message, [name]: { a: [1] } }))).toEqual(message);
      }
      const json = `${JSON.stringify(message).slice(0, -1)},"__proto__":{"port":1}}`;
      expect(decode(json)).toEqual(message);
    }
  });

  it("is refused with any one of its members of another kind", () => {
    for (const message of messages) {
      for (const name of Object.keys(message)) {
        for (const odd of [true, -1.5, {}]) {
          if (name.endsWith("Ms") && odd === -1.5) continue;
          if ((name === "lat" || name === "lon") && odd === -1.5) continue;
          if (name === "version" && odd === -1.5) continue;
          if ((name === "ready" || name === "holdBack") && odd === true) continue;
          expect(decodes({ ...message, [name]: odd })).toBe("MALFORMED_MESSAGE");
        }
      }
    }
  });

  it("is refused when it comes from the wrong side", () => {
    for (const message of others) expect(decodes(message)).toBe("MALFORMED_MESSAGE");
  });

  it("that is any other text is refused as malformed, never otherwise", () => {
    const text = fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(text, (json) => {
        expect(refusal(() => decode(json))).toBe("MALFORMED_MESSAGE");
      }),
      { numRuns: 500 },
    );
    for (const json of ["", "null", "[]", "{}", '"hello"', "1", '{"type":"toString"}']) {
      expect(refusal(() => decode(json))).toBe("MALFORMED_MESSAGE");
    }
    expect(refusal(() => decode("[".repeat(200_000)))).toBe("MALFORMED_MESSAGE");
  });

  it("that was changed at any one place decodes or is refused as malformed", () => {
    const change = fc.tuple(
      fc.constantFrom(...messages),
      fc.nat(),
      fc.nat(2),
      fc.string({ maxLength: 2 }),
    );
    fc.assert(
      fc.property(change, ([message, at, cut, put]) => {
        const json = encodeMessage(message);
        const start = at % json.length;
        const changed = json.slice(0, start) + put + json.slice(start + cut);
        // The change may be that of a greeting's version.
        const answers = ["accepted", "MALFORMED_MESSAGE", "UNSUPPORTED_VERSION"];
        expect(answers).toContain(refusal(() => decode(changed)));
      }),
      { numRuns: 500 },
    );
  });
});

describe("a member of a message", () => {
  it.each<[string, unknown]>([
    ["port", 0],
    ["port", 65_536],
    ["lat", 90.1],
    ["lon", -180.1],
    ["incarnation", 0],
    ["incarnation", 2 ** 48],
    ["outboxThrough", 2 ** 53],
    ["outboxThrough", 0.5],
    ["status", "gone"],
    ["outboxAcknowledged", 3],
    ["cursors", [{ logId: 2 ** 48, epoch: 2, sequence: 3 }]],
    ["versions", [1]],
    ["versions", [0, 1]],
    ["features", [""]],
    ["features", ["x".repeat(65)]],
    ["nodeId", "Frankfurt"],
    ["nodeId", ""],
    ["region", "eu west"],
    ["ip", ""],
    ["ip", "10.0.0.5:80"],
    ["ip", "256.0.0.1"],
    ["ip", "[::1]"],
    ["ip", "fe80::1%eth0"],
    ["ip", "localhost"],
    ["url", ""],
    ["url", "cache.example"],
    ["url", "ftp://cache.example"],
    ["url", "http://cache.example/a"],
    ["url", "http://cache.example?a=1"],
    ["url", "http://user@cache.example"],
    ["url", "http://a b"],
    ["url", "http://[10.0.0.5:80]:7401"],
    ["nowMs", 8.64e15 + 1],
  ])("`%s` of %j is out of range", (name, odd) => {
    expect(refusal(() => decodeNodeMessage(JSON.stringify({ ...HELLO, [name]: odd })))).toBe(
      "MALFORMED_MESSAGE",
    );
  });

  it("is a number that JSON can carry: one too large is refused", () => {
    const json = JSON.stringify({ type: "goodbye", nowMs: 1 }).replace("1", "1e999");
    expect(refusal(() => decodeNodeMessage(json))).toBe("MALFORMED_MESSAGE");
  });

  it.each([
    ["nothing", "", "MALFORMED_MESSAGE"],
    ["1024 bytes", "é".repeat(512), "accepted"],
    ["1025 bytes", `${"é".repeat(512)}a`, "MALFORMED_MESSAGE"],
    ["3072 bytes in 1024 units", "€".repeat(1024), "MALFORMED_MESSAGE"],
    ["a lone surrogate", "\ud800", "MALFORMED_MESSAGE"],
  ])("that is a key of %s is judged as keys are everywhere", (_what, key, answer) => {
    const wanted = { type: "wanted", nowMs, id: 1, donated: 0, keys: [key] };
    const offer = { type: "offer", nowMs, id: 1, from: null, to: null, entries: [[key, 1, 1]] };
    expect(refusal(() => decodeDirectoryMessage(JSON.stringify(wanted)))).toBe(answer);
    expect(refusal(() => decodeNodeMessage(JSON.stringify(offer)))).toBe(answer);
  });
});

it("text in a message is at most 4096 units long", () => {
  const hello = (length: number): string =>
    JSON.stringify({ ...HELLO, cluster: "c".repeat(length) });
  expect(refusal(() => decodeNodeMessage(hello(4_096)))).toBe("accepted");
  expect(refusal(() => decodeNodeMessage(hello(4_097)))).toBe("MALFORMED_MESSAGE");
});

it("a refusal says where, what was expected and what came, and repeats no more than a line", () => {
  const said = (json: string): string => {
    try {
      decodeNodeMessage(json);
    } catch (cause) {
      if (cause instanceof MeridianError) return cause.message;
    }
    return "accepted";
  };
  expect(said('{"type":"goodbye","nowMs":"x"}')).toBe('Expected number at `nowMs`, got "x"');
  expect(said("{")).toBe("Expected JSON, got `{`");
  const long = "x".repeat(100_000);
  for (const json of [long, `{"type":"goodbye","nowMs":"${long}"}`, `{"type":"${long}"}`]) {
    expect(said(json).length).toBeLessThan(300);
  }
});

describe("versions and features", () => {
  const said = (versions: unknown, more: object = {}): string =>
    refusal(() => decodeNodeMessage(JSON.stringify({ ...HELLO, versions, ...more })));

  it("a greeting with no version in common is told so, whatever else it says", () => {
    for (const versions of [
      [2, 9],
      [0.1, 0.5],
    ]) {
      const json = JSON.stringify({ type: "hello", versions, name: "of another kind" });
      expect(refusal(() => decodeNodeMessage(json))).toBe("UNSUPPORTED_VERSION");
    }
  });

  it("a greeting whose range has a common version is understood, with features that nobody knows", () => {
    expect(said([1, 99], { features: ["teleport"] })).toBe("accepted");
    expect(said([2, 1])).toBe("UNSUPPORTED_VERSION");
    expect(said([1, "2"])).toBe("MALFORMED_MESSAGE");
  });

  it("agree on the highest common version and the features of both, whoever asks", () => {
    const range = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 4 }))
      .map(([low, more]): [number, number] => [low, low + more]);
    const features = fc.subarray(["a", "b", "c"]);
    const party = fc.record({ versions: range, features });
    fc.assert(
      fc.property(party, party, (one, other) => {
        const common = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].filter((version) =>
          [one, other].every(({ versions: [low, high] }) => low <= version && version <= high),
        );
        const answer = common.length === 0 ? "UNSUPPORTED_VERSION" : "accepted";
        expect(refusal(() => agree(one, other))).toBe(answer);
        fc.pre(common.length > 0);
        const agreed = agree(one, other);
        expect(agreed.version).toBe(Math.max(...common));
        expect(agreed.features).toEqual(agree(other, one).features);
        expect(agreed.features).toEqual(
          one.features.filter((each) => other.features.includes(each)),
        );
      }),
    );
  });

  it("an answer that chose what was not offered is refused", () => {
    for (const message of DIRECTORY_MESSAGES.filter(({ type }) => /welcome|standing/.test(type))) {
      for (const odd of [{ version: 2 }, { features: ["teleport"] }]) {
        expect(refusal(() => decodeDirectoryMessage(JSON.stringify({ ...message, ...odd })))).toBe(
          "UNSUPPORTED_VERSION",
        );
      }
    }
  });
});
