import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const src = fileURLToPath(new URL("../src", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** Bytes of what an import pulls in: bundled, minified, gzipped. */
async function sizeOf(code: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: src, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    write: false,
  });
  return gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
}

/** The number after some words of the README, which speaks of kB. */
const stated = (words: string): number => Number(readme.split(words)[1]?.match(/[\d.]+/)?.[0]);

describe("the size of an import", () => {
  it("of the core is 4,096 bytes at most, and what the README says", async () => {
    const bytes = await sizeOf('export { CoreCache } from "./core.ts"');
    expect(bytes).toBeLessThanOrEqual(4_096);
    expect(Math.abs(bytes / 1_000 - stated("the core is"))).toBeLessThan(0.1);
  });

  it("of everything is what the README says", async () => {
    const bytes = await sizeOf('export * from "./index.ts"');
    expect(Math.abs(bytes / 1_000 - stated("everything is"))).toBeLessThan(0.1);
  });
});
