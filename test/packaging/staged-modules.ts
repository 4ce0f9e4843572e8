/** Lists the third-party modules of a tree, with their licences. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A third-party module. */
export interface StagedModule {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** The texts of its licence, and of notices that must be passed on with it. */
  readonly texts: readonly string[];
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** The modules under `node_modules` of a tree and of its packages, ordered by name and version. Throws if a module has no licence. */
export function stagedModules(tree: string): readonly StagedModule[] {
  const folders = [
    tree,
    ...["apps", "packages"].flatMap((parent) => childrenOf(join(tree, parent))),
  ];
  const found = new Map<string, StagedModule>();
  for (let next = folders; next.length > 0;) {
    const modules = next.flatMap((folder) => modulesIn(join(folder, "node_modules")));
    for (const folder of modules) {
      const module = readModule(folder);
      found.set(`${module.name}@${module.version}`, module);
    }
    next = modules;
  }
  return [...found.keys()].toSorted().flatMap((key) => found.get(key) ?? []);
}

function childrenOf(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name));
}

function modulesIn(folder: string): readonly string[] {
  return childrenOf(folder).flatMap((path) => {
    const name = path.slice(folder.length + 1);
    if (name === "@meridian" || name.startsWith(".")) return [];
    return name.startsWith("@") ? childrenOf(path) : [path];
  });
}

function readModule(folder: string): StagedModule {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { readonly name: string; readonly version: string; readonly license?: string };
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (license === undefined) throw new Error(`Expected a licence of ${name}, got none`);
  return { name, version, licence: license, texts };
}
