/** `meridian backup` and `meridian restore` of programs that run, by the command. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import { connect, type MeridianClient } from "@meridian/client";
import { ROOT, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { lineLogger, systemClock, type Logger } from "@meridian/runtime";
import { bundleSource } from "@meridian/source-bundle";
import { expect, it, onTestFinished } from "vitest";

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function meridian(...argv: readonly string[]): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await runCli(argv, {
    stdout: { write: (data) => (stdout += String(data)) },
    stderr: { write: (text) => (stderr += text) },
    stdin: undefined,
    env: {},
    colour: false,
  });
  return { exitCode, stdout, stderr };
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-backup-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

async function ready(running: Promise<Running>): Promise<Running> {
  const program = await running;
  onTestFinished(() => program.stop());
  await until("it serves", async () => (await fetch(`${program.url}/readyz`)).ok);
  return program;
}

/** A logger that keeps lines which say that data was restored. */
function restores(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const write = (line: string): void => {
    if (line.includes("restored from a backup")) lines.push(line);
  };
  const logger = lineLogger({ clock: systemClock, level: "info", format: "text", write });
  return { logger, lines };
}

async function clientOf({ url }: Running): Promise<MeridianClient> {
  const client = await connect({ nodes: [url] });
  onTestFinished(() => client.close());
  return client;
}

async function identityOf({ url }: Running): Promise<string> {
  const { replica } = (await (await fetch(`${url}/status`)).json()) as {
    readonly replica: { readonly incarnation: string };
  };
  expect(replica.incarnation).toBeTruthy();
  return String(replica.incarnation);
}

it("restores a region as it was while it was written, which rejoins, and what was deleted since stays deleted", async () => {
  const folder = newFolder();
  const directory = await ready(startSmallDirectory({ data: join(folder, "directory") }));
  const region = (id: string, data: string): Promise<Running> =>
    ready(startSmallRegion({ id, data: join(folder, data), directory: directory.url }));
  const [paris, oslo] = [await region("paris", "paris"), await region("oslo", "oslo")];
  const [there, here] = [await clientOf(paris), await clientOf(oslo)];
  const many = Array.from({ length: 300 }, (_, index) => ({ key: `k${index}`, value: "x" }));
  await there.setMany(many);
  await there.set("gone", 1);
  await there.delete("gone");
  await there.set("deleted later", 1);
  await there.set("changed later", 1, { ack: "all" });

  let isDone = false;
  const file = join(folder, "paris.backup");
  const backup = meridian("backup", "region", paris.url, "--out", file).finally(() => {
    isDone = true;
  });
  for (let index = 0; !isDone; index += 1) await there.set(`while ${index}`, index);
  expect(await backup).toMatchObject({ exitCode: 0, stderr: "" });
  expect(readdirSync(join(folder, "paris")).filter((name) => name.includes("backup"))).toEqual([]);
  expect((await meridian("backup", "verify", file)).stdout).toContain("a region");
  const again = await meridian("backup", "region", paris.url, "--out", file);
  expect(again).toMatchObject({ exitCode: 2 });

  // What only the lost node wrote, and what others did.
  await there.set("written later", 1, { ack: "all" });
  await here.delete("deleted later");
  await here.set("changed later", 2);
  const before = await identityOf(paris);
  await paris.stop();
  const data = join(folder, "restored");
  expect(await meridian("restore", file, "--data", data)).toMatchObject({ exitCode: 0 });
  expect(await meridian("restore", file, "--data", data)).toMatchObject({ exitCode: 2 });
  const { logger, lines } = restores();
  const place = { id: "paris", data, directory: directory.url };
  const restored = await ready(startSmallRegion({ ...place, logger }));
  expect(lines).toEqual([expect.stringContaining(`file=${file}`)]);
  expect(await identityOf(restored)).not.toBe(before);
  const client = await clientOf(restored);
  await client.set("written after", 1, { ack: "all" });
  const verified = await meridian("verify", "--directory", directory.url);
  expect(verified).toMatchObject({ exitCode: 0 });
  const keys = ["gone", "deleted later", "changed later", "written later", "written after", "k7"];
  for (const each of [client, here]) {
    const values = await Promise.all(keys.map((key) => each.get(key)));
    expect(values).toEqual([undefined, undefined, 2, 1, 1, "x"]);
  }
});

