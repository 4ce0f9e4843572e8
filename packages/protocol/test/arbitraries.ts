import fc from "fast-check";

import {
  CONTENT_TYPE_BYTES_MAX,
  EXPIRES_AT_MS_MAX,
  FRAME_KIND,
  KEY_BYTES_MAX,
  NO_BYTES,
  STAMP_TIME_MAX,
  tombstone,
  type Entry,
  type FrameHeader,
  type Stamp,
} from "@meridian/protocol";

const bytesOf = (text: string): number => Buffer.byteLength(text);

/** Any text that UTF-8 can carry: ASCII, every plane, U+FEFF, U+0000, U+FFFD. */
export const wellFormedText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom("\0", "a", "\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000"),
    maxLength: 12,
  }),
  fc.string({
    unit: fc.constantFrom("\ufeff", "\ufffd", "\uffff", "\u{10000}", "\u{1f600}", "\u{10ffff}"),
    maxLength: 12,
  }),
);

/** Any string there is, lone surrogates included. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  wellFormedText,
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
    .map((units) => String.fromCharCode(...units)),
  fc
    .array(fc.integer({ min: 0xd700, max: 0xe100 }), { maxLength: 8 })
    .map((units) => String.fromCharCode(...units)),
);

const key: fc.Arbitrary<string> = wellFormedText.filter(
  (text) => text !== "" && bytesOf(text) <= KEY_BYTES_MAX,
);

/** A whole number that a frame can carry, the edges often. */
export const whole: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, STAMP_TIME_MAX - 1, STAMP_TIME_MAX),
  fc.nat(),
  fc.maxSafeNat(),
);

export const stamp: fc.Arbitrary<Stamp> = fc.record({
  time: whole.map((time) => Math.max(1, time)),
  origin: fc.oneof(fc.constantFrom(1, 2, 2 ** 48 - 1), fc.integer({ min: 1, max: 2 ** 48 - 1 })),
});

const attributes: fc.Arbitrary<Pick<Entry, "attributes">> = fc.oneof(
  { arbitrary: fc.constant({}), weight: 3 },
  fc.record({ attributes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
);

/** That of an entry which is no burial. */
const drawnStamp: fc.Arbitrary<Stamp> = stamp.map(({ time, origin }) => ({
  time,
  origin: Math.min(origin, 2 ** 48 - 2),
}));

const written: fc.Arbitrary<Entry> = fc.record({
  key,
  value: fc.oneof(fc.constant(NO_BYTES), fc.uint8Array({ maxLength: 40 })),
  contentType: wellFormedText.filter((text) => bytesOf(text) <= CONTENT_TYPE_BYTES_MAX),
  stamp: drawnStamp,
  expiresAtMs: whole.map((ms) => Math.min(ms, EXPIRES_AT_MS_MAX)),
  deleted: fc.constant(false),
});

export const entry: fc.Arbitrary<Entry> = fc
  .tuple(
    fc.oneof(
      { arbitrary: written, weight: 4 },
      {
        arbitrary: fc.tuple(key, stamp).map(([deletedKey, at]) => tombstone(deletedKey, at)),
        weight: 1,
      },
    ),
    attributes,
  )
  .map(([plain, more]) => ({ ...plain, ...more }));

export const frameHeader: fc.Arbitrary<FrameHeader> = fc
  .record({
    kind: fc.constantFrom(FRAME_KIND.entries, FRAME_KIND.donation),
    reportApplied: fc.boolean(),
    incomplete: fc.boolean(),
    count: fc.constant(0),
    after: whole,
    through: whole,
    committedThrough: whole,
    highestTime: whole,
    sentAtMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
    incarnation: whole,
    position: whole,
  })
  .map((header) => ({
    ...header,
    after: Math.min(header.after, header.through),
    through: Math.max(header.after, header.through),
  }));
