/**
 * What `npm pack` makes of every package that may be published, in a clone in which nothing but `npm ci` has run: a copy
 * of the tracked files, with the modules of this one.
 */
import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SLOW_MS = 600_000;
const run = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const folders = ["packages", "apps"].flatMap((parent) =>
  readdirSync(join(ROOT, parent))
    .map((name) => join(parent, name))
    .filter((folder) => existsSync(join(ROOT, folder, "package.json"))),
);
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as Manifest;
const published = folders.filter((folder) => manifestOf(folder).private !== true);

let clone: string;
let packed: readonly Packed[];

/** Copies the tracked files, and links the modules: those of the workspaces to the copies. */
async function makeClone(): Promise<string> {
  const target = mkdtempSync(join(tmpdir(), "meridian-clone-"));
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await run("git", list, { cwd: ROOT, maxBuffer: 2 ** 26 });
  for (const file of stdout.split("\0").filter((path) => existsSync(join(ROOT, path)))) {
    if (file === "") continue;
    mkdirSync(dirname(join(target, file)), { recursive: true });
    cpSync(join(ROOT, file), join(target, file));
  }
  for (const folder of ["", ...folders]) {
    const modules = join(ROOT, folder, "node_modules");
    if (!existsSync(modules)) continue;
    mkdirSync(join(target, folder, "node_modules"), { recursive: true });
    for (const name of readdirSync(modules)) {
      if (name === "@meridian") continue;
      symlinkSync(join(modules, name), join(target, folder, "node_modules", name));
    }
  }
  mkdirSync(join(target, "node_modules/@meridian"));
  for (const folder of folders) {
    const name = manifestOf(folder).name;
    symlinkSync(join(target, folder), join(target, "node_modules", name));
  }
  return target;
}

beforeAll(async () => {
  clone = await makeClone();
  const workspaces = published.flatMap((folder) => ["-w", folder]);
  const argv = ["pack", "--json", "--pack-destination", clone, ...workspaces];
  const { stdout } = await run("npm", argv, { cwd: clone, maxBuffer: 2 ** 26 });
  // What `prepack` prints comes first.
  packed = JSON.parse(stdout.slice(stdout.search(/^\[\s*$/m))) as readonly Packed[];
}, SLOW_MS);

afterAll(() => rmSync(clone, { recursive: true, force: true }));

describe.each(published)("the tarball of %s", (folder) => {
  const manifest = manifestOf(folder);
  const paths = (): readonly string[] =>
    packed.find(({ name }) => name === manifest.name)?.files.map(({ path }) => path) ?? [];

  it("holds the licence, and everything that it says it has", () => {
    const promised = [
      ...Object.values(manifest.exports ?? {}).flatMap((each) =>
        typeof each === "string" ? [each] : Object.values(each),
      ),
      ...Object.values(manifest.bin ?? {}),
    ].map((path) => path.replace(/^\.\//, ""));
    expect(promised.length).toBeGreaterThan(0);
    const files = paths();
    // A pattern stands for one file at least.
    const isThere = (path: string): boolean => {
      const [start = "", end] = path.split("*");
      if (end === undefined) return files.includes(path);
      return files.some((file) => file.startsWith(start) && file.endsWith(end));
    };
    expect([...promised, "LICENSE", "package.json"].filter((path) => !isThere(path))).toEqual([]);
    const licence = readFileSync(join(ROOT, folder, "LICENSE"), "utf8");
    expect(licence).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
  });

  it("holds no tests, and nothing that the build keeps for itself", () => {
    const foreign = paths().filter((path) => /^(test|bench)\/|tsbuildinfo|node_modules/.test(path));
    expect(foreign).toEqual([]);
  });

  it("needs what its manifest says, no more and no less", () => {
    const dist = join(clone, folder, "dist");
    const code = readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(js|d\.ts)$/.test(path))
      .map((path) => readFileSync(join(dist, path), "utf8"))
      .join("\n");
    const imported = [...code.matchAll(/^(?:import|export)\b[^";]*?from "([^".][^"]*)"/gm)]
      .map(([, name = ""]) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))
      .filter((name) => !name.startsWith("node:"));
    const declared = Object.keys(manifest.dependencies ?? {});
    expect(declared.filter((name) => !code.includes(`"${name}`))).toEqual([]);
    expect([...new Set(imported)].filter((name) => !declared.includes(name))).toEqual([]);
  });
});
