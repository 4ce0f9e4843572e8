import { readFileSync } from "node:fs";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { MeridianError } from "../src/index.ts";
import {
  BadBytes,
  BINARY_ID_MAX,
  BINARY_REQUESTS,
  changesMessage,
  encodeBinaryRequest,
  errorMessage,
  foundResult,
  jsonResult,
  manyPart,
  manyResult,
  pagePart,
  pageResult,
  positionMessage,
  readBinaryMessage,
  readBinaryRequest,
  reloadMessage,
  resultMessage,
  unchangedResult,
  type BinaryRequest,
} from "../src/socket-api/binary/index.ts";
import { SOCKET_REQUESTS, type SocketRequestType } from "../src/socket-api/index.ts";

const TYPES = Object.keys(SOCKET_REQUESTS) as readonly SocketRequestType[];

const text = fc.string({ maxLength: 80, unit: "binary" });
const value = fc.uint8Array({ maxLength: 300 });
const key = text;
const ITEM = fc.record(
  { key, value, contentType: text, ttl: text },
  { requiredKeys: ["key", "value"] },
);
/** What each kind of member holds. */
const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  text,
  value,
  wait: fc.integer({ min: 0, max: 10_000 }),
  limit: fc.integer({ min: 1, max: 1_000 }),
  id: fc.integer({ min: 0, max: BINARY_ID_MAX }),
  time: fc.maxSafeNat(),
  instant: fc.oneof(fc.constant("never"), fc.integer({ min: 1 })),
  flag: fc.constant(true),
  keys: fc.array(key, { minLength: 1, maxLength: 5 }),
  items: fc.array(ITEM, { minLength: 1, maxLength: 5 }),
};

/** Members that many requests have, by the highest bits, which stand for nothing in the others. */
const LAST = [
  [1 << 13, "deadlineMs", "time"],
  [1 << 14, "traceparent", "text"],
  [1 << 15, "tracestate", "text"],
] as const;
const lastOf = (type: SocketRequestType): readonly (typeof LAST)[number][] =>
  LAST.filter(([, name]) => name in SOCKET_REQUESTS[type].entries);
/** The members that a request may have, in the order in which they are written. */
const optionalOf = (type: SocketRequestType): readonly (readonly [string, string])[] => [
  ...BINARY_REQUESTS[type].optional,
  ...lastOf(type).map(([, ...member]) => member),
];

/** Any request of a type, as the table tells of it. */
function requestOf(type: SocketRequestType): fc.Arbitrary<BinaryRequest> {
  const { members } = BINARY_REQUESTS[type];
  const all = Object.fromEntries(
    [...members, ...optionalOf(type)].map(([name, kind]) => [name, VALUES[kind] ?? fc.constant(0)]),
  );
  const requiredKeys = members.map(([name]) => name);
  return fc
    .record({ id: VALUES["id"] as fc.Arbitrary<number>, rest: fc.record(all, { requiredKeys }) })
    .map(({ id, rest }) => ({ id, type, ...rest }) as object as BinaryRequest);
}

const anyRequest = fc.constantFrom(...TYPES).chain(requestOf);
const codeOf = (bytes: Uint8Array): string => {
  const read = readBinaryRequest(bytes);
  return "error" in read ? read.error.code : "ok";
};

it("has every member that a request has in JSON, but for the encoding of values", () => {
  for (const type of TYPES) {
    const names = [...BINARY_REQUESTS[type].members, ...optionalOf(type)].map(([name]) => name);
    const known = Object.keys(SOCKET_REQUESTS[type].entries).filter((name) => name !== "encoding");
    expect([type, ["id", "type", ...names].toSorted()]).toEqual([type, known.toSorted()]);
  }
});

it("reads what it has written", () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      expect(readBinaryRequest(encodeBinaryRequest(request))).toEqual({ id: request.id, request });
    }),
    { numRuns: 300 },
  );
});

describe("a request", () => {
  const samples = TYPES.map(
    (type) => [type, fc.sample(requestOf(type), { numRuns: 5, seed: 7 })] as const,
  );

  it.each(samples)("%s is refused with its id where it ends early or goes on", (_, requests) => {
    for (const request of requests) {
      const whole = encodeBinaryRequest(request);
      for (let length = 0; length < whole.length; length += 1) {
        const read = readBinaryRequest(whole.subarray(0, length));
        expect(read).toMatchObject({
          id: length < 5 ? null : request.id,
          error: { code: "MALFORMED_MESSAGE" },
        });
      }
      expect(codeOf(Uint8Array.of(...whole, 0))).toBe("MALFORMED_MESSAGE");
    }
  });

  it.each(TYPES)("%s is refused with a bit that stands for nothing", (type) => {
    const { code, optional } = BINARY_REQUESTS[type];
    const known = lastOf(type).reduce((bits, [bit]) => bits | bit, 0);
    for (let bit = optional.length; bit < 16; bit += 1) {
      const bits = 1 << bit;
      if ((known & bits) !== 0) continue;
      expect(codeOf(Uint8Array.of(code, 0, 0, 0, 1, bits >> 8, bits & 0xff))).toBe(
        "UNKNOWN_OPTION",
      );
    }
  });
});

