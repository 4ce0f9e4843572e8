/** Finds the programs of Meridian that a benchmark runs: of a checkout that is built, or of a kept release. */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

import type { NodePrograms } from "@meridian/local-cluster";

import { unpackRelease } from "../../upgrade/kept-release.ts";
import type { Workplace } from "./workplace.ts";

/** The built programs of a checkout. Throws if it is not built. */
export function builtPrograms(checkout: string): NodePrograms {
  const guard = join(checkout, "packages/local-cluster/dist/exit-with-parent.js");
  const [directory, region] = ["directory", "region"].map((name) =>
    join(checkout, `apps/${name}/dist/main.js`),
  );
  for (const file of [directory, region, guard]) {
    if (file === undefined || !existsSync(file)) {
      throw new Error(`Expected a checkout that is built (npm run build), got no ${file}`);
    }
  }
  const execArgv = ["--import", guard];
  return {
    directory: { entry: directory ?? "", execArgv },
    region: { entry: region ?? "", execArgv },
  };
}

/** The programs of a folder: a checkout that is built, or the tarballs of a release. */
export function programsIn(workplace: Workplace, folder: string): NodePrograms {
  const path = resolve(folder);
  if (!existsSync(path)) throw new Error(`Expected a folder, got ${path}, which does not exist`);
  if (!readdirSync(path).some((name) => name.endsWith(".tgz"))) return builtPrograms(path);
  const { programs, remove } = unpackRelease(path);
  workplace.atEnd(remove);
  return programs;
}
