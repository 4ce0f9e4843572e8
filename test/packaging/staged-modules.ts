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

/** What a page of an app is made of, as its bundler lists it. */
const BUNDLED = "dist/page/licenses.json";

/**
 * The modules under `node_modules` of a tree and of its packages, and those that are part of a page, ordered by name and version. Throws if a
 * module has no licence.
 */
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
  for (const module of folders.flatMap(bundledIn)) {
    found.set(`${module.name}@${module.version}`, module);
  }
  return [...found.keys()].toSorted().flatMap((key) => found.get(key) ?? []);
}

function bundledIn(folder: string): readonly StagedModule[] {
  const file = join(folder, BUNDLED);
  if (!existsSync(file)) return [];
  const listed = JSON.parse(readFileSync(file, "utf8")) as readonly {
    readonly name: string;
    readonly version: string;
    readonly identifier: string;
    readonly text: string;
  }[];
  return listed.map(({ name, version, identifier, text }) => {
    return { name, version, licence: identifier, texts: [text.trim()] };
  });
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
