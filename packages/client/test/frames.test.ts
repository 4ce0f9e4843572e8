/** The frames of WebSockets in Node.js. */
import fc from "fast-check";
import { expect, test } from "vitest";

import { FrameReader } from "../src/socket/frame-reader.ts";
import { frameBytes, writeFrame } from "../src/socket/frame-writer.ts";

test("frames are put together from any chunks", () => {
  const payload = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constantFrom(126, 65_535, 65_536).map((length) => new Uint8Array(length).fill(length)),
  );
  const messages = fc.array(payload, { maxLength: 5 });
  fc.assert(
    fc.property(messages, fc.constantFrom(1, 2, 3, 100, 70_000), (sent, size) => {
      const bytes = Buffer.concat(sent.map(serverFrame));
      const got: Uint8Array[] = [];
      const reader = new FrameReader({
        message: (message) => got.push(message.slice()),
        ping: () => expect.fail("a ping"),
        close: () => expect.fail("a close"),
      });
      for (let at = 0; at < bytes.length; at += size) reader.take(bytes.subarray(at, at + size));
      expect(got.length).toBe(sent.length);
      expect(got.every((one, index) => Buffer.compare(one, sent[index] ?? one) === 0)).toBe(true);
      expect(reader.isPartial).toBe(false);
    }),
    { numRuns: 40 },
  );
});

test.each([
  ["a masked frame", [0x82, 0x80, 0, 0, 0, 0]],
  ["an extension", [0xc2, 0]],
  ["text", [0x81, 0]],
  ["a continuation of nothing", [0x80, 0]],
  ["a message within a message", [0x02, 1, 0, 0x82, 0]],
  ["an unknown opcode", [0x83, 0]],
  ["a message of 2^60 bytes", [0x82, 127, 0x10, 0, 0, 0, 0, 0, 0, 0]],
])("%s is refused", (_, bytes) => {
  const ignore = (): void => {};
  const reader = new FrameReader({ message: ignore, ping: ignore, close: ignore });
  expect(() => reader.take(Uint8Array.from(bytes))).toThrow("Expected");
});

/** The frame of a client without its mask, as a server sends it. */
function serverFrame(message: Uint8Array): Uint8Array {
  const whole = new Uint8Array(frameBytes(message));
  expect(writeFrame(whole, 0, 2, message)).toBe(whole.length);
  const start = whole.length - message.length;
  whole[1] = (whole[1] ?? 0) & 0x7f;
  return Buffer.concat([whole.subarray(0, start - 4), message]);
}

test("a frame is masked by its mask", () => {
  for (const length of [0, 1, 5, 125, 126, 65_535, 65_536]) {
    const message = Uint8Array.from({ length }, (_, index) => index);
    const frame = new Uint8Array(frameBytes(message));
    writeFrame(frame, 0, 2, message);
    const start = frame.length - length;
    const mask = frame.subarray(start - 4, start);
    expect(
      frame
        .subarray(start)
        .every((byte, index) => (byte ^ (mask[index & 3] ?? 0)) === message[index]),
    ).toBe(true);
  }
});
