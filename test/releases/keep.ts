/**
 * `npm run release:keep -- <version>`: keeps the JavaScript of all published packages, so that tests can run later versions beside it.
 * Each package becomes `test/releases/<version>/<package>.tgz`: the output of `npm pack` without sources, maps and types. The
 * same packages give the same bytes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { ROOT } from "@meridian/harness";

import { publishedFolders } from "../api/published.ts";

const BYTES_MAX = 2 * 1024 * 1024;
const LEFT_OUT = ["package/src", "*.map", "*.d.ts", "*.md"];
/** Options of tar for an order, a date and an owner that do not depend on the machine. */
const NEUTRAL = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];

function versionOf(folder: string): string {
  const text = readFileSync(join(ROOT, folder, "package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

const [version = ""] = process.argv.slice(2);
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  throw new Error(`Expected a version such as 0.2.0, got \`${version}\``);
}
const target = join(ROOT, "test/releases", version);
const folders = publishedFolders();
const others = folders.filter((folder) => versionOf(folder) !== version);
if (others.length > 0) {
  const found = others.map((folder) => `${folder} ${versionOf(folder)}`).join(", ");
  throw new Error(`Expected packages of version ${version}, got ${found}`);
}
const work = mkdtempSync(join(tmpdir(), "meridian-release-"));
try {
  const workspaces = folders.flatMap((folder) => ["-w", folder]);
  // All is built already: `prepack` would try that again for each package.
  const argv = ["pack", "--ignore-scripts", "--pack-destination", work, ...workspaces];
  execFileSync("npm", argv, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  // Not before all is packed: what is kept stays until there is something to put in its place.
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  let bytes = 0;
  for (const name of folders.map((folder) => basename(folder))) {
    const unpacked = join(work, name);
    mkdirSync(unpacked);
    const made = execFileSync("find", [work, "-name", `meridian-${name}-[0-9]*.tgz`]);
    execFileSync("tar", ["xzf", made.toString().trim(), "-C", unpacked]);
    const file = join(target, `${name}.tgz`);
    const excluded = LEFT_OUT.map((pattern) => `--exclude=${pattern}`);
    const argv = [...NEUTRAL, ...excluded, "-I", "gzip -9n", "-cf", file, "package"];
    execFileSync("tar", argv, { cwd: unpacked });
    bytes += statSync(file).size;
  }
  if (bytes > BYTES_MAX) throw new Error(`Expected at most ${BYTES_MAX} bytes, got ${bytes}`);
  console.log(`test/releases/${version}: ${folders.length} packages, ${bytes} bytes`);
} finally {
  rmSync(work, { recursive: true });
}
