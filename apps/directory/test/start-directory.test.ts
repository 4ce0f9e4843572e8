import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

import type { MeridianError } from "@meridian/protocol";
import { awaitedLogger, FakeNode, fetchJson, start, temporaryFolder } from "./running.ts";
import manifest from "../package.json" with { type: "json" };

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

describe("a started directory", () => {
  it("is ready, knows nobody, and has an empty log", async () => {
    const { url } = await start();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await fetchJson(`${url}/readyz`)).toEqual({ status: "ready" });
    expect(await fetchJson(`${url}/nodes`)).toEqual({ nodes: [] });
    expect(await fetchJson(`${url}/nearest?lat=0&lon=0`)).toMatchObject({ code: "NO_READY_NODE" });
    expect(await fetchJson(`${url}/status`)).toMatchObject({
      cluster: "test",
      version: manifest.version,
      head: 0,
      nodes: { gone: 0 },
      store: { entries: 0, failed: false },
    });
    expect(await fetchJson(`${url}/digest`)).toMatchObject({ count: 0, sequence: 0 });
  });

  it("offers a node from when it is ready to when it goes, at the address it is seen from", async () => {
    const { logger, logged } = awaitedLogger();
    const { url } = await start({ logger });
    const node = new FakeNode(url, "paris");
    await node.received("welcome");
    expect(await fetchJson(`${url}/nodes/paris`)).toMatchObject({ status: "syncing" });
    expect(await fetchJson(`${url}/nearest?lat=0&lon=0`)).toMatchObject({ code: "NO_READY_NODE" });
    await node.heartbeat("ready", 4);
    expect(await fetchJson(`${url}/nearest?lat=48&lon=2`)).toEqual({
      nodes: [
        {
          id: "paris",
          region: "somewhere",
          url: "http://127.0.0.1:7401",
          ip: "127.0.0.1",
          port: 7401,
          lat: 48,
          lon: 2,
          distanceMeters: 0,
          status: "ready",
          lagMs: 4,
          load: { entries: 1, bytes: 2, requestsPerSecond: 3 },
        },
      ],
    });
    node.close();
    await logged("node gone");
    expect(await fetchJson(`${url}/nodes/paris`)).toMatchObject({ status: "gone", lagMs: null });
  });

  it("commits what a node writes, acknowledges it, and counts it in its digest", async () => {
    const { url } = await start();
    const node = new FakeNode(url, "paris");
    await node.received("welcome");
    node.write("greeting");
    await node.received("acknowledge");
    expect(await fetchJson(`${url}/digest`)).toMatchObject({ count: 1, sequence: 1 });
    expect(await fetchJson(`${url}/status`)).toMatchObject({ head: 1, committedThrough: 1 });
    node.close();
    await node.gone();
  });
});

describe("a directory with a log of its own", () => {
  it("misses a node that is gone, across restarts, until it is to be forgotten", async () => {
    const data = await temporaryFolder();
    const first = await start({ data });
    const node = new FakeNode(first.url, "paris");
    await node.received("welcome");
    const forget = (url: string): Promise<Response> =>
      fetch(`${url}/nodes/paris`, { method: "DELETE" });
    expect(await (await forget(first.url)).json()).toMatchObject({ code: "NODE_PRESENT" });
    await Promise.all([first.stop(), node.gone()]);
    const second = await start({ data });
    const { nodes } = await fetchJson(`${second.url}/nodes`);
    expect(nodes).toMatchObject([{ id: "paris", status: "gone", url: "http://127.0.0.1:7401" }]);
    expect((await forget(second.url)).status).toBe(200);
    expect((await forget(second.url)).status).toBe(404);
    await second.stop();
    const third = await start({ data });
    expect(await fetchJson(`${third.url}/nodes`)).toEqual({ nodes: [] });
    const back = new FakeNode(third.url, "paris", 12);
    await back.received("welcome");
    back.close();
    await back.gone();
    await third.stop();
    const fourth = await start({ data });
    expect(await fetchJson(`${fourth.url}/nodes/paris`)).toMatchObject({ status: "gone" });
  });
});

