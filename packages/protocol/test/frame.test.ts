import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  assembleFrame,
  blockOf,
  checkBlock,
  decodeBlock,
  encodeBlock,
  ENTRY_HEADER_BYTES,
  entryBytes,
  extensionOf,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  highestTimeOf,
  isReservedKey,
  NO_BYTES,
  orderFrame,
  readFrameHeader,
  tombstone,
  type Entry,
  type FrameHeader,
} from "@meridian/protocol";

import { entry, frameHeader, whole } from "./arbitraries.ts";
import { refusal } from "./refusal.ts";

const entries = fc.array(entry, { maxLength: 8 });

function frameOf(list: readonly Entry[], header: Partial<FrameHeader> = {}): Uint8Array {
  const plain: FrameHeader = {
    kind: FRAME_KIND.entries,
    reportApplied: false,
    incomplete: false,
    count: list.length,
    after: 7,
    through: 7 + list.length,
    committedThrough: 5,
    highestTime: highestTimeOf(list),
    sentAtMs: 1_750_000_000_000.25,
    incarnation: 3,
    position: 9,
  };
  return assembleFrame({ ...plain, ...header }, encodeBlock(list));
}

/** Everything that a receiver does with a frame. */
function receive(frame: Uint8Array): Entry[] {
  return decodeBlock(blockOf(frame), readFrameHeader(frame).count);
}

const TYPICAL: readonly Entry[] = [
  {
    key: "user/1",
    value: new TextEncoder().encode("Ada"),
    contentType: "text/plain",
    stamp: { time: 223_000_000_000_000, origin: 2 ** 40 + 1 },
    expiresAtMs: 1_750_000_060_000,
    deleted: false,
  },
  {
    key: "größe/\u{1f600}",
    value: NO_BYTES,
    contentType: "application/vnd.größe",
    stamp: { time: 1, origin: 1 },
    expiresAtMs: 0,
    deleted: false,
  },
  tombstone("gone", { time: 223_000_000_000_001, origin: 5 }),
];

describe("a frame", () => {
  it("gives back its header and its entries, whatever they are", () => {
    fc.assert(
      fc.property(frameHeader, entries, (header, list) => {
        const sent = { ...header, count: list.length };
        const frame = assembleFrame(sent, encodeBlock(list));
        expect(readFrameHeader(frame)).toEqual(sent);
        expect(receive(frame)).toEqual(list);
      }),
    );
  });

  it("has the length that entryBytes foretells", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bytes = list.reduce((sum, one) => sum + entryBytes(one), 0);
        expect(frameOf(list).byteLength).toBe(FRAME_HEADER_BYTES + bytes);
      }),
    );
  });

  it("has each number where the layout says, little-endian", () => {
    const view = new DataView(frameOf(TYPICAL, { reportApplied: true }).buffer);
    expect([view.getUint8(0), view.getUint8(1), view.getUint16(2, true)]).toEqual([1, 1, 0]);
    expect(view.getUint32(4, true)).toBe(3);
    const header = [8, 16, 24, 32, 40, 48, 56].map((offset) => view.getFloat64(offset, true));
    expect(header).toEqual([7, 10, 5, 223_000_000_000_001, 1_750_000_000_000.25, 3, 9]);
    const first = [64, 72, 80].map((offset) => view.getFloat64(offset, true));
    expect(first).toEqual([223_000_000_000_000, 2 ** 40 + 1, 1_750_000_060_000]);
    expect([view.getUint32(88, true), view.getUint16(92, true), view.getUint8(94)]).toEqual([
      3, 6, 10,
    ]);
    expect(view.getUint8(95)).toBe(0);
    const text = new TextDecoder().decode(new Uint8Array(view.buffer, 96, 19));
    expect(text).toBe("user/1text/plainAda");
  });
});

