/**
 * The tarball of the client, alone in an empty folder, against a region: under Node.js by `import` and by `require`, and under the releases of Deno and
 * Bun that npm has.
 */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { ROOT, startBothPrograms } from "@meridian/harness";
import { afterAll, describe, expect, it } from "vitest";

import { packModules } from "../packaging/pack-modules.ts";
import { NpmFolder } from "../support/npm-folder.ts";

const run = promisify(execFile);
const folder = new NpmFolder();
const app = join(folder.path, "app");

/** The programs of other projects, by the names that npm has for this machine. */
const OTHERS = {
  deno: { name: `@deno/${process.platform}-${process.arch}-glibc`, version: "2.9.6", file: "deno" },
  bun: {
    name: `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : "x64"}`,
    version: "1.4.5",
    file: "bin/bun",
  },
};

/** The path of a program that npm has for this machine, or undefined. */
function fetched({ name, version, file }: (typeof OTHERS)["deno"]): string | undefined {
  try {
    folder.install(`${name}@${version}`);
  } catch {
    return undefined;
  }
  const path = join(folder.path, "node_modules", name, file);
  return existsSync(path) ? path : undefined;
}

const deno = fetched(OTHERS.deno);
const bun = fetched(OTHERS.bun);

execFileSync("npx", ["turbo", "run", "build", "--filter=@meridian/client"], {
  cwd: ROOT,
  stdio: "ignore",
});
const [packed] = packModules({
  clone: ROOT,
  folders: ["packages/client"],
  out: join(folder.path, "packed"),
  epoch: 1_700_000_000,
});
mkdirSync(app);
writeFileSync(join(app, "package.json"), '{"private":true}');
execFileSync("npm", ["install", packed?.file ?? "", "--offline", "--no-audit", "--no-fund"], {
  cwd: app,
  stdio: "ignore",
});
const programs = await startBothPrograms();

afterAll(async () => {
  await programs.stop();
  folder.remove();
});

const USE = `
  const cache = await connect({ directory: process.argv[2], location: { lat: 1, lon: 2 }, deadlineMs: 60_000 });
  const prefix = process.argv[3] + ":";
  const mine = cache.namespace(process.argv[3], { ttl: "1h", codec: richJson() });
  const told = [];
  let live;
  const isLive = new Promise((resolve) => (live = resolve));
  const watching = (async () => {
    for await (const event of cache.watch({ prefix, onLive: live })) {
      told.push(event.event + " " + event.key.slice(prefix.length));
      if (event.event === "delete") return;
    }
  })();
  await isLive;
  await mine.set("map", new Map([[1n, new Date(0)]]));
  const map = await mine.get("map");
  await cache.set(prefix + "bytes", Uint8Array.of(0, 255));
  const bytes = await cache.get(prefix + "bytes");
  const loaded = await mine.getOrSet("loaded", async () => ({ n: 1 }));
  const ttl = await mine.ttl("loaded");
  // The fetch of Node.js forgets the signal of a stream in a collection; the end of the watch has to end the stream, and the process, anyway.
  globalThis.gc?.();
  await mine.delete("map");
  await watching;
  const refused = await cache.set(prefix + "odd", undefined).catch((error) => isMeridianError(error, "INVALID_ARGUMENT"));
  cache.close();
  console.log(JSON.stringify([map.get(1n).getTime(), [...bytes], loaded, ttl > 0, refused, told]));`;

const NAMES = "{ connect, isMeridianError, richJson }";
const MODULE = `import process from "node:process";\nimport ${NAMES} from "@meridian/client";\n${USE}`;
const COMMON = `const ${NAMES} = require("@meridian/client");\n(async () => {${USE}\n})();`;

const GC = ["--expose-gc"];
const ALLOWED = ["run", "--quiet", "--node-modules-dir=manual", "--allow-net", "--allow-read"];

const RUNTIMES: readonly (readonly [
  string,
  string | undefined,
  readonly string[],
  string,
  string,
])[] = [
  ["Node.js by import", process.execPath, GC, "program.mjs", MODULE],
  ["Node.js by require", process.execPath, GC, "program.cjs", COMMON],
  ["Deno", deno, ALLOWED, "deno.mjs", MODULE],
  ["Bun by import", bun, [], "bun.mjs", MODULE],
  ["Bun by require", bun, [], "bun.cjs", COMMON],
];

describe.each(RUNTIMES)("%s", (_, program, argv, file, text) => {
  it.skipIf(program === undefined)(
    `runs a program that reads, writes and watches, and ends${program === undefined ? " (skipped: npm has none for this machine)" : ""}`,
    async () => {
      writeFileSync(join(app, file), text);
      const prefix = file.replace(".", "-");
      const { stdout } = await run(program ?? "", [...argv, file, programs.directory, prefix], {
        cwd: app,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder.path },
        timeout: 60_000,
      });
      expect(JSON.parse(stdout)).toEqual([
        0,
        [0, 255],
        { n: 1 },
        true,
        true,
        ["set map", "set bytes", "set loaded", "delete map"],
      ]);
    },
  );
});
