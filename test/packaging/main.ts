/**
 * Packs the programs for machines without Node.js: `npm run package -- [--out <folder>]`. With `--twice` it packs them a second time, and
 * fails unless both give the same bytes.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { ROOT } from "@meridian/harness";

import { packPrograms } from "./pack-programs.ts";

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "release" },
    twice: { type: "boolean", default: false },
  },
});
execFileSync("npx", ["turbo", "run", "build", "--output-logs=errors-only"], {
  cwd: ROOT,
  stdio: ["ignore", "ignore", "inherit"],
});
const { tarball, debian, bill, sums } = packPrograms({ clone: ROOT, out: values.out });
const files = [tarball, debian.tree, debian.command, bill, sums];
process.stdout.write(`${files.join("\n")}\n`);
if (values.twice) {
  const folder = mkdtempSync(join(tmpdir(), "meridian-again-"));
  try {
    const again = packPrograms({ clone: ROOT, out: folder });
    const [first, second] = [sums, again.sums].map((file) => readFileSync(file, "utf8"));
    if (first !== second) throw new Error(`Expected the same sums, got\n${first}and\n${second}`);
    process.stdout.write("once more: the same bytes\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
