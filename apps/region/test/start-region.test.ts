import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { silentLogger, systemClock, type Clock } from "@meridian/runtime";
import { bundleSource } from "@meridian/source-bundle";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startRegion, type RegionOptions, type RunningRegion } from "../src/index.ts";
import manifest from "../package.json" with { type: "json" };

const MAIN = await bundleSource(fileURLToPath(new URL("../src/main.ts", import.meta.url)));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "meridian-region-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A port where nobody listens, for a directory that is away. */
async function freePort(): Promise<number> {
  const server = await listen();
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listen(): Promise<Server> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Ten times as fast as the machine's clock. */
const hastyClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  elapsedMs: () => systemClock.elapsedMs() * 10,
  after: (delayMs, callback) => systemClock.after(delayMs / 10, callback),
};

async function optionsOf(): Promise<RegionOptions> {
  return {
    id: "fra",
    region: "eu",
    lat: 50.1,
    lon: 8.7,
    host: "127.0.0.1",
    port: 0,
    data: join(folder, "data"),
    directory: [`http://127.0.0.1:${await freePort()}`],
    standalone: true,
    cluster: "test",
    ip: null,
    url: null,
    allowOrigin: null,
    durability: "process",
    cacheEntries: 100,
    cacheBytes: 1_000_000,
    valueBytesMax: 1_000,
    ttlDefault: null,
    logger: silentLogger,
    clock: hastyClock,
  };
}

/** Starts a region and waits until it serves. */
async function startServing(options: RegionOptions): Promise<RunningRegion> {
  let serve: () => void = () => {};
  const serving = new Promise<void>((resolve) => {
    serve = resolve;
  });
  const region = await startRegion({
    ...options,
    onStatus: (status) => {
      if (status === "standalone") serve();
    },
  });
  await serving;
  return region;
}

describe("a region that no directory would take in", () => {
  it.each<[string, Partial<RegionOptions>, string]>([
    ["an address with a port", { ip: "10.0.0.5:80" }, "INVALID_ARGUMENT"],
    ["an empty address", { ip: "" }, "INVALID_ARGUMENT"],
    ["a URL with a path", { url: "http://a/b" }, "INVALID_CONFIG"],
    ["an id in upper case", { id: "FRA" }, "INVALID_ARGUMENT"],
    ["a place that is none", { lat: 91 }, "INVALID_COORDINATES"],
  ])("is not started: %s", async (_, part, code) => {
    const options = { ...(await optionsOf()), ...part };
    await expect(startRegion(options)).rejects.toMatchObject({ code });
    expect(existsSync(options.data)).toBe(false);
  });
});

describe("the memory of a region", () => {
  async function tierOf(region: RunningRegion, key: string): Promise<string | null> {
    const answer = await fetch(`${region.url}/cache/${key}`);
    await answer.text();
    return answer.headers.get("meridian-cache");
  }

  async function put(region: RunningRegion, target: string): Promise<void> {
    const answer = await fetch(`${region.url}/cache/${target}`, { method: "PUT", body: "x" });
    expect(answer.status).toBe(200);
    await answer.text();
  }

  it("lets go first of what `--cache-policy` says", async () => {
    const options = { ...(await optionsOf()), cacheEntries: 2, cachePolicy: "due" as const };
    const region = await startServing(options);
    await put(region, "a");
    await put(region, "b?ttl=1h");
    await put(region, "c?ttl=2h");
    expect(await tierOf(region, "a")).toBe("memory");
    expect(await tierOf(region, "c")).toBe("memory");
    expect(await tierOf(region, "b")).toBe("store");
    await region.stop();
  });

  it("asks the store again after `--cache-ttl`", async () => {
    const region = await startServing({ ...(await optionsOf()), cacheTtl: 1_000 });
    await put(region, "a");
    // Without the option, memory answers however often it is asked.
    let asked = 1;
    while ((await tierOf(region, "a")) !== "store" && asked < 20_000) asked += 1;
    expect(asked).toBeLessThan(20_000);
    await region.stop();
  });
});

describe("a region whose directory is away", { timeout: 20_000 }, () => {
  it("takes writes, and has them after a restart", async () => {
    const options = await optionsOf();
    const first = await startServing(options);
    const written = await fetch(`${first.url}/cache/a`, { method: "PUT", body: "kept" });
    expect(written.status).toBe(200);
    await written.text();
    await first.stop();
    const second = await startServing(options);
    const read = await fetch(`${second.url}/cache/a`);
    expect(read.headers.get("meridian-cache")).toBe("store");
    expect(await read.text()).toBe("kept");
    await second.stop();
  });
});

it("a region that runs takes on another rate and another default for how long values live", async () => {
  let serves: () => void = () => {};
  const serving = new Promise<void>((resolve) => (serves = resolve));
  const region = await startRegion({
    ...(await optionsOf()),
    clock: hastyClock,
    rateLimit: 1,
    rateBurst: 2,
    onStatus: (status) => status === "standalone" && serves(),
  });
  await serving;
  const set = async (): Promise<[status: number, expires: boolean]> => {
    const answer = await fetch(`${region.url}/cache/k`, { method: "PUT", body: "v" });
    const { expiresAtMs } = (await answer.json()) as { readonly expiresAtMs?: number | null };
    return [answer.status, typeof expiresAtMs === "number"];
  };
  try {
    const many = (): Promise<[number, boolean][]> =>
      Promise.all(Array.from({ length: 40 }, () => set()));
    const limited = await many();
    expect(limited).toContainEqual([200, false]);
    expect(limited).toContainEqual([429, false]);
    const rate = { rateLimit: 1, rateBurst: 100 };
    const changed = { slowRequest: null, connectionsMax: 100, tokenAgeMax: 1, ...rate };
    await region.reload({ ...changed, ttlDefault: 60_000 });
    expect(new Set((await many()).map(String))).toEqual(new Set(["200,true"]));
    await region.reload({ ...changed, rateLimit: null, rateBurst: null, ttlDefault: null });
    expect(await set()).toEqual([200, false]);
  } finally {
    await region.stop();
  }
}, 20_000);

