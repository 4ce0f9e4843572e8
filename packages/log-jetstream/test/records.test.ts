import type { LogRecord } from "@meridian/ports";
import { encodeBlock } from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  decodeEpoch,
  decodeRecord,
  encodeEpoch,
  encodeRecord,
  packRecords,
  partsOf,
  RecordParts,
} from "../src/records.ts";

const place = { logId: 5, epoch: 6, sequence: 7 };
const frame = {
  kind: "frame",
  after: 2 ** 52,
  through: 2 ** 52,
  count: 0,
  highestTime: 0,
  incarnation: 2 ** 48 - 1,
  position: 3,
  block: encodeBlock([]),
} as const;
const member = {
  id: "berlin",
  region: "eu",
  url: "http://berlin:1",
  ip: "10.0.0.1",
  port: 1,
  lat: 52.5,
  lon: 13.4,
  generation: 2,
  seenAtMs: 1.5,
};
const RECORDS: readonly LogRecord[] = [
  frame,
  { ...frame, incomplete: true, followed: place, compared: place },
  { ...frame, block: new Uint8Array([0, 255, 1]) },
  { kind: "admit", time: 2 ** 53 - 1 },
  { kind: "horizon", state: { horizon: 1, frozenUntilMs: 2.5, marks: [[3, 4]] } },
  { kind: "members", members: [member], dropped: ["lima"] },
];

describe("a record in the stream", () => {
  it.each(RECORDS)("comes back as it was: $kind", (record) => {
    expect(decodeRecord(encodeRecord(record))).toEqual(record);
  });

  it("comes back from parts of any size", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 9 }), (bytes, size) => {
        const joined = new RecordParts();
        const parts = partsOf(bytes, size);
        expect(parts.every(({ byteLength }) => byteLength <= size + 1)).toBe(true);
        const wholes = parts.map((part) => joined.take(part));
        expect(wholes.slice(0, -1).flat()).toEqual([]);
        expect(wholes.at(-1)?.map((whole) => Buffer.from(whole))).toEqual([Buffer.from(bytes)]);
      }),
    );
  });

  it("comes back from a message of several, in their order", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (records) => {
        const found = new RecordParts().take(packRecords(records));
        const plain = (all: readonly Uint8Array[]) => all.map((each) => Buffer.from(each));
        expect(plain(found)).toEqual(plain(records));
      }),
    );
  });

  it.each([
    ["half a length", [2, 0, 0]],
    ["less than its length", [2, 0, 0, 0, 2, 7]],
  ])("is refused in a message of several that has %s", (_, data) => {
    expect(() => new RecordParts().take(new Uint8Array(data))).toThrow(
      "Expected records of a directory's log",
    );
  });

  it("is not made of parts that a dead writer has left", () => {
    const [first = new Uint8Array(0)] = partsOf(new Uint8Array(9), 4);
    const joined = new RecordParts();
    expect(joined.take(first)).toEqual([]);
    joined.drop();
    expect(joined.take(new Uint8Array([1, 7]))).toEqual([new Uint8Array([7])]);
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["another text", new TextEncoder().encode("\0\0\0\x02{}")],
    ["a text that is cut", new TextEncoder().encode("\0\0\0\x09{}")],
  ])("that is %s is refused", (_, bytes) => {
    expect(() => decodeRecord(bytes)).toThrow("Expected a record of a directory's log");
  });
});

describe("the begin of an epoch", () => {
  it("tells the log and its newest thousand epochs", () => {
    const epochs = Array.from({ length: 1_002 }, (_, index) => [index + 1, index] as const);
    const read = decodeEpoch(encodeEpoch({ cluster: "c", logId: 9, epochs, isMoved: true }));
    expect(read).toEqual({ cluster: "c", logId: 9, epochs: epochs.slice(2), isMoved: true });
  });

  it("of a newer version is refused", () => {
    const text = JSON.stringify({ format: 3, cluster: "c", logId: 9, epochs: [[1, 0]] });
    expect(() => decodeEpoch(new TextEncoder().encode(text))).toThrow("a newer version");
    expect(() => decodeEpoch(new Uint8Array(1))).toThrow("Expected the begin of an epoch");
  });
});
