import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { MeridianError, MESSAGE_BYTES_MAX } from "@meridian/protocol";
import { Metrics, metricsText, silentLogger, systemClock } from "@meridian/runtime";
import { dialLink, linkCuts } from "@meridian/transport";

import { Recorder, recordingLogger, startRig, type Rig } from "./rig.ts";

const options = { logger: silentLogger };

/** Connects a peer that does the opening handshake. Everything else is up to the test. */
async function rawPeer(rig: Rig): Promise<Socket> {
  const socket = connect(rig.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(
    "GET /replicate HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  await once(socket, "data");
  return socket;
}

describe("an error in a callback", () => {
  it("closes the link with the code of that error, and no more messages come", async () => {
    const { lines, logger } = recordingLogger();
    const server = new Recorder({
      onMessage: () => {
        throw new MeridianError("MALFORMED_MESSAGE", "Expected sense, got none");
      },
    });
    const rig = await startRig(() => server, { logger });
    const client: Recorder = new Recorder({
      onOpen: () => {
        link.send("a");
        link.send("b");
        link.send("c");
      },
    });
    const link = dialLink(rig.url, client, options);
    await Promise.all([client.closed(), server.closed()]);
    expect(client.events).toEqual(["open", "close 4400 Expected sense, got none"]);
    expect(server.messages).toEqual(["a"]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("MALFORMED_MESSAGE");
  });

  it("that is a bug closes the link with 1011 and is logged with its stack", async () => {
    const { lines, logger } = recordingLogger();
    const server = new Recorder({
      onOpen: () => {
        throw new TypeError("not a function");
      },
    });
    const rig = await startRig(() => server, { logger });
    const client = new Recorder();
    dialLink(rig.url, client, options);
    await client.closed();
    expect(client.events.at(-1)).toBe("close 1011 Unexpected failure: not a function");
    expect(lines[0]).toMatch(/^error .*TypeError.*rig\.ts/);
  });

  it("of `accept` closes the link with the code of that error", async () => {
    const rig = await startRig(() => {
      throw new MeridianError("GOING_AWAY", "Shutting down");
    });
    const client = new Recorder();
    dialLink(rig.url, client, options);
    await client.closed();
    expect(client.events).toEqual(["open", "close 1001 Shutting down"]);
  });

  it("of `onClose` does not reach the socket", async () => {
    const { lines, logger } = recordingLogger();
    const server = new Recorder({
      onClose: () => {
        throw new TypeError("late");
      },
    });
    const rig = await startRig(() => server, { logger });
    const client: Recorder = new Recorder({ onOpen: () => link.close(1000, "") });
    const link = dialLink(rig.url, client, options);
    await server.closed();
    expect(lines).toHaveLength(1);
  });
});

it("links that are cut are counted by reason, and logged from time to time", async () => {
  const { lines, logger } = recordingLogger();
  const metrics = new Metrics();
  const server = new Recorder({
    onMessage: () => {
      throw new MeridianError("MALFORMED_MESSAGE", "Expected sense, got none");
    },
  });
  const cuts = linkCuts({ clock: systemClock, logger, metrics });
  const rig = await startRig(() => server, { logger, cuts });
  for (let times = 0; times < 3; times += 1) {
    const client: Recorder = new Recorder({ onOpen: () => link.send("nonsense") });
    const link = dialLink(rig.url, client, options);
    await client.closed();
  }
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("Expected sense, got none");
  expect(metricsText(metrics)).toContain('meridian_link_cuts_total{reason="MALFORMED_MESSAGE"} 3');
});

describe("a peer", () => {
  it("that breaks the connection is a close with 1006", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const peer = await rawPeer(rig);
    peer.destroy();
    await server.closed();
    expect(server.events).toEqual(["open", "close 1006"]);
  });

  it("that sends invalid WebSocket frames is closed, and others are served", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const peer = await rawPeer(rig);
    peer.write(Buffer.alloc(64, 0xff));
    await server.closed();
    expect(server.messages).toEqual([]);
    const client = new Recorder();
    const link = dialLink(rig.url, client, options);
    await client.until(() => client.events.includes("open"));
    link.close(1000, "");
    await client.closed();
  });

  it("that never answers a close is cut off", async () => {
    const server: Recorder = new Recorder();
    const rig = await startRig(() => server);
    await rawPeer(rig);
    rig.accepted[0]?.link.close(4412, "connected again");
    await server.closed();
    expect(server.events).toEqual(["open", "close 4412 connected again"]);
  });

  it("that sends more than a message may hold is closed with 1009", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const peer = new WebSocket(rig.url);
    peer.on("error", () => {});
    await once(peer, "open");
    peer.send(new Uint8Array(MESSAGE_BYTES_MAX + 1));
    const [code] = (await once(peer, "close")) as [number];
    expect(code).toBe(1009);
    await server.closed();
    expect(server.messages).toEqual([]);
  });

  it("is told 1001 when the listener stops", async () => {
    const rig = await startRig(() => new Recorder());
    const client: Recorder = new Recorder({ onOpen: () => rig.listener.stop() });
    dialLink(rig.url, client, options);
    await client.closed();
    expect(client.events).toEqual(["open", "close 1001"]);
  });
});