describe("a frame's extension", () => {
  const extensions = fc.uint8Array({ minLength: 1, maxLength: 100 });

  it("is skipped by who does not know it, and goes on with the frame", () => {
    fc.assert(
      fc.property(frameHeader, entries, extensions, (header, list, extension) => {
        const sent = { ...header, count: list.length };
        const frame = assembleFrame(sent, encodeBlock(list), extension);
        expect(readFrameHeader(frame)).toEqual(sent);
        expect(receive(frame)).toEqual(list);
        checkBlock(blockOf(frame), list.length, highestTimeOf(list));
        orderFrame(frame, { after: 1, through: 2, committedThrough: 0, sentAtMs: 0 });
        expect(extensionOf(frame)).toEqual(extension);
        expect(receive(frame)).toEqual(list);
      }),
    );
  });

  it("may be as long as its length can say, and no longer", () => {
    const header = { ...readFrameHeader(frameOf([])) };
    const longest = assembleFrame(header, NO_BYTES, new Uint8Array(65_535));
    expect(blockOf(longest)).toHaveLength(0);
    expect(extensionOf(longest)).toHaveLength(65_535);
    expect(refusal(() => assembleFrame(header, NO_BYTES, new Uint8Array(65_536)))).toBe(
      "MALFORMED_MESSAGE",
    );
  });

  it("costs no byte where there is none", () => {
    expect(extensionOf(frameOf(TYPICAL))).toHaveLength(0);
    expect(frameOf([])).toHaveLength(FRAME_HEADER_BYTES);
  });
});

describe("a frame in memory", () => {
  it("is ordered in place: the directory's four fields change, nothing else", () => {
    fc.assert(
      fc.property(frameHeader, entries, whole, whole, whole, (header, list, a, b, committed) => {
        const sent = { ...header, count: list.length };
        const frame = assembleFrame(sent, encodeBlock(list));
        const order = {
          after: Math.min(a, b),
          through: Math.max(a, b),
          committedThrough: committed,
          sentAtMs: 12.5,
        };
        orderFrame(frame, order);
        expect(readFrameHeader(frame)).toEqual({ ...sent, ...order });
        expect(receive(frame)).toEqual(list);
      }),
    );
  });

  it("can lie anywhere in a larger buffer, at any alignment", () => {
    const frame = frameOf(TYPICAL);
    for (let shift = 0; shift < 9; shift += 1) {
      const larger = new Uint8Array(frame.byteLength + 20).fill(0xff);
      larger.set(frame, shift);
      expect(receive(larger.subarray(shift, shift + frame.byteLength))).toEqual(TYPICAL);
    }
  });

  it("that came as a Node.js Buffer gives copies of its values", () => {
    const frame = Buffer.from(frameOf(TYPICAL));
    const [first] = receive(frame);
    expect(first?.value.constructor).toBe(Uint8Array);
    expect(first?.value.buffer).not.toBe(frame.buffer);
    frame.fill(0);
    expect(first?.value).toEqual(new TextEncoder().encode("Ada"));
  });

  it("gives small values that share copies of at most 16 KiB, and large ones a copy each", () => {
    const entryOf = (index: number, bytes: number): Entry => ({
      ...tombstone(`k${index}`, { time: 1, origin: 1 }),
      deleted: false,
      value: new Uint8Array(bytes).fill(index),
      contentType: index % 3 === 0 ? "text/plain" : "text/html",
    });
    const list = Array.from({ length: 300 }, (_, index) => entryOf(index, 100));
    const values = receive(frameOf(list)).map(({ value }) => value);
    expect(values).toEqual(list.map(({ value }) => value));
    const copies = new Set(values.map(({ buffer }) => buffer));
    expect(copies.size).toBeLessThan(5);
    for (const { byteLength } of copies) expect(byteLength).toBeLessThanOrEqual(16 * 1024);
    const mixed = [4_096, 0, 4_097, 100_000, 1].map((bytes, index) => entryOf(index, bytes));
    const received = receive(frameOf(mixed));
    expect(received).toEqual(mixed);
    expect(received.map(({ value }) => value.buffer.byteLength > 16 * 1024)).toEqual([
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(received[2]?.value.buffer.byteLength).toBe(4_097);
  });

  it("keeps a byte order mark, which is part of the key", () => {
    const list = [tombstone("\ufeffk", { time: 1, origin: 1 })];
    expect(receive(frameOf(list))[0]?.key).toBe("\ufeffk");
  });
});

describe("a damaged frame", () => {
  it("that was cut at any byte is refused as malformed", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const frame = frameOf(list);
        const answers = new Set<string>();
        for (let length = 0; length < frame.byteLength; length += 1) {
          answers.add(refusal(() => receive(frame.subarray(0, length))));
        }
        expect(answers).toEqual(new Set(["MALFORMED_MESSAGE"]));
      }),
      { numRuns: 40 },
    );
  });

  it("that goes on after its last entry is refused as malformed", () => {
    for (const list of [[], TYPICAL]) {
      const frame = frameOf(list);
      const longer = new Uint8Array(frame.byteLength + 1);
      longer.set(frame);
      expect(refusal(() => receive(longer))).toBe("MALFORMED_MESSAGE");
    }
  });

  it("of more entries than one turn should take in is refused before any of them is looked at", () => {
    const [most, room] = [16_384, new Uint8Array(16_385 * ENTRY_HEADER_BYTES)];
    const header = { ...readFrameHeader(frameOf([])), through: 20_000 };
    const taken = readFrameHeader(assembleFrame({ ...header, count: most }, room));
    expect(taken.count).toBe(most);
    const more = assembleFrame({ ...header, count: most + 1 }, room);
    expect(refusal(() => readFrameHeader(more))).toBe("MALFORMED_MESSAGE");
  });

  it("of which any one byte is any other one decodes or is refused as malformed", () => {
    const frame = frameOf(TYPICAL);
    const answers = new Set<string>();
    let refused = 0;
    for (let at = 0; at < frame.byteLength; at += 1) {
      const was = frame[at] ?? 0;
      for (let byte = 0; byte < 256; byte += 1) {
        frame[at] = byte;
        const answer = refusal(() => receive(frame));
        answers.add(answer);
        if (answer !== "accepted") refused += 1;
      }
      frame[at] = was;
    }
    expect(answers).toEqual(new Set(["accepted", "MALFORMED_MESSAGE"]));
    expect(refused).toBeGreaterThan(frame.byteLength * 16);
    expect(receive(frame)).toEqual(TYPICAL);
  });

  it("of which any bytes are noise decodes or is refused as malformed", () => {
    const noise = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(entries, noise, (list, changes) => {
        const frame = frameOf(list);
        for (const [at, byte] of changes) frame[at % frame.byteLength] = byte;
        expect(["accepted", "MALFORMED_MESSAGE"]).toContain(refusal(() => receive(frame)));
      }),
    );
  });
});

