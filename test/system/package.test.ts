/**
 * Tests the output of `npm run package`: programs that run without an installed Node.js, and a package that Debian's own tools read.
 * `npm run hunt:package` packs twice, and compares the results.
 */
import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { ROOT, until } from "@meridian/harness";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { packPrograms, type PackedPrograms } from "../packaging/pack-programs.ts";
import manifest from "../package.json" with { type: "json" };

const SLOW_MS = 300_000;
const run = promisify(execFile);
const missing = ["tar", "dpkg-deb"].find((tool) => spawnSync(tool, ["--version"]).status !== 0);
const skipped = missing === undefined ? "" : ` (skipped: ${missing} is not installed)`;
const folder = mkdtempSync(join(tmpdir(), "meridian-packed-"));

let packed: PackedPrograms;

beforeAll(async () => {
  if (missing !== undefined) return;
  await run("npx", ["turbo", "run", "build", "--output-logs=errors-only"], { cwd: ROOT });
  packed = packPrograms({ clone: ROOT, out: join(folder, "first"), level: 1 });
  execFileSync("tar", ["-xzf", packed.tarball, "-C", folder]);
}, SLOW_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Starts a program of the tree with an empty environment, and resolves to its URL. */
async function listening(program: string, args: readonly string[]): Promise<string> {
  const data = mkdtempSync(join(folder, "data-"));
  const command = join(folder, packed.name, "bin", program);
  const child: ChildProcess = spawn(command, [...args, "--data", data, "--port", "0"], {
    env: { PATH: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    if (child.exitCode === null && child.kill()) await ended;
  });
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return until(`${program} listens`, () => /listening on (\S+)/.exec(said)?.[1]);
}

describe.skipIf(missing !== undefined)(`the tarball${skipped}`, () => {
  it("runs a directory and a region with an empty PATH, and the command finds them", async () => {
    const directory = await listening("meridian-directory", []);
    const place = ["--id", "oslo", "--lat", "59.91", "--lon", "10.75"];
    const region = await listening("meridian-region", [...place, "--directory", directory]);
    await until("the region serves", async () => (await fetch(`${region}/readyz`)).ok);
    for (const url of [directory, region]) {
      const page = await fetch(url, { headers: { accept: "text/html" } });
      const [, script] = / src="(\/console\/[^"]+)"/.exec(await page.text()) ?? [];
      expect((await fetch(`${url}${script}`)).headers.get("content-type")).toMatch(/javascript/);
    }
    const meridian = (...args: readonly string[]): Promise<{ stdout: string }> =>
      run(join(folder, packed.name, "bin/meridian"), args, { env: { PATH: "" } });
    await meridian("set", "k", "v", "--ack", "all", "--directory", directory);
    expect((await meridian("get", "k", "--directory", directory)).stdout).toBe("v");
  });

  it("has its files in a fixed order, with one time and no particular owner", () => {
    const list = ["-tvzf", packed.tarball, "--numeric-owner", "--full-time"];
    const lines = execFileSync("tar", list, { encoding: "utf8", maxBuffer: 2 ** 26 }).split("\n");
    const files = lines.filter((line) => line !== "").map((line) => line.split(/ +/));
    const paths = files.map((columns) => columns[5]?.replace(/\/$/, "") ?? "");
    const facts = files.map(([, owner, , day, time]) => `${owner} ${day} ${time}`);
    expect(new Set(facts).size).toBe(1);
    expect(facts[0]).toMatch(/^0\/0 /);
    const inFolders = (path: string): string => path.replaceAll("/", "\0");
    expect(paths).toEqual(paths.toSorted((a, b) => (inFolders(a) < inFolders(b) ? -1 : 1)));
  });

  it("lists every installed module with its version and licence", () => {
    const doc = join(folder, packed.name, "share/doc");
    const bill = JSON.parse(readFileSync(packed.bill, "utf8")) as {
      readonly components: readonly { readonly name: string; readonly version: string }[];
    };
    const names = bill.components.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["node", "better-sqlite3", "commander", "preact", "ws"]),
    );
    const modules = readdirSync(join(folder, packed.name, "node_modules")).filter(
      (name) => !name.startsWith("@") && !name.startsWith("."),
    );
    expect(modules.filter((name) => !names.includes(name))).toEqual([]);
    const licences = readFileSync(join(doc, "THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const { name, version } of bill.components.slice(1)) {
      expect(licences).toContain(`\n${name} ${version} (`);
    }
  });

  it("has nothing of the playground, which is for development alone", () => {
    const command = readdirSync(join(folder, packed.name, "apps/cli"));
    expect(command).toContain("dist");
    expect(command).not.toContain("playground");
  });

  it("does not contain the path of the clone that it was packed from", async () => {
    const grep = run("grep", ["-rlF", ROOT, join(folder, packed.name)]);
    await expect(grep).rejects.toMatchObject({ code: 1, stdout: "" });
  });
});

describe.skipIf(missing !== undefined)(`the packages of Debian${skipped}`, () => {
  it("install the programs in a folder of their version, and other files where Debian expects them", async () => {
    const { tree, command } = packed.debian;
    const root = join(folder, "root");
    mkdirSync(root);
    await run("dpkg-deb", ["-x", tree, root]);
    expect(readdirSync(root)).toEqual(["opt"]);
    expect(readdirSync(join(root, "opt/meridian"))).toEqual([packed.name]);
    await run("dpkg-deb", ["-x", command, root]);
    expect(readdirSync(join(root, "opt/meridian"))).toEqual([packed.name]);
    expect(readdirSync(join(root, "usr/lib/systemd/system"))).toEqual([
      "meridian-directory.service",
      "meridian-region@.service",
    ]);
    const commands = ["meridian", "meridian-directory", "meridian-region"];
    expect(readdirSync(join(root, "usr/bin"))).toEqual(commands);
    const pages = readdirSync(join(root, "usr/share/man/man1"));
    expect(pages).toEqual(
      expect.arrayContaining(["meridian-doctor.1", ...commands.map((name) => `${name}.1`)]),
    );
    expect(readdirSync(join(root, "usr/share/bash-completion/completions"))).toEqual(["meridian"]);
    const unit = readFileSync(
      join(root, "usr/lib/systemd/system/meridian-region@.service"),
      "utf8",
    );
    expect(unit).toContain("ExecStart=/opt/meridian/current/bin/node ");
  });

  it("are one for each version, and one that needs it", async () => {
    const { version } = manifest;
    const told = [packed.debian.tree, packed.debian.command].map(async (file) => {
      const fields = ["Package", "Version", "Depends"];
      return (await run("dpkg-deb", ["--field", file, ...fields])).stdout;
    });
    expect(await Promise.all(told)).toEqual([
      `Package: meridian-${version}\nVersion: ${version}\nDepends: libc6 (>= 2.28), libstdc++6\n`,
      `Package: meridian\nVersion: ${version}\nDepends: meridian-${version} (= ${version})\n`,
    ]);
  });
});
