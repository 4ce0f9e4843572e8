/**
 * Makes the tree of an installed version: the built programs, Node.js, and everything else that an operator needs. The tree works in
 * any folder.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { billOfMaterials, thirdPartyLicences } from "./bill-of-materials.ts";
import { stagedModules } from "./staged-modules.ts";

/** The options of `makeTree`. */
export interface TreeOptions {
  /** A built clone. */
  readonly clone: string;
  readonly target: string;
  readonly version: string;
  /** In seconds since the Unix epoch. */
  readonly epoch: number;
}

/** The programs, by the names of their commands. */
const COMMANDS = {
  meridian: "cli",
  "meridian-directory": "directory",
  "meridian-region": "region",
};

const APPS = ["apps/directory", "apps/region", "apps/cli"];

/** Makes the tree in `target`, a folder that must not exist. */
export function makeTree({ clone, target, version, epoch }: TreeOptions): void {
  const systemd = join(clone, "packages/supervision/systemd");
  const node = process.execPath;
  mkdirSync(join(target, "bin"), { recursive: true });
  execFileSync(node, [join(systemd, "stage.mjs"), clone, target, ...APPS]);
  cpSync(node, join(target, "bin/node"));
  for (const [name, app] of Object.entries(COMMANDS)) {
    const file = join(target, "bin", name);
    writeFileSync(file, commandScript(app));
    chmodSync(file, 0o755);
  }
  put(join(clone, "LICENSE"), target, "share/doc");
  writeManual(target);
  const contents = {
    version,
    epoch,
    node: { version: process.versions.node, file: node, licence: licenceOf(node) },
    modules: stagedModules(target),
  };
  writeFileSync(join(target, "share/doc/THIRD-PARTY-LICENSES.txt"), thirdPartyLicences(contents));
  writeFileSync(join(target, "share/doc/sbom.cdx.json"), billOfMaterials(contents));
}

/**
 * The script of a command. It finds its own tree whatever the PATH is, also through a symbolic link, and passes its
 * arguments unchanged.
 */
function commandScript(app: string): string {
  return `#!/bin/sh
self=$0
if [ -h "$self" ]; then self=$(PATH=/usr/bin:/bin readlink -f -- "$self"); fi
case $self in */*) ;; *) self=./$self ;; esac
tree=\${self%/*}/..
exec "$tree/bin/node" "$tree/apps/${app}/dist/main.js" "$@"
`;
}

/** Writes the manual pages and the completion with the packed command, which also shows that the command runs. */
function writeManual(tree: string): void {
  const run = (...args: readonly string[]): Buffer =>
    execFileSync(join(tree, "bin/meridian"), args, { env: {} });
  run("man", join(tree, "share/man/man1"));
  for (const [shell, file] of [
    ["bash", "bash-completion/completions/meridian"],
    ["zsh", "zsh/vendor-completions/_meridian"],
    ["fish", "fish/vendor_completions.d/meridian.fish"],
  ] as const) {
    const target = join(tree, "share", file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, run("completion", shell));
  }
}

function put(file: string, tree: string, folder: string): void {
  mkdirSync(join(tree, folder), { recursive: true });
  cpSync(file, join(tree, folder, file.slice(dirname(file).length + 1)));
}

/** The licence of Node.js, from the places where its installers put it. */
function licenceOf(node: string): string {
  const prefix = dirname(dirname(node));
  const places = ["LICENSE", "share/doc/nodejs/LICENSE", "share/doc/node/LICENSE"];
  const found = places.map((place) => join(prefix, place)).find((file) => existsSync(file));
  if (found !== undefined) return readFileSync(found, "utf8");
  throw new Error(`Expected the licence of Node.js at ${prefix}/LICENSE, got none`);
}
