/**
 * Installs the packages of two versions with Debian's dpkg under a root of their own, and upgrades and goes back while a process runs from the
 * first version. The trees are small: two files and what the packages put elsewhere.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, describe, expect, it, onTestFinished } from "vitest";

import { makeDebianPackages, type DebianPackages } from "../packaging/archives.ts";

const run = promisify(execFile);
const missing = ["dpkg", "dpkg-deb"].find((tool) => spawnSync(tool, ["--version"]).status !== 0);
const skipped = missing === undefined ? "" : ` (skipped: ${missing} is not installed)`;
const folder = mkdtempSync(join(tmpdir(), "meridian-debian-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const treeOf = (version: string): string => `meridian-${version}-linux-x64`;

/** The packages of a version whose program is a copy of `sleep`. */
function packagesOf(version: string): DebianPackages {
  const tree = join(folder, treeOf(version));
  const files = {
    "apps/directory/systemd/meridian-directory.service": version,
    "apps/region/systemd/meridian-region@.service": version,
    "share/man/man1/meridian.1": version,
    "share/bash-completion/completions/meridian": version,
    "share/zsh/vendor-completions/_meridian": version,
    "share/fish/vendor_completions.d/meridian.fish": version,
    "share/doc/LICENSE": version,
    "bin/meridian": version,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(tree, path, ".."), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  copyFileSync("/bin/sleep", join(tree, "bin/node"));
  return makeDebianPackages(
    { tree, version, epoch: 1_700_000_000, out: folder, level: 1 },
    join(folder, `work-${version}`),
  );
}

/** An empty machine, on which Debian's own libraries are taken for granted. */
function machine(): {
  readonly root: string;
  readonly dpkg: (...args: readonly string[]) => Promise<unknown>;
} {
  const root = mkdtempSync(join(folder, "root-"));
  mkdirSync(join(root, "var/lib/dpkg/info"), { recursive: true });
  mkdirSync(join(root, "var/lib/dpkg/updates"));
  for (const name of ["status", "available"]) writeFileSync(join(root, "var/lib/dpkg", name), "");
  const libraries = ["libc6", "libstdc++6"].map(
    (name) =>
      `Package: ${name}\nStatus: install ok installed\nVersion: 99\nArchitecture: ${process.arch === "x64" ? "amd64" : "arm64"}\nMaintainer: nobody\nDescription: taken for granted\n`,
  );
  writeFileSync(join(root, "var/lib/dpkg/status"), libraries.join("\n"));
  // The scripts of the packages run outside of the root, which has no shell, and are told of it.
  const options = [`--root=${root}`, "--force-script-chrootless", "--force-not-root"];
  return { root, dpkg: (...args) => run("dpkg", [...options, "--log=/dev/null", ...args]) };
}

describe.skipIf(missing !== undefined)(`the packages of two versions${skipped}`, () => {
  it("are installed side by side: an upgrade takes nothing from a process of the old one, and the way back is a link or a package", async () => {
    const { root, dpkg } = machine();
    const [old, next] = [packagesOf("1.0.0"), packagesOf("1.1.0")];
    const current = (): string => readlinkSync(join(root, "opt/meridian/current"));
    const inTree = (version: string, path: string): string =>
      join(root, "opt/meridian", treeOf(version), path);
    const unit = (): string =>
      readFileSync(join(root, "usr/lib/systemd/system/meridian-directory.service"), "utf8");
    await dpkg("-i", old.tree, old.command);
    expect([current(), unit()]).toEqual([treeOf("1.0.0"), "1.0.0"]);
    const running = spawn(inTree("1.0.0", "bin/node"), ["1000"], { stdio: "ignore" });
    onTestFinished(() => void running.kill());
    await once(running, "spawn");

    await dpkg("-i", next.tree, next.command);
    expect([current(), unit()]).toEqual([treeOf("1.1.0"), "1.1.0"]);
    expect(readFileSync(inTree("1.0.0", "bin/meridian"), "utf8")).toBe("1.0.0");
    // What a process runs from cannot be removed, and neither can what starts next.
    const runs = expect.stringContaining(`Process ${running.pid} runs from`);
    await expect(dpkg("-r", "meridian-1.0.0")).rejects.toMatchObject({ stderr: runs });
    const leads = expect.stringContaining("current leads to");
    await expect(dpkg("-r", "--force-depends", "meridian-1.1.0")).rejects.toMatchObject({
      stderr: leads,
    });
    expect(existsSync(inTree("1.0.0", "bin/node"))).toBe(true);

    await dpkg("-i", old.command);
    expect([current(), unit()]).toEqual([treeOf("1.0.0"), "1.0.0"]);
    expect(readFileSync(inTree("1.1.0", "bin/meridian"), "utf8")).toBe("1.1.0");
    await dpkg("-r", "meridian-1.1.0");
    expect(existsSync(inTree("1.1.0", "bin"))).toBe(false);

    const ended = once(running, "exit");
    running.kill();
    await ended;
    await dpkg("-r", "meridian", "meridian-1.0.0");
    expect(existsSync(join(root, "opt/meridian"))).toBe(false);
  });
});
