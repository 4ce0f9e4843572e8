/** Small messages are read and written beside `ws`: what `ws` reads of them, and that nothing is overtaken where both are in use. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { PassThrough, type Writable } from "node:stream";

import fc from "fast-check";
import { silentLogger } from "@meridian/runtime";
import { dialLink } from "@meridian/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import * as ws from "ws";

import { SMALL_MESSAGE_BYTES, SmallFrames, wholeMessages } from "../src/small-frames.ts";
import { Recorder, startRig } from "./rig.ts";

type Message = string | Uint8Array;

const message = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ minLength: SMALL_MESSAGE_BYTES, maxLength: SMALL_MESSAGE_BYTES, size: "max" }),
);

/** What `ws` reads with, which its types do not tell. */
function receiverOf(isServer: boolean): Writable {
  const { Receiver } = ws as unknown as {
    readonly Receiver: new (options: { readonly isServer: boolean }) => Writable;
  };
  return new Receiver({ isServer });
}

/** What one end writes for these messages. */
function written(messages: readonly Message[], areMasked: boolean): Buffer {
  const wire = new PassThrough({ highWaterMark: 1e9 });
  const frames = new SmallFrames(wire, areMasked, () => {});
  for (const each of messages) expect(frames.add(each)).toBe(true);
  frames.flush();
  expect(frames.bytes).toBe(0);
  return (wire.read() as Buffer | null) ?? Buffer.alloc(0);
}

/** Strings are compared many times as fast as arrays. */
function comparable(each: Message): string {
  const kind = typeof each === "string" ? "text" : "binary";
  return `${kind} ${Buffer.from(each as string).toString("latin1")}`;
}

function asRead(bytes: Uint8Array, isBinary: boolean): string {
  return comparable(isBinary ? bytes : Buffer.from(bytes).toString());
}

describe("small frames", () => {
  it("are what `ws` reads, and what is read in place, with and without a mask", () =>
    fc.assert(
      fc.property(fc.array(message, { maxLength: 30 }), fc.boolean(), (messages, areMasked) => {
        const bytes = written(messages, areMasked);
        const expected = messages.map(comparable);
        const ofWs: string[] = [];
        const receiver = receiverOf(areMasked);
        receiver.on("message", (data: Buffer, isBinary: boolean) => {
          ofWs.push(asRead(data, isBinary));
        });
        receiver.write(Buffer.from(bytes));
        expect(ofWs).toEqual(expected);
        const inPlace = wholeMessages(bytes, areMasked);
        bytes.fill(0);
        expect(inPlace?.map((each) => asRead(each.bytes, each.isBinary))).toEqual(expected);
      }),
      { numRuns: 60 },
    ));

  it("are read in place only where a chunk is made of whole ones", () => {
    const whole = written(["text", Uint8Array.of(1, 2, 3), "é".repeat(100)], true);
    const ends = Array.from({ length: whole.length - 1 }, (_, index) => index + 1);
    // Between two messages a chunk may end.
    const taken = ends.filter((end) => wholeMessages(whole.subarray(0, end), true) !== undefined);
    expect(taken).toEqual([10, 19]);
    expect(wholeMessages(whole, true)).toHaveLength(3);
    expect(wholeMessages(whole, false)).toBeUndefined();
  });

  it.each([
    ["a ping", [0x89, 0x00]],
    ["a close frame", [0x88, 0x02, 0x03, 0xe8]],
    ["the first part of a message", [0x02, 0x01, 0x00]],
    ["the last part of a message", [0x80, 0x01, 0x00]],
    ["a compressed message", [0xc2, 0x01, 0x00]],
    ["a length of eight bytes", [0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["text that is no UTF-8", [0x81, 0x01, 0xff]],
  ])("leave %s to `ws`", (_, bytes) => {
    expect(wholeMessages(Uint8Array.from(bytes), false)).toBeUndefined();
  });

  it("do not take what is large", () => {
    const frames = new SmallFrames(new PassThrough(), false, () => {});
    expect(frames.add(new Uint8Array(SMALL_MESSAGE_BYTES + 1))).toBe(false);
  });
});

/** A server that answers every upgrade and then hands the connection over. */
async function startRaw(): Promise<{ readonly url: string; readonly socket: Promise<Socket> }> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const socket = (async () => {
    const [accepted] = (await once(server, "connection")) as [Socket];
    onTestFinished(() => void accepted.destroy());
    const [head] = (await once(accepted, "data")) as [Buffer];
    const key = /Sec-WebSocket-Key: (\S+)/i.exec(head.toString())?.[1] ?? "";
    const magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1")
      .update(key + magic)
      .digest("base64");
    accepted.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    return accepted;
  })();
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/replicate`, socket };
}

describe("a link whose messages come in any chunks", () => {
  it("hands them over in order, those that `ws` reads among them", async () => {
    const { url, socket } = await startRaw();
    const client = new Recorder();
    dialLink(url, client, { logger: silentLogger });
    const server = await socket;
    server.setNoDelay(true);
    const large = Buffer.alloc(70_000, 7);
    const head = Buffer.from([0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
    const frames: Buffer[] = [];
    const expected: Message[] = [];
    for (let index = 0; index < 40; index += 1) {
      frames.push(written([`text ${index}`, Uint8Array.of(index)], false));
      expected.push(`text ${index}`, Uint8Array.of(index));
      if (index % 10 === 3) {
        frames.push(head, large);
        expected.push(Uint8Array.from(large));
      }
      if (index % 10 === 5) {
        // One message in two frames, with a ping between them.
        frames.push(Buffer.from([0x02, 1, 8]), Buffer.from([0x89, 0]), Buffer.from([0x80, 1, 9]));
        expected.push(Uint8Array.of(8, 9));
      }
    }
    const all = Buffer.concat(frames);
    for (let at = 0, step = 1; at < all.length; at += step, step = (step * 7) % 4_099) {
      server.write(all.subarray(at, at + step));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.received(expected.length);
    expect(client.messages.map(comparable)).toEqual(expected.map(comparable));
  });
});

describe("what is sent on a link", () => {
  it("keeps its order, small and large messages in one turn", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const sent: Message[] = [];
    for (let index = 0; index < 60; index += 1) {
      sent.push(
        index % 3 === 0 ? `text ${index}` : new Uint8Array(index % 7 === 0 ? 9_000 : index),
      );
    }
    const client: Recorder = new Recorder({
      onOpen: () => {
        for (const each of sent) link.send(each);
        expect(link.bufferedBytes).toBeGreaterThan(9_000);
        link.close(1000, "");
      },
    });
    const link = dialLink(rig.url, client, { logger: silentLogger });
    await server.closed();
    expect(server.messages.map(comparable)).toEqual(sent.map(comparable));
    expect(server.events.at(-1)).toBe("close 1000");
  });

  it("stays as it is while the system has not taken it", async () => {
    const server = new Recorder();
    const client = new Recorder();
    const rig = await startRig(() => server);
    const link = dialLink(rig.url, client, { logger: silentLogger });
    await client.until(() => client.events.includes("open"));
    await server.until(() => server.events.includes("open"));
    rig.accepted[0]?.link.pause();
    const sent: Message[] = [];
    while (link.bufferedBytes < 300_000) {
      for (let count = 0; count < 20; count += 1) {
        const each = new Uint8Array(4_000).fill(sent.length);
        link.send(each);
        sent.push(each);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    rig.accepted[0]?.link.resume();
    await server.received(sent.length);
    expect(server.messages.map(comparable)).toEqual(sent.map(comparable));
  });
});
