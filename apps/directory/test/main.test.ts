import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleSource } from "@meridian/source-bundle";
import { describe, expect, it, onTestFinished, vi } from "vitest";

import { fetchJson, temporaryFolder } from "./running.ts";
import manifest from "../package.json" with { type: "json" };

const MAIN = await bundleSource(fileURLToPath(new URL("../src/main.ts", import.meta.url)));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly errors: string;
}

function run(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { PATH: process.env["PATH"], ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function end(child: ChildProcess): Promise<Ended> {
  const ended = { out: "", errors: "" };
  child.stdout?.on("data", (bytes: Buffer) => (ended.out += bytes.toString()));
  child.stderr?.on("data", (bytes: Buffer) => (ended.errors += bytes.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { ...ended, code };
}

describe("meridian-directory", { timeout: 20_000 }, () => {
  it("exits 2 and names every bad option in plain words", async () => {
    const { code, errors } = await end(
      run(["--prot", "1", "--durability", "luck"], { MERIDIAN_LAG_MAX: "soon", MERIDIAN_X: "1" }),
    );
    expect(code).toBe(2);
    expect(errors).toContain("Unknown option `--prot`, did you mean `--port`?");
    expect(errors).toContain("Expected `--durability` to be `process` or `power`, got `luck`");
    expect(errors).toContain("`MERIDIAN_LAG_MAX`: Expected a time to live");
    expect(errors).toContain("Unknown environment variable `MERIDIAN_X`");
    expect(errors).toContain("Expected `--data` (or MERIDIAN_DATA), got nothing");
    expect(errors).not.toContain("    at ");
  });

  it("prints its usage and its version", async () => {
    const [help, version] = await Promise.all([end(run(["--help"])), end(run(["--version"]))]);
    expect(help).toMatchObject({ code: 0, errors: "" });
    expect(help.out).toContain("Usage: meridian-directory [options]");
    expect(version).toMatchObject({ code: 0, out: `${manifest.version}\n` });
  });

  it("takes from a cluster file what is not given otherwise", async () => {
    const data = await temporaryFolder();
    const path = join(data, "cluster.json");
    const regions = [{ id: "paris", lat: 48.86, lon: 2.35 }];
    const limits = { lagMax: "7s" };
    const directories = [{ id: "main", port: 7499, data: join(data, "log") }];
    await writeFile(path, JSON.stringify({ cluster: "shop", directories, regions, limits }));
    const child = run(["--cluster-file", path, "--port", "0"], { MERIDIAN_ID: "main" });
    const [message] = (await once(child, "message")) as [{ url: string }];
    expect(message.url).not.toContain(":7499");
    const status = await fetchJson(`${message.url}/status`);
    expect(status).toMatchObject({ cluster: "shop", lagMaxMs: 7_000 });
    const { code, errors } = await end(run(["--cluster-file", path, "--id", "paris"]));
    expect(code).toBe(2);
    expect(errors).toContain(
      "Expected an id of `directories` in cluster.json: `main`, got `paris`",
    );
  });

  it("exits 1 on a busy port and says what to do", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const data = await temporaryFolder();
    const { code, errors } = await end(run(["--port", String(port), "--data", data]));
    expect(code).toBe(1);
    expect(errors).toContain(`ADDRESS_IN_USE: Expected 127.0.0.1:${port} to be free`);
    expect(errors).toContain("choose another port with --port");
  });

  it("tells its parent where it listens, and exits 0 when it is told to stop", async () => {
    const data = await temporaryFolder();
    const child = run(["--port", "0", "--data", data], { MERIDIAN_LOG_FORMAT: "json" });
    const ended = end(child);
    const [message] = (await once(child, "message")) as [{ type: string; url: string }];
    expect(message.type).toBe("listening");
    expect(await fetchJson(`${message.url}/readyz`)).toEqual({ status: "ready" });
    child.kill("SIGHUP");
    expect(await fetchJson(`${message.url}/readyz`)).toEqual({ status: "ready" });
    child.kill("SIGTERM");
    const { code, out, errors } = await ended;
    expect([code, errors]).toEqual([0, ""]);
    expect(out).toContain("received SIGHUP and goes on: certificates and options are read again");
    const [line] = out.split("\n");
    expect(JSON.parse(line ?? "")).toMatchObject({
      level: "info",
      message: `listening on ${message.url}`,
    });
  });
});

/** Does as systemd does at `systemctl reload`: runs the command of the unit with the environment that the options file has now. */
async function reload(child: ChildProcess, env: NodeJS.ProcessEnv): Promise<void> {
  const unit = fileURLToPath(new URL("../systemd/meridian-directory.service", import.meta.url));
  const [, script] = /^ExecReload=\S+ -e "(.*)"$/m.exec(await readFile(unit, "utf8")) ?? [];
  const command = spawn(process.execPath, ["-e", String(script)], {
    env: { ...env, MAINPID: String(child.pid) },
    stdio: "inherit",
  });
  expect(await once(command, "exit")).toEqual([0, null]);
}

it("meridian-directory takes on what its service's options file says now, on a reload, and names what needs a restart", async () => {
  const data = await temporaryFolder();
  const own = { RUNTIME_DIRECTORY: await temporaryFolder(), MERIDIAN_PORT: "0" };
  const child = run(["--data", join(data, "log")], {
    ...own,
    MERIDIAN_LAG_MAX: "7s",
    MERIDIAN_RATE_LIMIT: "9",
  });
  const ended = end(child);
  const [message] = (await once(child, "message")) as [{ url: string }];
  let heard = "";
  child.stdout?.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  const reloads = async (env: NodeJS.ProcessEnv, expected: RegExp): Promise<void> => {
    heard = "";
    await reload(child, { ...own, ...env });
    await vi.waitFor(() => expect(heard).toMatch(expected), 10_000);
  };
  const lagMax = async (): Promise<unknown> =>
    ((await fetchJson(`${message.url}/status`)) as { readonly lagMaxMs: unknown }).lagMaxMs;
  await reloads(
    { MERIDIAN_LAG_MAX: "3s", MERIDIAN_HORIZON: "3d" },
    /--rate-limit was=9 is=null[^]*--lag-max was=7000 is=3000|--lag-max was=7000 is=3000[^]*--rate-limit was=9 is=null/,
  );
  expect(heard).toMatch(/needs a restart to change option=--horizon/);
  expect(await lagMax()).toBe(3_000);
  await reloads({ MERIDIAN_LAG_MAX: "soon" }, /options cannot be read again[^]*MERIDIAN_LAG_MAX/);
  expect(await lagMax()).toBe(3_000);
  // Whoever sends the signal alone changes nothing.
  await reloads({ MERIDIAN_LAG_MAX: "4s" }, /--lag-max was=3000 is=4000/);
  heard = "";
  child.kill("SIGHUP");
  await vi.waitFor(() => expect(heard).toContain("received SIGHUP"), 10_000);
  expect(await lagMax()).toBe(4_000);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(0);
});

it("meridian-directory takes on what the cluster file says now, on SIGHUP, where that may change, and nothing of a wrong one", async () => {
  const data = await temporaryFolder();
  const path = join(data, "cluster.json");
  const say = (given: object): Promise<void> =>
    writeFile(
      path,
      JSON.stringify({
        directories: [{ id: "main", data: join(data, "log") }],
        regions: [{ id: "paris", lat: 48.86, lon: 2.35 }],
        ...given,
      }),
    );
  await say({ limits: { lagMax: "7s" } });
  const child = run(["--cluster-file", path, "--id", "main", "--port", "0"]);
  const ended = end(child);
  const [message] = (await once(child, "message")) as [{ url: string }];
  const lagMax = async (): Promise<unknown> =>
    ((await fetchJson(`${message.url}/status`)) as { readonly lagMaxMs: unknown }).lagMaxMs;
  let heard = "";
  child.stdout?.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  const hangUp = async (expected: RegExp): Promise<void> => {
    child.kill("SIGHUP");
    await vi.waitFor(() => expect(heard).toMatch(expected), 10_000);
  };
  await say({ limits: { lagMax: "3s", horizon: "3d" } });
  await hangUp(/--lag-max was=7000 is=3000[^]*restart to change option=--horizon/);
  expect(await lagMax()).toBe(3_000);
  await say({ limits: { lagMax: "2s", horizon: "x" } });
  await hangUp(/options cannot be read again/);
  expect(await lagMax()).toBe(3_000);
  const asked = async (): Promise<number> => (await fetch(`${message.url}/nodes`)).status;
  await say({ limits: { lagMax: "3s", rateLimit: 1, rateBurst: 2, tokenAgeMax: "2h" } });
  await hangUp(/--token-age-max[^]*--rate-limit was=null is=1[^]*--rate-burst was=null is=2/);
  expect([await asked(), await asked(), await asked()]).toEqual([200, 200, 429]);
  await say({ limits: { lagMax: "3s", rateLimit: 1, rateBurst: 5 }, log: { format: "json" } });
  await hangUp(/option=--log-format/);
  expect([await asked(), await asked(), await asked()]).toEqual([200, 200, 200]);
  await say({ limits: { lagMax: "3s" }, log: { level: "error" } });
  await hangUp(/"option":"--log-level"/);
  child.kill("SIGTERM");
  const { code, out } = await ended;
  expect(code).toBe(0);
  expect(out).not.toContain("received SIGTERM");
});
