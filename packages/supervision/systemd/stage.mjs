/**
 * Copies what the installed programs need, and nothing else, from a built clone into an empty folder:
 *
 *   node stage.mjs <clone> <target> <app folder>...
 *
 * The lock file says which modules an app reaches at run time. Workspaces are copied as their built `dist`,
 * everything under `node_modules` as it is, and links between workspaces are made anew.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const [clone = "", target = "", ...apps] = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync(join(clone, "package-lock.json"), "utf8"));

/** A module's own modules, which are copied when they are reached, and what the build keeps for itself. */
const NEEDLESS = /[\\/](node_modules|\.tsbuildinfo)$/;

/** What an add-on was compiled from and by, which tells of the folder where that was; all but the add-on itself. */
const COMPILED =
  /^[\\/](deps|src|binding\.gyp)$|^[\\/]build[\\/](?!Release$|Release[\\/][^\\/]*\.node$)|[\\/]test_extension\.node$/;

const open = [...apps];
const seen = new Set();
for (let place = open.pop(); place !== undefined; place = open.pop()) {
  if (seen.has(place)) continue;
  seen.add(place);
  if (packages[place].link) {
    open.push(packages[place].resolved);
    link(place, packages[place].resolved);
  } else {
    copy(place);
    for (const name of dependenciesOf(packages[place])) {
      const found = find(place, name);
      if (found !== undefined) open.push(found);
    }
  }
}

function dependenciesOf(manifest) {
  const peers = Object.keys(manifest.peerDependencies ?? {}).filter(
    (name) => manifest.peerDependenciesMeta?.[name]?.optional !== true,
  );
  return [
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
    ...peers,
  ];
}

/** Where Node.js finds `name` from inside `place`; undefined for an optional one that this platform has not. */
function find(place, name) {
  for (let from = place; ; from = dirname(from)) {
    const candidate = join(from === "." ? "" : from, "node_modules", name);
    if (packages[candidate] !== undefined && existsSync(join(clone, candidate))) return candidate;
    if (from === ".") return undefined;
  }
}

function copy(place) {
  const parts = place.startsWith("node_modules/") ? [""] : ["package.json", "dist", "systemd"];
  const isAddOn = existsSync(join(clone, place, "binding.gyp"));
  const isNeeded = (path) => !NEEDLESS.test(path) && !(isAddOn && COMPILED.test(path));
  for (const part of parts.filter((each) => existsSync(join(clone, place, each)))) {
    cpSync(join(clone, place, part), join(target, place, part), {
      recursive: true,
      filter: (source) => isNeeded(source.slice(join(clone, place).length)),
    });
  }
}

function link(place, resolved) {
  mkdirSync(join(target, dirname(place)), { recursive: true });
  symlinkSync(relative(dirname(place), resolved), join(target, place));
}
