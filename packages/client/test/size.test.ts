/** What a page loads that uses the client. */
import { basename } from "node:path";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";
import { expect, it } from "vitest";

it("is at most 41 kB, and 19 kB more for WebSockets and a near cache if it uses both", async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: 'export { connect } from "@meridian/client";',
      resolveDir: import.meta.dirname,
    },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "browser",
    conditions: ["@meridian/source"],
    outdir: "out",
    write: false,
    metafile: true,
  });
  const [[, entry] = []] = Object.entries(metafile.outputs).filter(
    ([, { entryPoint }]) => entryPoint === "<stdin>",
  );
  const later = new Set(
    entry?.imports
      .filter(({ kind }) => kind === "dynamic-import")
      .map(({ path }) => basename(path)),
  );
  const bytes = { first: 0, later: 0 };
  for (const { path, contents } of outputFiles) {
    bytes[later.has(basename(path)) ? "later" : "first"] += gzipSync(contents).length;
  }
  expect(later.size).toBe(2);
  expect(bytes.first).toBeLessThan(41_000);
  expect(bytes.later).toBeLessThan(19_000);
});
