/** Lists the packages of others that a bundle contains, with their licences, which have to be passed on with it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A package of others, with the members that the console's bundler gives it. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** The identifier of its licence. */
  readonly identifier: string;
  /** The text of its licence. */
  readonly text: string;
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** The packages under `node_modules` that some of the files are in, ordered by name. Throws if one has no licence. */
export function packagesOf(files: readonly string[]): readonly BundledPackage[] {
  const folders = new Set(files.filter((file) => file.includes("/node_modules/")).map(folderOf));
  return [...folders].map(readPackage).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The folder of the package that a file is in. */
function folderOf(file: string): string {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const parent = dirname(folder);
    const isScope = basename(folder).startsWith("@");
    if (basename(parent) === "node_modules" && !isScope) return folder;
    if (basename(dirname(parent)) === "node_modules" && basename(parent).startsWith("@")) {
      return folder;
    }
  }
}

function readPackage(folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { readonly name: string; readonly version: string; readonly license?: string };
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file) && existsSync(join(folder, file)))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (license === undefined || texts.length === 0) {
    throw new Error(`Expected the licence of ${name} in ${folder}, got none`);
  }
  return { name, version, identifier: license, text: texts.join("\n\n") };
}
