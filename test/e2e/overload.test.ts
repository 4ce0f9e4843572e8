import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

import { encodeMessage } from "@meridian/protocol";
import { silentLogger } from "@meridian/runtime";
import { heartbeatOf, helloOf } from "@meridian/testkit";
import { dialLink } from "@meridian/transport";
import { describe, expect, it, onTestFinished } from "vitest";
import { getJson, getText, putValue, type Region, startCluster, until } from "@meridian/harness";

import { HttpConnection } from "../bench/http-connection.ts";
import { stallDisk } from "../support/stalled-disk.ts";

const MEBIBYTE = 1024 * 1024;

interface Gauge {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

async function gaugeOf(url: string, name: string): Promise<Gauge> {
  const { gauges } = await getJson<{ readonly gauges: readonly Gauge[] }>(`${url}/status`);
  const found = gauges.find((gauge) => gauge.name === name);
  if (found === undefined) throw new Error(`Expected the gauge ${name}`);
  return found;
}

/** How many files this process may have open. */
function filesMax(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How long a writer waits after a refusal. Hundreds of writers that wait so long still offer a region far more than it can take. */
const REFUSED_MS = 100;

/** Writes as fast as it is answered, one write at a time, until told. Counts the answers by status. */
async function flood(region: Region, name: number, state: Flood): Promise<void> {
  let connection = await HttpConnection.open(region.url);
  for (let turn = 0; !state.over; turn += 1) {
    // A refusal before all of a value has come ends the connection.
    const { status } = await connection
      .send("PUT", `/cache/${name}/${turn}`, state.value)
      .catch(() => ({ status: undefined }));
    if (status === undefined) {
      connection.close();
      await pause(REFUSED_MS);
      connection = await HttpConnection.open(region.url);
      continue;
    }
    state.statuses.set(status, (state.statuses.get(status) ?? 0) + 1);
    if (status !== 200) await pause(REFUSED_MS);
  }
  connection.close();
}

interface Flood {
  readonly value: string;
  readonly statuses: Map<number, number>;
  over: boolean;
}

describe("a region whose disk stalls under a flood of writes", () => {
  it("refuses what is too much, stays as small as it was said to, and goes on afterwards", async () => {
    const cluster = await startCluster([{ id: "paris", lat: 48.9, lon: 2.4 }]);
    const [paris] = cluster.regions;
    if (!paris) throw new Error("Expected a region");
    await putValue(paris.url, "calm", "before");
    const before = paris.program.memoryBytes;

    const resume = stallDisk(paris.databasePath);
    onTestFinished(resume);
    const state: Flood = { value: "v".repeat(MEBIBYTE), statuses: new Map(), over: false };
    const writers = Array.from({ length: 300 }, (_, name) => flood(paris, name, state));
    await until("writes are refused", () => (state.statuses.get(503) ?? 0) > 100, 60_000);
    // Three hundred at a time, each of a mebibyte: far more than may wait.
    const { now, max } = await gaugeOf(paris.url, "writeBytes");
    expect(now).toBeLessThan(2.2 * max);
    expect(await getText(paris.url, "calm")).toBe("before");
    const grown = paris.program.memoryBytes - before;
    resume();
    state.over = true;
    await Promise.all(writers);
    console.log(
      `grown by ${(grown / MEBIBYTE).toFixed(0)} MiB; answers ${JSON.stringify([...state.statuses])}`,
    );
    // Values that wait, their blocks, bodies that are being read, and what is not collected yet.
    expect(grown).toBeLessThan(900 * MEBIBYTE);
    expect([...state.statuses.keys()].every((status) => [200, 503].includes(status))).toBe(true);
    await until("writes are taken again", async () => {
      await putValue(paris.url, "calm", "after");
      return true;
    });
    await until("nothing waits", async () => (await gaugeOf(paris.url, "bodyBytes")).now === 0);
  });
});

describe("ten thousand idle connections", () => {
  it("cost a region little, delay nobody, and are gone after ten seconds", async () => {
    const cluster = await startCluster([{ id: "paris", lat: 48.9, lon: 2.4 }]);
    const [paris] = cluster.regions;
    if (!paris) throw new Error("Expected a region");
    await putValue(paris.url, "calm", "still here");
    const before = paris.program.memoryBytes;
    const { hostname, port } = new URL(paris.url);
    const count = Math.min(10_000, filesMax() - 1_000);
    const idle: Socket[] = [];
    onTestFinished(() => idle.forEach((socket) => socket.destroy()));
    let [taken, gone] = [0, 0];
    // On a slow machine the first are gone while the last are still being opened.
    const areTaken = async (opened: number): Promise<boolean> => {
      const { now } = await gaugeOf(paris.url, "httpConnections");
      return taken === opened && now + gone >= opened;
    };
    for (let opened = 0; opened < count; opened += 1) {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => {});
      socket.on("connect", () => (taken += 1));
      socket.on("close", () => (gone += 1));
      socket.resume();
      idle.push(socket);
      // No more at once than a system keeps for a server: of others, only the client would know.
      if (opened % 250 === 249) await until("these have been taken", () => areTaken(opened + 1));
    }
    await until("all have been taken", () => areTaken(count));
    const grown = paris.program.memoryBytes - before;
    const atMs = performance.now();
    expect(await getText(paris.url, "calm")).toBe("still here");
    const tookMs = performance.now() - atMs;
    console.log(
      `${count} idle: ${(grown / MEBIBYTE).toFixed(0)} MiB, a read took ${tookMs.toFixed(1)} ms`,
    );
    expect(grown).toBeLessThan(300 * MEBIBYTE);
    await until("all are gone", () => gone === count, 40_000);
    expect(await getText(paris.url, "calm")).toBe("still here");
  });
});

/** Registers as a node, says that it lives, and reads nothing that it is sent. */
async function deafNode(directory: string): Promise<{ stop(): void }> {
  let welcomed = false;
  const link = dialLink(
    `${directory}/replicate`,
    {
      onOpen: () => {
        const named = { cluster: "meridian", nodeId: "deaf", incarnation: 77 };
        link.send(encodeMessage(helloOf({ ...named, nowMs: Date.now() })));
      },
      onMessage: () => {
        welcomed = true;
        link.pause();
      },
      onPart: () => {},
      onDrain: () => {},
      onClose: () => {},
    },
    { logger: silentLogger },
  );
  await until("the deaf node is welcomed", () => welcomed);
  const timer = setInterval(() => {
    link.send(encodeMessage(heartbeatOf({ nowMs: Date.now() })));
  }, 200);
  const stop = (): void => {
    clearInterval(timer);
    link.close(1000, "");
  };
  onTestFinished(stop);
  return { stop };
}

describe("a node that never reads", () => {
  it("costs the directory its bound and the other nodes nothing", async () => {
    const cluster = await startCluster();
    const [writer, reader] = cluster.regions;
    if (!writer || !reader) throw new Error("Expected regions");
    await deafNode(cluster.directoryUrl);
    const before = cluster.directory.memoryBytes;
    const value = "v".repeat(64 * 1024);
    const pool = await Promise.all(
      Array.from({ length: 16 }, () => HttpConnection.open(writer.url)),
    );
    // Forty mebibytes: many times what may wait for one node.
    let next = 0;
    await Promise.all(
      pool.map(async (connection) => {
        while (next < 640) {
          next += 1;
          expect(await connection.put(`/cache/k${next}`, value)).toBe(200);
        }
      }),
    );
    for (const connection of pool) connection.close();
    const { position } = await putValue(writer.url, "last", "of all");
    const atMs = performance.now();
    await until("the reader has the last", async () => {
      return (await getText(reader.url, "last", position)) === "of all";
    });
    const behindMs = performance.now() - atMs;
    const { now, max } = await gaugeOf(cluster.directoryUrl, "linkBytes");
    const grown = cluster.directory.memoryBytes - before;
    console.log(
      `waiting ${(now / MEBIBYTE).toFixed(1)} MiB, grown by ${(grown / MEBIBYTE).toFixed(0)} MiB, ` +
        `the others ${behindMs.toFixed(0)} ms behind`,
    );
    expect(now).toBeGreaterThan(MEBIBYTE);
    expect(now).toBeLessThan(8 * MEBIBYTE);
    expect(now).toBeLessThan(max);
    expect(grown).toBeLessThan(300 * MEBIBYTE);
    expect(await cluster.offered()).toContain(reader.id);
  });
});

describe("a region that refuses", () => {
  it("is not offered while it is full of connections, and is again once they are gone", async () => {
    const cluster = await startCluster([{ id: "tokyo", lat: 35.7, lon: 139.7 }]);
    const paris = { id: "paris", lat: 48.9, lon: 2.4 };
    const region = await cluster.add({ ...paris, args: ["--connections-max", "40"] });
    await until("paris is offered", async () => (await cluster.offered()).includes("paris"));
    expect((await cluster.near(paris))[0]?.id).toBe("paris");

    const { hostname, port } = new URL(region.url);
    // One after the other comes again where one had to make room: the region stays full.
    let isOver = false;
    const sockets = new Set<Socket>();
    const hold = (): void => {
      const socket = connect(Number(port), hostname);
      sockets.add(socket);
      socket.on("error", () => {});
      socket.resume();
      socket.once("close", () => {
        sockets.delete(socket);
        if (!isOver) hold();
      });
    };
    const release = (): void => {
      isOver = true;
      for (const socket of sockets) socket.destroy();
    };
    onTestFinished(release);
    for (let held = 0; held < 40; held += 1) hold();
    await until("paris is not offered", async () => !(await cluster.offered()).includes("paris"));
    expect((await cluster.near(paris))[0]?.id).toBe("tokyo");
    // It keeps its link, and is no member that is missed.
    const { nodes } = await getJson<{ readonly nodes: readonly { readonly id: string }[] }>(
      `${cluster.directoryUrl}/nodes`,
    );
    expect(nodes).toContainEqual(expect.objectContaining({ id: "paris", status: "ready" }));

    release();
    await until("paris is offered again", async () => (await cluster.offered()).includes("paris"));
    expect((await cluster.near(paris))[0]?.id).toBe("paris");
  });
});
