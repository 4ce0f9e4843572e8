import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

/** What a rule reads of a `package.json`. */
export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One package of the monorepo, with the text of its sources. */
export interface WorkspacePackage {
  /** From the top, with slashes: `packages/protocol`. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** The files of `src`, of `page`, which runs in browsers, and of `playground`, which runs from source, by their path inside the package: `src/index.ts`. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Reads every package under `packages/` and `apps/`. */
export function readWorkspace(root: string): WorkspacePackage[] {
  return ["packages", "apps"].flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, "package.json")))
      .map((folder) => readPackage(root, folder)),
  );
}

function readPackage(root: string, folder: string): WorkspacePackage {
  const path = join(root, folder);
  const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as Manifest;
  const sources: Record<string, string> = {};
  for (const file of ["src", "page", "playground"].flatMap((each) =>
    filesUnder(join(path, each)),
  )) {
    sources[relative(path, file).split(sep).join("/")] = readFileSync(file, "utf8");
  }
  return { folder, manifest, sources };
}

function filesUnder(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}
