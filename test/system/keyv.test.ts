/** Keyv's own conformance suite, from npm, over both stores. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { TlruCache } from "@meridian/cache";
import { connect } from "@meridian/client";
import { startBothPrograms } from "@meridian/harness";
import { CacheStore, MeridianStore } from "@meridian/keyv";
import * as vitest from "vitest";

const { afterAll, describe } = vitest;

type Suite = (test: typeof vitest, Keyv: unknown, store: () => unknown) => void;

// What the suite imports itself; its package also asks for databases and a test runner.
const PACKAGES = ["keyv@5.6.0", "timekeeper@2.3.1", "bignumber.js@9.3.1", "json-bigint@1.0.0"];
const SUITE = "@keyv/test-suite@2.1.2";

const folder = mkdtempSync(join(tmpdir(), "meridian-keyv-"));
const run = (file: string, ...argv: readonly string[]): string =>
  execFileSync(file, argv, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
writeFileSync(join(folder, "package.json"), '{"private":true,"type":"module"}');
run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", ...PACKAGES);
const archive = run("npm", "pack", SUITE).trim().split("\n").at(-1) ?? "";
run("tar", "xzf", archive);

const load = (path: string): Promise<Record<string, unknown>> =>
  import(/* @vite-ignore */ pathToFileURL(join(folder, path)).href) as Promise<
    Record<string, unknown>
  >;
const { default: Keyv } = await load("node_modules/keyv/dist/index.js");
const { default: suite, keyvIteratorTests: iterators } = await load("package/dist/index.js");

const programs = await startBothPrograms();
const client = await connect({ nodes: [programs.region], deadlineMs: 60_000 });
const cache = new TlruCache<string, unknown>({ maxEntries: 1_000 });

afterAll(async () => {
  client.close();
  cache.close();
  await programs.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([
  ["the cluster", () => new MeridianStore(client)],
  ["the cache of this process", () => new CacheStore(cache)],
])("Keyv over %s", (_, store) => {
  (suite as Suite)(vitest, Keyv, store);
  (iterators as Suite)(vitest, Keyv, store);
});