describe("a region that stops", { timeout: 20_000 }, () => {
  it("finishes the requests under way, refuses new ones, and then no longer listens", async () => {
    const region = await startServing({ ...(await optionsOf()), clock: systemClock });
    const upload = connect(region.port, "127.0.0.1");
    const received: Buffer[] = [];
    upload.on("data", (chunk: Buffer) => received.push(chunk));
    upload.write(
      "PUT /cache/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\r\nha",
    );
    for (let polls = 0; polls < 1_000; polls += 1) {
      const status = (await (await fetch(`${region.url}/status`)).json()) as {
        readonly requests: { readonly active: number };
      };
      if (status.requests.active === 1) break;
    }
    const stopped = region.stop();
    const refused = await fetch(`${region.url}/cache/b`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: "NODE_DRAINING" });
    upload.write("lf");
    await once(upload, "close");
    expect(Buffer.concat(received).toString()).toContain("HTTP/1.1 200 OK");
    await stopped;
    await expect(fetch(`${region.url}/status`)).rejects.toThrow("fetch failed");
  });

  it("does so once, however often it is told", async () => {
    const region = await startServing(await optionsOf());
    const stopped = region.stop();
    expect(region.stop()).toBe(stopped);
    await stopped;
    expect(region.status).toBe("draining");
  });
});

describe("a region that cannot start", { timeout: 20_000 }, () => {
  it("says that another program has its address, and leaves its data free", async () => {
    const blocker = await listen();
    const { port } = blocker.address() as AddressInfo;
    const options = await optionsOf();
    await expect(startRegion({ ...options, port })).rejects.toMatchObject({
      code: "ADDRESS_IN_USE",
    });
    blocker.close();
    const region = await startRegion(options);
    await region.stop();
  });

  it("says that another process has its data", async () => {
    const options = await optionsOf();
    const region = await startRegion(options);
    await expect(startRegion(options)).rejects.toMatchObject({ code: "STORE_IN_USE" });
    await region.stop();
  });

  it("says that there is no such address", async () => {
    const options = { ...(await optionsOf()), host: "192.0.2.1" };
    await expect(startRegion(options)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});

describe("the program", { timeout: 30_000 }, () => {
  const run = (args: readonly string[], env: Record<string, string> = {}): ChildProcess =>
    fork(MAIN, args, {
      execArgv: [],
      env: { PATH: process.env["PATH"] ?? "", ...env },
      silent: true,
    });
  const outcome = async (
    child: ChildProcess,
  ): Promise<{ code: unknown; out: string; err: string }> => {
    let out = "";
    let err = "";
    child.stdout?.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => (err += chunk.toString()));
    const [code] = (await once(child, "close")) as [unknown];
    return { code, out, err };
  };
  const place = ["--id", "fra", "--lat", "50", "--lon", "8", "--port", "0"];

  it("explains itself", async () => {
    const [help, version] = await Promise.all([
      outcome(run(["--help"])),
      outcome(run(["--version"])),
    ]);
    expect(help).toMatchObject({ code: 0, err: "" });
    expect(help.out).toContain("--cache-bytes");
    expect(help.out).toContain("MERIDIAN_CACHE_BYTES");
    expect(version).toEqual({ code: 0, out: `${manifest.version}\n`, err: "" });
  });

  it("refuses a bad configuration with exit code 2, naming everything that is wrong", async () => {
    const { code, err } = await outcome(
      run(["--lat", "91", "--prot", "1"], { MERIDIAN_DIRECTORY: "ftp://x", MERIDIAN_LON: "8" }),
    );
    expect(code).toBe(2);
    for (const said of ["--id", "--lat", "`--prot`", "MERIDIAN_DIRECTORY", "--data"]) {
      expect(err).toContain(said);
    }
  });

  it("runs until it is told to stop, and tells its parent how it stands", async () => {
    const port = await freePort();
    const flags = [...place, "--data", folder, "--directory", `http://127.0.0.1:${port}`];
    const child = run(flags);
    const told: { readonly type: string; readonly url?: string; readonly status?: string }[] = [];
    child.on("message", (message: (typeof told)[number]) => {
      told.push(message);
      if (message.type === "listening") child.kill("SIGTERM");
    });
    const { code, out } = await outcome(child);
    expect(code).toBe(0);
    const url = told.find(({ type }) => type === "listening")?.url;
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(out).toContain(`listening on ${url}`);
    expect(told).toContainEqual({ type: "status", status: "joining" });
  });

  it("ends with exit code 1 when its data cannot be opened", async () => {
    const { code, err } = await outcome(run([...place, "--data", "/dev/null/data"]));
    expect(code).toBe(1);
    expect(err).toMatch(/STORE_FAILED/);
  });
});
