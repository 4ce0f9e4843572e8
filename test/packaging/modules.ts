/** Packs the npm packages so that each installs alone: `npm run package:npm -- [--out <folder>]`. */
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";

import { ROOT } from "@meridian/harness";

import { publishedFolders } from "../api/published.ts";
import { packModules } from "./pack-modules.ts";
import { epochOf } from "./pack-programs.ts";

const { values } = parseArgs({ options: { out: { type: "string", default: "release" } } });
execFileSync("npx", ["turbo", "run", "build", "--output-logs=errors-only"], {
  cwd: ROOT,
  stdio: ["ignore", "ignore", "inherit"],
});
const packed = packModules({
  clone: ROOT,
  folders: publishedFolders(),
  out: values.out,
  epoch: epochOf(ROOT),
});
process.stdout.write(packed.map(({ file }) => `${file}\n`).join(""));