describe("a damaged block", () => {
  it("is told apart by checkBlock exactly as by decoding it", () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(255), (list, at, byte) => {
        const block = encodeBlock(list);
        if (block.byteLength > 0) block[at % block.byteLength] = byte;
        let highestTime = 0;
        const decoded = refusal(() => {
          highestTime = highestTimeOf(decodeBlock(block, list.length));
        });
        expect(refusal(() => checkBlock(block, list.length, highestTime))).toBe(decoded);
      }),
      { numRuns: 500 },
    );
  });

  it("is told to have a reserved key where it has one", () => {
    fc.assert(
      fc.property(entries, (list) => {
        const { hasReserved } = checkBlock(encodeBlock(list), list.length, highestTimeOf(list));
        expect(hasReserved).toBe(list.some(({ key }) => isReservedKey(key)));
        const more = list.map((entry) => ({ ...entry, key: "\0a" })).slice(0, 1);
        const block = encodeBlock([...list, ...more]);
        const facts = checkBlock(block, list.length + more.length, highestTimeOf(list));
        expect(facts.hasReserved).toBe(more.length > 0);
      }),
    );
  });

  it("whose newest stamp is not the one it declares does not pass checkBlock", () => {
    const block = encodeBlock(TYPICAL);
    const newest = highestTimeOf(TYPICAL);
    expect(refusal(() => checkBlock(block, 3, newest))).toBe("accepted");
    for (const other of [newest - 1, newest + 1, 0, NaN]) {
      expect(refusal(() => checkBlock(block, 3, other))).toBe("MALFORMED_MESSAGE");
    }
  });
});

