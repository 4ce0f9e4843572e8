/**
 * The tree of an installed version: the programs as they are built, Node.js, and all that an operator needs beside them. It
 * runs wherever it lies.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { billOfMaterials, thirdPartyLicences } from "./bill-of-materials.ts";
import { stagedModules } from "./staged-modules.ts";

/** What is packed. */
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

/** Makes the tree in a folder that is not there yet. */
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
 * Finds its own tree, whichever way leads to it, and needs no PATH but where the way is a link. The programs get their
 * arguments as they are.
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

/** The manual pages and the completion, written by the packed command itself: a check that it runs. */
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

/** The licence of Node.js, where its installers put it. */
function licenceOf(node: string): string {
  const prefix = dirname(dirname(node));
  const places = ["LICENSE", "share/doc/nodejs/LICENSE", "share/doc/node/LICENSE"];
  const found = places.map((place) => join(prefix, place)).find((file) => existsSync(file));
  if (found !== undefined) return readFileSync(found, "utf8");
  throw new Error(`Expected the licence of Node.js at ${prefix}/LICENSE, got none`);
}