describe("the links of a directory", () => {
  it("are closed with 4400 when they speak nonsense", async () => {
    const { url } = await start();
    const socket = new WebSocket(`${url}/replicate`);
    await once(socket, "open");
    socket.send("nonsense");
    const [code] = (await once(socket, "close")) as [number];
    expect(code).toBe(4400);
    expect(await fetchJson(`${url}/healthz`)).toEqual({ status: "ok" });
  });

  it("are taken on one path; on others the offer of a WebSocket is ignored", async () => {
    const { url } = await start();
    const socket = new WebSocket(`${url}/nearest`);
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toBe("Unexpected server response: 400");
  });

  it.runIf(hasIpv6)("come in over IPv6, which is written with brackets in URLs", async () => {
    const { url } = await start({ host: "::1" });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const node = new FakeNode(url, "paris");
    await node.received("welcome");
    expect(await fetchJson(`${url}/nodes/paris`)).toMatchObject({
      ip: "::1",
      url: "http://[::1]:7401",
    });
    node.close();
    await node.gone();
  });

  it.runIf(hasIpv6)(
    "show a plain IPv4 address though it came in through an IPv6 socket",
    async () => {
      const { url } = await start({ host: "::", insecureNoTls: true, insecureNoTokens: true });
      expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
      const node = new FakeNode(url.replace("[::1]", "127.0.0.1"), "paris");
      await node.received("welcome");
      expect(await fetchJson(`${url}/nodes/paris`)).toMatchObject({
        ip: "127.0.0.1",
        url: "http://127.0.0.1:7401",
      });
      node.close();
      await node.gone();
    },
  );
});

describe("stopping", () => {
  it("says goodbye to the nodes and leaves a log that the next start goes on with", async () => {
    const data = await temporaryFolder();
    const first = await start({ data });
    const before = await fetchJson(`${first.url}/status`);
    const node = new FakeNode(first.url, "paris");
    await node.received("welcome");
    node.write("greeting");
    await node.received("acknowledge");
    await Promise.all([first.stop(), first.stop(), node.gone()]);
    expect(node.closed?.code).toBe(1001);
    await expect(fetch(`${first.url}/healthz`)).rejects.toThrow("fetch failed");
    const second = await start({ data });
    expect(await fetchJson(`${second.url}/status`)).toMatchObject({
      logId: before["logId"],
      head: 1,
    });
  });
});

describe("a log that cannot be written any more", () => {
  it("is told to the program, closes the links without a promise, and makes the directory unready", async () => {
    let failed: (failure: MeridianError) => void = () => {};
    const failure = new Promise<MeridianError>((resolve) => {
      failed = resolve;
    });
    const { url } = await start({ onFatal: failed, tuning: { dieAtStep: 4, redo: false } });
    const node = new FakeNode(url, "paris");
    let through = 0;
    const write = async (): Promise<never> => {
      await node.received("welcome");
      for (; ; through += 1) {
        node.write("greeting", through + 1);
        await node.acknowledged(through + 1);
      }
    };
    await expect(write()).rejects.toThrow("closed");
    expect(await failure).toMatchObject({ code: "STORE_FAILED" });
    // What was never durable was never acknowledged.
    await expect(node.acknowledged(through + 1)).rejects.toThrow("closed");
    expect(await fetchJson(`${url}/readyz`)).toMatchObject({ status: 503, code: "GOING_AWAY" });
  });
});

describe("a directory does not start", () => {
  it("on a busy port, and says which and what to do; the log is not touched", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const data = await temporaryFolder();
    await expect(start({ port, data })).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
      message: `Expected 127.0.0.1:${port} to be free, but another program listens there; stop it, or choose another port with --port`,
    });
    expect(await readdir(data)).toEqual([]);
  });

  it("on an address that is not this machine's", async () => {
    await expect(start({ host: "192.0.2.1" })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("on a log that another has open, and then lets go of its address", async () => {
    const data = await temporaryFolder();
    const running = await start({ data });
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    await expect(start({ data, port })).rejects.toMatchObject({ code: "STORE_IN_USE" });
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow("fetch failed");
    expect(await fetchJson(`${running.url}/healthz`)).toEqual({ status: "ok" });
  });
});