describe("a frame of the right length", () => {
  it.each<[string, (view: DataView) => void]>([
    ["kind 0", (view) => view.setUint8(0, 0)],
    ["kind 4", (view) => view.setUint8(0, 4)],
    ["kind 3 with sequences", (view) => view.setUint8(0, 3)],
    ["an unknown flag", (view) => view.setUint8(1, 4)],
    ["an extension longer than itself", (view) => view.setUint16(2, 65_535, true)],
    ["an extension that reaches into its entries", (view) => view.setUint16(2, 1, true)],
    ["a count of 2^32 - 1", (view) => view.setUint32(4, 2 ** 32 - 1)],
    ["one entry fewer", (view) => view.setUint32(4, 2, true)],
    ["one entry more", (view) => view.setUint32(4, 4, true)],
    ["after above through", (view) => view.setFloat64(8, 11, true)],
    ["a fractional sequence", (view) => view.setFloat64(16, 10.5, true)],
    ["a negative watermark", (view) => view.setFloat64(24, -1, true)],
    ["a stamp time of 2^53", (view) => view.setFloat64(32, 2 ** 53, true)],
    ["an endless clock", (view) => view.setFloat64(40, Infinity, true)],
    ["an incarnation that is no number", (view) => view.setFloat64(48, NaN, true)],
    ["an endless position", (view) => view.setFloat64(56, -Infinity, true)],
    ["an entry of negative time", (view) => view.setFloat64(64, -1, true)],
    ["an origin of zero", (view) => view.setFloat64(72, 0, true)],
    ["an origin of 2^48", (view) => view.setFloat64(72, 2 ** 48, true)],
    ["a fractional expiry", (view) => view.setFloat64(80, 0.5, true)],
    ["a value of 4 GiB", (view) => view.setUint32(88, 2 ** 32 - 1, true)],
    ["a key of no bytes", (view) => view.setUint16(92, 0, true)],
    ["a tombstone with a value", (view) => view.setUint8(95, 1)],
    ["an unknown entry flag", (view) => view.setUint8(95, 4)],
    ["attributes that are not there", (view) => view.setUint8(95, 2)],
    ["an entry of time 0", (view) => view.setFloat64(64, 0, true)],
    ["a live entry with the origin of burials", (view) => view.setFloat64(72, 2 ** 48 - 1, true)],
    ["an expiry that no date can hold", (view) => view.setFloat64(80, 8.64e15 + 2, true)],
    ["a key that is not UTF-8", (view) => view.setUint8(96, 0xff)],
    ["a key with an encoded surrogate", (view) => view.setUint32(96, 0xeda0_8061)],
    ["a content type that is not UTF-8", (view) => view.setUint8(102, 0x80)],
  ])("with %s is refused as malformed", (_what, damage) => {
    const frame = frameOf(TYPICAL);
    damage(new DataView(frame.buffer));
    expect(refusal(() => receive(frame))).toBe("MALFORMED_MESSAGE");
  });

  it("is refused with a message that does not carry the whole of a long key", () => {
    const frame = frameOf([tombstone("k".repeat(1024), { time: 1, origin: 1 })]);
    new DataView(frame.buffer).setFloat64(FRAME_HEADER_BYTES, NaN, true);
    expect(() => receive(frame)).toThrow(/^.{1,200}$/);
  });
});

describe("the encoder", () => {
  const fine = TYPICAL[0] as Entry;

  it.each<[string, Partial<Entry>]>([
    ["an empty key", { key: "" }],
    ["a key of 1025 bytes", { key: "k".repeat(1025) }],
    ["a key of 65537 bytes", { key: "k".repeat(65_537) }],
    ["a key of 513 two-byte letters", { key: "é".repeat(513) }],
    ["a key with a lone surrogate", { key: "a\ud800" }],
    ["a content type of 256 bytes", { contentType: "t".repeat(256) }],
    ["a content type with a lone surrogate", { contentType: "\udc00", value: NO_BYTES }],
    ["a fractional stamp", { stamp: { time: 0.5, origin: 1 } }],
    ["an origin of zero", { stamp: { time: 1, origin: 0 } }],
    ["a fractional expiry", { expiresAtMs: 1.5 }],
    ["an expiry that is no number", { expiresAtMs: NaN }],
    ["a tombstone with a value", { deleted: true }],
    ["attributes of no bytes", { attributes: NO_BYTES }],
    ["attributes of 65536 bytes", { attributes: new Uint8Array(65_536) }],
    ["a stamp time of 0", { stamp: { time: 0, origin: 1 } }],
    ["a live entry with the origin of burials", { stamp: { time: 1, origin: 2 ** 48 - 1 } }],
    ["an expiry that no date can hold", { expiresAtMs: 8.64e15 + 2 }],
  ])("refuses %s, which no decoder would take", (_what, odd) => {
    expect(refusal(() => encodeBlock([fine, { ...fine, ...odd }, fine]))).toBe("MALFORMED_MESSAGE");
  });

  it("takes keys of 1 and of 1024 bytes, and a content type of 255", () => {
    const list = ["k", "k".repeat(1024), "\u{1f600}".repeat(256)].map((key) => ({
      ...fine,
      key,
      contentType: "t".repeat(255),
    }));
    expect(decodeBlock(encodeBlock(list), 3)).toEqual(list);
  });

  it("makes an empty block of no entries", () => {
    expect(encodeBlock([])).toHaveLength(0);
    expect(decodeBlock(NO_BYTES, 0)).toEqual([]);
    expect(highestTimeOf([])).toBe(0);
  });

  it("spends 32 bytes on an entry beside its key, type and value", () => {
    expect(entryBytes(fine)).toBe(ENTRY_HEADER_BYTES + 6 + 10 + 3);
  });
});