describe("a request of bytes", () => {
  const get = (rest: readonly number[], bits = 0, code = 3): string =>
    codeOf(Uint8Array.of(code, 0, 0, 0, 1, 0, bits, ...rest));

  it.each<[string, string, string]>([
    ["type 0", get([], 0, 0), "MALFORMED_MESSAGE"],
    ["a type that no request has", get([], 0, 17), "MALFORMED_MESSAGE"],
    ["the last type", get([], 0, 255), "MALFORMED_MESSAGE"],
    [
      "the id that stands for none",
      codeOf(Uint8Array.of(2, 255, 255, 255, 255, 0, 0)),
      "MALFORMED_MESSAGE",
    ],
    ["a key that is no UTF-8", get([0, 1, 0xff]), "MALFORMED_MESSAGE"],
    ["half a character", get([0, 3, 0xed, 0xa0, 0x80]), "MALFORMED_MESSAGE"],
    [
      "a long text that is no UTF-8",
      get([0, 70, ...Array.from({ length: 70 }, () => 0xc0)]),
      "MALFORMED_MESSAGE",
    ],
    ["a key longer than the message", get([255, 255, 97]), "MALFORMED_MESSAGE"],
    ["a value of 4 GiB", get([0, 1, 97, 255, 255, 255, 255], 0, 4), "MALFORMED_MESSAGE"],
    ["no keys", get([0, 0], 0, 7), "INVALID_BODY"],
    ["1 001 keys", get([3, 233], 0, 7), "INVALID_BODY"],
    ["1 001 entries", get([3, 233], 0, 8), "INVALID_BODY"],
    ["an entry with an unknown bit", get([0, 1, 0, 4], 0, 8), "UNKNOWN_OPTION"],
    ["a wait that is too long", get([0, 1, 97, 0x27, 0x11], 2), "INVALID_BODY"],
    ["a limit of 0", get([0, 0], 16, 10), "INVALID_BODY"],
    [
      "an instant that is no number",
      get([0, 1, 97, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], 32, 6),
      "INVALID_BODY",
    ],
    [
      "a deadline between two milliseconds",
      codeOf(Uint8Array.of(5, 0, 0, 0, 1, 32, 0, 0, 1, 97, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0)),
      "INVALID_BODY",
    ],
    ["a watch that no id can name", get([255, 255, 255, 255], 0, 12), "MALFORMED_MESSAGE"],
  ])("with %s is refused", (_, code, expected) => {
    expect(code).toBe(expected);
  });

  it("of any bytes is refused or read, and nothing else happens", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 18 }),
        fc.uint8Array({ maxLength: 60 }),
        (type, rest) => {
          const read = readBinaryRequest(Uint8Array.of(type, ...rest));
          const isTold = "error" in read && read.error instanceof MeridianError;
          expect(isTold || ("request" in read && TYPES.includes(read.request.type))).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

const ENTRY = {
  etag: '"1-a"',
  contentType: "text/plain",
  expiresAtMs: 5,
  value: Uint8Array.of(0, 255),
};
const FOREVER = { ...ENTRY, expiresAtMs: null };
const POSITION = "p1.1.1.1.0.0";

const SET = { event: "set", key: "k", ...FOREVER } as const;
const { value: _, ...BARE } = SET;
const MESSAGES = [
  [
    resultMessage(1, POSITION, jsonResult('{"é":1}')),
    { kind: "result", id: 1, position: POSITION, result: { form: "json", json: '{"é":1}' } },
  ],
  [
    resultMessage(2, undefined, foundResult(ENTRY)),
    { kind: "result", id: 2, position: undefined, result: { form: "found", entry: ENTRY } },
  ],
  [
    resultMessage(3, POSITION, unchangedResult('"2"', null)),
    {
      kind: "result",
      id: 3,
      position: POSITION,
      result: { form: "unchanged", etag: '"2"', expiresAtMs: null },
    },
  ],
  [
    resultMessage(4, POSITION, manyResult([manyPart(ENTRY), manyPart(undefined)])),
    {
      kind: "result",
      id: 4,
      position: POSITION,
      result: { form: "many", entries: [ENTRY, undefined] },
    },
  ],
  [
    resultMessage(5, POSITION, pageResult([pagePart({ key: "k", ...FOREVER })], "k")),
    {
      kind: "result",
      id: 5,
      position: POSITION,
      result: { form: "page", entries: [{ key: "k", ...FOREVER }], next: "k" },
    },
  ],
  [
    resultMessage(6, POSITION, pageResult([], null)),
    {
      kind: "result",
      id: 6,
      position: POSITION,
      result: { form: "page", entries: [], next: null },
    },
  ],
  [
    errorMessage(null, POSITION, "{}"),
    { kind: "error", id: null, position: POSITION, problem: "{}" },
  ],
  [
    errorMessage(BINARY_ID_MAX, POSITION, "{}"),
    { kind: "error", id: BINARY_ID_MAX, position: POSITION, problem: "{}" },
  ],
  [
    changesMessage(7, POSITION, "c1", [
      SET,
      BARE,
      { event: "delete", key: "d", etag: "1" },
      { event: "expire", key: "e", etag: "2" },
    ]),
    {
      kind: "changes",
      id: 7,
      position: POSITION,
      resume: "c1",
      changes: [
        SET,
        BARE,
        { event: "delete", key: "d", etag: "1" },
        { event: "expire", key: "e", etag: "2" },
      ],
    },
  ],
  [reloadMessage(8, undefined, "c2"), { kind: "reload", id: 8, position: undefined, resume: "c2" }],
  [
    positionMessage(9, POSITION, "c3", { elapsedMs: 1.5, nowMs: 2 }),
    { kind: "position", id: 9, position: POSITION, resume: "c3", elapsedMs: 1.5, nowMs: 2 },
  ],
] as const;

describe("a message of a region", () => {
  it.each(MESSAGES)("is read as it was written (%#)", (bytes, expected) => {
    expect(readBinaryMessage(bytes)).toEqual(expected);
  });

  it.each(MESSAGES)(
    "is no message where it ends before the end of its members (%#)",
    (bytes, { kind, ...rest }) => {
      // A problem, and a result that is JSON, go on to the end.
      const isText = kind === "error" || ("result" in rest && rest.result.form === "json");
      for (let length = 0; length < bytes.length - (isText ? 8 : 0); length += 1) {
        expect(() => readBinaryMessage(bytes.subarray(0, length))).toThrow(BadBytes);
      }
      const more = isText ? bytes.subarray(0, 4) : Uint8Array.of(...bytes, 0);
      expect(() => readBinaryMessage(more)).toThrow(BadBytes);
    },
  );

  it.each([
    ["kind", Uint8Array.of(9, 0, 0, 0, 1, 0, 0)],
    ["form", Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 9)],
    ["event", Uint8Array.of(3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 9, 0, 0)],
  ])("of an unknown %s is none", (_, bytes) => {
    expect(() => readBinaryMessage(bytes)).toThrow(BadBytes);
  });
});

const DOCUMENT = readFileSync(new URL("../WEBSOCKET.md", import.meta.url), "utf8");
const EXAMPLES = [...DOCUMENT.matchAll(/^```text binary\n(.*?)^```/gms)].flatMap(([, block = ""]) =>
  block.trim().split("\n\n"),
);

it.each(EXAMPLES)("the document's example means what it says: %s", (example) => {
  const [said = "", ...lines] = example.split("\n");
  // The bytes of each line stand before the words about them.
  const hex = lines.map((line) => line.split("  ")[0] ?? "").join("");
  const bytes = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const expected = withBytes(JSON.parse(said.slice(2)) as Record<string, unknown>);
  const isRequest = said.startsWith("> ");
  const read = isRequest ? readBinaryRequest(bytes) : readBinaryMessage(bytes);
  expect(read).toMatchObject(isRequest ? { request: expected } : expected);
  const written = isRequest ? encodeBinaryRequest(expected as object as BinaryRequest) : bytes;
  expect(Buffer.from(written)).toEqual(bytes);
});

/** JSON has values as lists of numbers. */
function withBytes(told: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(told).map(([name, member]) => {
    if (name === "value") return [name, Uint8Array.from(member as number[])];
    const nested = typeof member === "object" && member !== null && !Array.isArray(member);
    return [name, nested ? withBytes(member as Record<string, unknown>) : member];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

it("the document has the code of every type, and an example each way", () => {
  for (const [type, { code }] of Object.entries(BINARY_REQUESTS)) {
    expect([type, new RegExp(`\\| ${code} +\\| \`${type}\``).test(DOCUMENT)]).toEqual([type, true]);
  }
  expect(EXAMPLES.map((example) => example[0])).toEqual(expect.arrayContaining([">", "<"]));
});
