/**
 * Checks what `npm pack` makes of every published package, in a clone in which only `npm ci` has run: a copy
 * of the tracked files, with the installed modules of this tree.
 */
import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { ROOT, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { packModules, type PackedModule } from "../packaging/pack-modules.ts";
import { packageFolders, publishedFolders } from "./published.ts";
import { apiReports, type ApiReport } from "./reports.ts";

const SLOW_MS = 600_000;
const run = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

interface Packed {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const folders = packageFolders();
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as Manifest;
const published = publishedFolders();

let clone: string;
let packed: readonly Packed[];
let reports: readonly ApiReport[];

/** The module resolutions of CommonJS and of Node.js before 12, which no package supports. */
const CJS_RESOLUTIONS: readonly unknown[] = ["node10", "node16-cjs"];
/** Entries without types of their own. */
const SOURCES_ONLY = [/^\.\/source\//, /^\.\/openapi\//];

/** Packages that need, together, most of the others. */
const ALONE = ["packages/client", "packages/certificates", "apps/directory", "apps/region"];

function tarballOf(manifest: Manifest): string {
  return packed.find(({ name }) => name === manifest.name)?.filename ?? "";
}

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

/** The options for running a command in the clone. It reuses the build cache of this tree. */
function inClone(): { readonly cwd: string; readonly env: NodeJS.ProcessEnv } {
  return { cwd: clone, env: { ...process.env, TURBO_CACHE_DIR: join(ROOT, ".turbo/cache") } };
}

/** Packs packages in the clone. */
async function pack(which: readonly string[], ...args: readonly string[]): Promise<Packed[]> {
  const workspaces = which.flatMap((folder) => ["-w", folder]);
  const argv = ["pack", "--json", "--pack-destination", clone, ...args, ...workspaces];
  const { stdout } = await run("npm", argv, { ...inClone(), maxBuffer: 2 ** 26 });
  // What `prepack` prints comes first.
  return JSON.parse(stdout.slice(stdout.search(/^\[\s*$/m))) as Packed[];
}

beforeAll(async () => {
  clone = await makeClone();
  // The first is packed as it is: it builds itself, and what it needs. All are built as it is, and need not try that again.
  const [first = "", ...others] = published;
  const alone = await pack([first]);
  await run("npx", ["turbo", "run", "build", "--output-logs=errors-only"], inClone());
  packed = [...alone, ...(await pack(others, "--ignore-scripts"))];
  reports = apiReports(clone, published);
}, SLOW_MS);

afterAll(() => rmSync(clone, { recursive: true, force: true }));

describe.each(published)("the tarball of %s", (folder) => {
  const manifest = manifestOf(folder);
  const paths = (): readonly string[] =>
    packed.find(({ name }) => name === manifest.name)?.files.map(({ path }) => path) ?? [];

  it("is built before it is packed", () => {
    expect(manifest.scripts?.["prepack"]).toBe(`turbo run build --filter=${manifest.name}`);
    expect(paths().some((path) => path.startsWith("dist/"))).toBe(true);
  });

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

  it("has a manifest that publint finds nothing to say against", async () => {
    const file = readFileSync(join(clone, tarballOf(manifest)));
    const tarball = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it("has types that fit its modules, for ES modules and bundlers", async () => {
    const tarball = readFileSync(join(clone, tarballOf(manifest)));
    const checked = await checkPackage(createPackageFromTarballData(tarball), {
      excludeEntrypoints: SOURCES_ONLY,
    });
    const problems = "problems" in checked ? checked.problems : [{ kind: "no types" }];
    const isForModules = (problem: object): boolean =>
      !("resolutionKind" in problem) || !CJS_RESOLUTIONS.includes(problem.resolutionKind);
    expect(problems.filter(isForModules)).toEqual([]);
  });

  it("exports what its reports say; `npm run api` writes them anew", () => {
    const made = reports.filter(({ file }) => file.startsWith(`${folder}/`));
    expect(made.length).toBeGreaterThan(0);
    const kept = made.map(({ file }) => {
      const path = join(ROOT, file);
      return { file, text: existsSync(path) ? readFileSync(path, "utf8") : "" };
    });
    expect(made).toEqual(kept);
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

let modules: readonly PackedModule[];
const folder = mkdtempSync(join(tmpdir(), "meridian-alone-"));
const environment = { PATH: process.env["PATH"] ?? "", HOME: folder };
beforeAll(() => {
  modules = packModules({ clone, folders: ALONE, out: folder, epoch: 1_700_000_000 });
}, SLOW_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a tarball that installs alone", () => {
  it(
    "of the client is installed by npm without a registry, and sets and gets by `import` and `require`",
    async () => {
      const { file = "", outside } = modules.find(({ name }) => name === "@meridian/client") ?? {};
      expect(outside).toEqual([]);
      const app = join(folder, "app");
      mkdirSync(app);
      const quiet = ["--offline", "--no-audit", "--no-fund"];
      await run("npm", ["install", file, ...quiet], { cwd: app, env: environment });
      const directory = await startSmallDirectory({ data: join(folder, "directory") });
      onTestFinished(() => directory.stop());
      const data = join(folder, "oslo");
      const region = await startSmallRegion({ id: "oslo", data, directory: directory.url });
      onTestFinished(() => region.stop());
      await until("the region is ready", () => region.status === "ready");
      const program = (way: string): string => `
      const { connect } = ${way};
      const cache = await connect({ nodes: ["${region.url}"] });
      await cache.set("k", { n: 1 });
      console.log(JSON.stringify(await cache.get("k")));
      await cache.close();`;
      const programs = {
        "by-import.mjs": program('await import("@meridian/client")'),
        "by-require.cjs": `(async () => {${program('require("@meridian/client")')}})();`,
      };
      for (const [name, text] of Object.entries(programs)) {
        writeFileSync(join(app, name), text);
        const { stdout } = await run(process.execPath, [name], { cwd: app, env: environment });
        expect([name, stdout]).toEqual([name, '{"n":1}\n']);
      }
    },
    SLOW_MS,
  );
});

describe("another tarball that installs alone", () => {
  it(
    "has all that its modules import, whatever its package needs",
    async () => {
      const places = modules.map(({ name, file, outside }) => {
        const place = join(folder, "each", name.replace("/", "-"), "node_modules", name);
        mkdirSync(place, { recursive: true });
        execFileSync("tar", ["-xzf", file, "-C", place, "--strip-components=1"]);
        for (const other of outside) {
          symlinkSync(join(ROOT, "node_modules", other), join(place, "node_modules", other));
        }
        return { name, place };
      });
      expect(places).toHaveLength(ALONE.length);
      expect(new Set(modules.flatMap(({ outside }) => outside))).toEqual(
        new Set(["better-sqlite3"]),
      );
      const imports = places.flatMap(({ name, place }) => {
        const { exports = {} } = JSON.parse(
          readFileSync(join(place, "package.json"), "utf8"),
        ) as Manifest;
        const entries = Object.entries(exports)
          .filter(([path, entry]) => !path.includes("*") && typeof entry === "object")
          .map(([path]) => join(name, path));
        const from = JSON.stringify(join(place, "package.json"));
        return entries.map(
          (entry) =>
            `await import(pathToFileURL(createRequire(${from}).resolve("${entry}")).href);`,
        );
      });
      const text = [
        'import { createRequire } from "node:module";',
        'import { pathToFileURL } from "node:url";',
        ...imports,
        "process.exit(0);",
      ].join("\n");
      const file = join(folder, "each", "all.mjs");
      writeFileSync(file, text);
      await run(process.execPath, [file], { cwd: folder, env: environment });
    },
    SLOW_MS,
  );
});
