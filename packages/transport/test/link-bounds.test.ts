import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { silentLogger } from "@meridian/runtime";
import { dialLink, LINK_BYTES_MAX } from "@meridian/transport";

import { Recorder, startRig } from "./rig.ts";

const options = { logger: silentLogger };

it("a link handles messages that have arrived together over several turns, in order", async () => {
  const sizes: number[] = [];
  let turnBytes = 0;
  const server: Recorder = new Recorder({
    onMessage: (message) => {
      if (turnBytes === 0) {
        setImmediate(() => {
          sizes.push(turnBytes);
          turnBytes = 0;
        });
      }
      turnBytes += message.length;
    },
  });
  const rig = await startRig(() => server);
  const client: Recorder = new Recorder({
    onOpen: () => {
      for (let index = 0; index < 4_000; index += 1) {
        link.send(new Uint8Array(1_024).fill(index % 251));
      }
    },
  });
  const link = dialLink(rig.url, client, options);
  await server.received(4_000);
  expect(server.messages.map((message) => message[0])).toEqual(
    Array.from({ length: 4_000 }, (_, index) => index % 251),
  );
  // The link handles the bytes of one read of the socket, and then pauses.
  expect(Math.max(...sizes)).toBeLessThan(256 * 1024 + 128 * 1024);
  link.close(1000, "");
  await client.closed();
});

describe("a link", () => {
  it("writes messages of one turn together at its end, in order", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    let writes = 0;
    const client: Recorder = new Recorder({
      onOpen: () => {
        for (let index = 0; index < 1_000; index += 1) link.send(String(index));
        writes = link.bufferedBytes;
      },
    });
    const link = dialLink(rig.url, client, options);
    await server.received(1_000);
    expect(server.messages).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
    // Nothing has been written so far, so all messages wait.
    expect(writes).toBeGreaterThan(1_000 * 6);
    link.close(1000, "");
    await client.closed();
  });

  it("whose peer sends requests and never reads is cut off", async () => {
    const server: Recorder = new Recorder();
    const rig = await startRig(() => server);
    const peer = new WebSocket(rig.url);
    await once(peer, "open");
    peer.pause();
    const link = rig.accepted[0]?.link;
    let bytesMax = 0;
    const isClosed = (): boolean => server.events.some((event) => event.startsWith("close"));
    for (let sent = 0; sent < 4_096 && !isClosed(); sent += 1) {
      link?.send(new Uint8Array(1024 * 1024));
      bytesMax = Math.max(bytesMax, link?.bufferedBytes ?? 0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await server.closed();
    expect(server.events.at(-1)).toMatch(/^close 4413 .*bytes waiting on a link/);
    expect(bytesMax).toBeLessThan(LINK_BYTES_MAX + 2 * 1024 * 1024);
    peer.terminate();
  });

  it("is not read from while it is paused", async () => {
    const server: Recorder = new Recorder();
    const rig = await startRig(() => server);
    const client: Recorder = new Recorder();
    const link = dialLink(rig.url, client, options);
    await client.until(() => client.events.includes("open"));
    link.pause();
    rig.accepted[0]?.link.send("late");
    // When a second link has received its message, the first one would have received its own, too.
    const other = new Recorder();
    const second = dialLink(rig.url, other, options);
    await other.until(() => other.events.includes("open"));
    rig.accepted[1]?.link.send("in time");
    await other.received(1);
    expect(client.messages).toEqual([]);
    link.resume();
    await client.received(1);
    expect(client.messages).toEqual(["late"]);
    for (const each of [link, second]) each.close(1000, "");
    await Promise.all([client.closed(), other.closed()]);
  });
});