it("restores a directory, to whose log nodes that are further bring what it lacks", async () => {
  const folder = newFolder();
  const first = await startSmallDirectory({ data: join(folder, "directory") });
  const port = Number(new URL(first.url).port);
  const oslo = await ready(
    startSmallRegion({ id: "oslo", data: join(folder, "oslo"), directory: first.url }),
  );
  const client = await clientOf(oslo);
  await client.set("deleted later", 1);
  await client.set("kept", 1, { ack: "directory" });
  const file = join(folder, "directory.backup");
  const wrong = await meridian("backup", "region", first.url, "--out", file);
  expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("STORE_WRONG_KIND") });
  const running = await meridian("backup", "directory", join(folder, "directory"), "--out", file);
  expect(running).toMatchObject({ exitCode: 0 });
  await client.delete("deleted later");
  await client.set("written later", 1, { ack: "directory" });
  await first.stop();
  const data = join(folder, "restored");
  expect(await meridian("restore", file, "--data", data)).toMatchObject({ exitCode: 0 });
  const { logger, lines } = restores();
  const restored = await ready(startSmallDirectory({ data, port, logger }));
  expect(lines).toEqual([
    expect.stringContaining(`file=${file}`),
    expect.stringContaining("conditions of scope=cluster are not decided any more"),
  ]);
  await until("the node is back", async () => {
    const told = await (await fetch(`${restored.url}/nodes/oslo`)).json();
    return (told as { readonly status: string }).status === "ready";
  });
  const verified = await meridian("verify", "--directory", restored.url);
  expect(verified).toMatchObject({ exitCode: 0 });
  const fresh = await ready(
    startSmallRegion({ id: "rome", data: join(folder, "rome"), directory: restored.url }),
  );
  const reader = await clientOf(fresh);
  const keys = ["deleted later", "kept", "written later"];
  expect(await Promise.all(keys.map((key) => reader.get(key)))).toEqual([undefined, 1, 1]);
});

it("makes the next backup although the command of the one before was killed", async () => {
  const folder = newFolder();
  const place = { id: "oslo", data: join(folder, "oslo"), valueBytesMax: 2_000_000 };
  const directory = "http://127.0.0.1:1";
  const region = await ready(startSmallRegion({ ...place, directory, standalone: true }));
  const client = await clientOf(region);
  for (const key of ["a", "b", "c"]) await client.set(key, new Uint8Array(1_500_000));
  const [killed, next] = [join(folder, "killed.backup"), join(folder, "next.backup")];
  const main = await bundleSource(join(ROOT, "apps/cli/src/main.ts"));
  const backup = ["backup", "region", region.url, "--out"];
  // It waits for ten seconds after its first mebibyte.
  const argv = [main, ...backup, killed, "--rate", "100000"];
  const command = execFile(process.execPath, argv, { cwd: ROOT });
  onTestFinished(() => void command.kill("SIGKILL"));
  const ended = new Promise((resolve) => void command.once("exit", resolve));
  const part = `${killed}.part`;
  await until("a part is fetched", () => existsSync(part) && statSync(part).size > 2 ** 20);
  const refused = await meridian(...backup, next);
  expect(refused.stderr).toContain("OVERLOADED");
  command.kill("SIGKILL");
  await ended;
  await until("the next one is made", async () => (await meridian(...backup, next)).exitCode === 0);
  expect(await meridian("backup", "verify", next)).toMatchObject({ exitCode: 0 });
});

it("goes on with a backup where fetching broke off", async () => {
  const folder = newFolder();
  const directory = await ready(startSmallDirectory({ data: join(folder, "directory") }));
  const asked: number[] = [];
  let left = 2;
  const proxy = createServer((request, answer) => {
    void (async () => {
      const { method = "", url = "" } = request;
      const from = /from=(\d+)/.exec(url)?.[1];
      if (from !== undefined) asked.push(Number(from));
      const isCut = from !== undefined && (left -= 1) < 0;
      const target = isCut ? `${directory.url}/nothing` : directory.url + url;
      const given = await fetch(target, { method });
      answer.writeHead(given.status).end(Buffer.from(await given.arrayBuffer()));
    })();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const region = await ready(
    startSmallRegion({
      id: "oslo",
      data: join(folder, "oslo"),
      directory: directory.url,
      valueBytesMax: 2_000_000,
    }),
  );
  const client = await clientOf(region);
  for (const key of ["a", "b", "c"]) {
    await client.set(key, new Uint8Array(1_500_000), { ack: "directory" });
  }
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const file = join(folder, "directory.backup");
  const cut = await meridian("backup", "directory", url, "--out", file);
  expect(cut).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("goes on from there") });
  expect([existsSync(file), asked]).toEqual([false, [0, 2 ** 20, 2 ** 21]]);
  left = Infinity;
  asked.length = 0;
  const slowly = (rate: string): Promise<Outcome> =>
    meridian("backup", "directory", url, "--out", file, "--rate", rate);
  for (const odd of ["0", "-1", "fast", "9999"]) {
    const stderr = expect.stringContaining("INVALID_ARGUMENT");
    expect(await slowly(odd)).toMatchObject({ exitCode: 2, stderr });
  }
  expect(await slowly("10000000")).toMatchObject({ exitCode: 0 });
  expect(asked[0]).toBe(2 ** 21);
  expect(await meridian("backup", "verify", file)).toMatchObject({ exitCode: 0 });

  // Whoever may write no larger files has no room, whatever the disk has.
  const data = join(folder, "restored");
  const command = `trap '' XFSZ; ulimit -f 1024; exec "$0" "$@"`;
  const main = await bundleSource(join(ROOT, "apps/cli/src/main.ts"));
  const argv = ["-c", command, process.execPath, main, "restore", file, "--data", data];
  const said = await new Promise<string>((resolve) => {
    execFile("bash", argv, { cwd: ROOT }, (_, stdout, stderr) => resolve(stdout + stderr));
  });
  expect(said).toContain("STORE_FULL");
  expect(existsSync(data)).toBe(false);
  expect(await meridian("restore", file, "--data", data)).toMatchObject({ exitCode: 0 });
});
