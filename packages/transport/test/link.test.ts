import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { silentLogger } from "@meridian/runtime";
import { dialLink, plainAddress } from "@meridian/transport";

import { Recorder, startRig } from "./rig.ts";

const options = { logger: silentLogger };

describe("a link", () => {
  it("carries text and binary both ways, in order", async () => {
    const server = new Recorder();
    const client = new Recorder();
    const rig = await startRig(() => server);
    const link = dialLink(rig.url, client, options);
    await client.until(() => client.events.includes("open"));
    for (let index = 0; index < 200; index += 1) {
      link.send(`text ${index}`);
      link.send(Uint8Array.of(index, 1, 2));
    }
    await server.received(400);
    expect(server.messages.slice(0, 2)).toEqual(["text 0", Uint8Array.of(0, 1, 2)]);
    expect(server.messages.slice(-2)).toEqual(["text 199", Uint8Array.of(199, 1, 2)]);
    rig.accepted[0]?.link.send("héllo");
    rig.accepted[0]?.link.send(new Uint8Array(0));
    await client.received(2);
    expect(client.messages).toEqual(["héllo", new Uint8Array(0)]);
    expect(server.events[0]).toBe("open");
    expect(rig.accepted[0]?.address).toBe("127.0.0.1");
    link.close(1000, "");
    await server.closed();
  });

  it("hands binary over as a plain Uint8Array, whose slice is a copy", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const client: Recorder = new Recorder({ onOpen: () => link.send(Uint8Array.of(7, 8, 9)) });
    const link = dialLink(rig.url, client, options);
    await server.received(1);
    const [message] = server.messages;
    expect(message?.constructor).toBe(Uint8Array);
    const copy = message?.slice(0, 1) as Uint8Array;
    (message as Uint8Array)[0] = 0;
    expect(copy).toEqual(Uint8Array.of(7));
    link.close(1000, "");
    await client.closed();
  });
});

describe("the end of a link", () => {
  it("reaches both ends with its code and reason, once and last", async () => {
    const server = new Recorder();
    const client = new Recorder({ onOpen: () => link.close(4408, "lease") });
    const rig = await startRig(() => server);
    const link = dialLink(rig.url, client, options);
    await Promise.all([client.closed(), server.closed()]);
    expect(client.events).toEqual(["open", "close 4408 lease"]);
    expect(server.events).toEqual(["open", "close 4408 lease"]);
    link.send("too late");
    link.close(1000, "again");
    expect(link.bufferedBytes).toBe(0);
  });

  it("cuts a long reason between characters, to the length that fits a close frame", async () => {
    const server = new Recorder();
    const rig = await startRig(() => server);
    const client: Recorder = new Recorder({ onOpen: () => link.close(4400, "é".repeat(100)) });
    const link = dialLink(rig.url, client, options);
    await server.closed();
    expect(server.events.at(-1)).toBe(`close 4400 ${"é".repeat(61)}`);
  });
});

describe("onDrain", () => {
  it("is called once when the waiting bytes have fallen from above the bound to a quarter of it", async () => {
    const drainBytes = 1024 * 1024;
    let waitingAtDrain = Infinity;
    const server: Recorder = new Recorder({
      onDrain: () => {
        waitingAtDrain = rig.accepted[0]?.link.bufferedBytes ?? Infinity;
      },
    });
    const rig = await startRig(() => server, { drainBytes });
    const peer = new WebSocket(rig.url);
    await once(peer, "open");
    const link = rig.accepted[0]?.link;
    link?.send(new Uint8Array(1000));
    await once(peer, "message");
    expect(server.drains).toBe(0);
    peer.pause();
    // The operating system buffers some megabytes before bytes wait in the process.
    for (let sent = 0; sent < 512 && (link?.bufferedBytes ?? 0) <= drainBytes; sent += 1) {
      link?.send(new Uint8Array(256 * 1024));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(link?.bufferedBytes).toBeGreaterThan(drainBytes);
    expect(server.drains).toBe(0);
    peer.resume();
    await server.until(() => server.drains > 0);
    expect(waitingAtDrain).toBeLessThanOrEqual(drainBytes / 4);
    peer.close();
    await server.closed();
    expect(server.drains).toBe(1);
  });
});

describe("dialling", () => {
  it("a port where nobody listens is a link that closes without opening, with the cause", async () => {
    const rig = await startRig(() => new Recorder());
    const unused = await freePort();
    const client = new Recorder();
    dialLink(rig.url.replace(String(rig.port), String(unused)), client, options);
    await client.closed();
    expect(client.events).toEqual([`close 1006 connect ECONNREFUSED 127.0.0.1:${unused}`]);
  });

  it("another path is refused with 404, and plain requests are not touched", async () => {
    const rig = await startRig(() => new Recorder());
    const client = new Recorder();
    dialLink(`${rig.url}/else`, client, options);
    await client.closed();
    expect(client.events).toEqual(["close 1006 the server takes no link here (HTTP 404)"]);
    expect(rig.accepted).toEqual([]);
    expect(await (await fetch(rig.url)).text()).toBe("plain HTTP");
  });

  it("can be given up before it has connected", async () => {
    const rig = await startRig(() => new Recorder());
    const client = new Recorder();
    const link = dialLink(rig.url, client, options);
    link.send("before it is open");
    link.close(4408, "too slow");
    expect(client.events).toEqual([]);
    await client.closed();
    expect(client.events).toEqual(["close 4408 too slow"]);
  });

  it("refuses text that is no URL", () => {
    expect(() => dialLink("mailto:me", new Recorder(), options)).toThrow(SyntaxError);
  });
});

describe("plainAddress", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["::FFFF:10.1.2.3", "10.1.2.3"],
    ["::1", "::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["2001:db8::ffff:1", "2001:db8::ffff:1"],
    [undefined, ""],
  ])("shows %s as %s", (address, shown) => {
    expect(plainAddress(address)).toBe(shown);
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  // Resolves only if the connection is refused, which is what the test relies on.
  const socket = connect(address.port, "127.0.0.1");
  await once(socket, "error");
  return address.port;
}
