/**
 * Packs published packages as tarballs that install alone: with the packages of this repository, and those of others, that each needs inside. What
 * compiles an add-on when it is installed stays outside, and comes from the registry.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** The options of `packModules`. */
export interface PackModulesOptions {
  /** A clone in which the packages are built. */
  readonly clone: string;
  /** The folders of the packages to pack, from the clone. */
  readonly folders: readonly string[];
  readonly out: string;
  /** The time of every file, in seconds since the Unix epoch. */
  readonly epoch: number;
}

/** A package that was packed. */
export interface PackedModule {
  readonly name: string;
  /** The path of the tarball. */
  readonly file: string;
  /** What the registry has to add. */
  readonly outside: readonly string[];
}

interface LockedPackage {
  readonly link?: boolean;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly [member: string]: unknown;
}

/** What one tarball has beside its package. */
interface Needed {
  /** The places of the bundled packages in the clone, by name. */
  readonly inside: Map<string, string>;
  /** The versions of the others, by name. */
  readonly outside: Map<string, string>;
}

/** Packs each of the packages. The same clone gives the same bytes. */
export function packModules({ clone, folders, out, epoch }: PackModulesOptions): PackedModule[] {
  const lock = JSON.parse(readFileSync(join(clone, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, LockedPackage>>;
  };
  mkdirSync(out, { recursive: true });
  return folders.map((folder) => {
    const work = mkdtempSync(join(tmpdir(), "meridian-module-"));
    try {
      return pack({ clone, folder, out, epoch, work, needed: neededBy(folder, lock.packages) });
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

function pack(given: {
  readonly clone: string;
  readonly folder: string;
  readonly out: string;
  readonly epoch: number;
  readonly work: string;
  readonly needed: Needed;
}): PackedModule {
  const { clone, folder, out, epoch, work, needed } = given;
  const target = join(work, "package");
  const manifest = manifestOf(join(clone, folder));
  copyWorkspace(clone, folder, target);
  for (const [name, place] of needed.inside) {
    const to = join(target, "node_modules", name);
    if (place.startsWith("node_modules/")) {
      cpSync(join(clone, place), to, { recursive: true, dereference: true });
    } else copyWorkspace(clone, place, to);
  }
  const inside = [...needed.inside.keys()].toSorted();
  const versions = inside.map((name) => [
    name,
    manifestOf(join(target, "node_modules", name)).version,
  ]);
  const { devDependencies: _, scripts: __, ...published } = manifest;
  const packed = {
    ...published,
    dependencies: Object.fromEntries([...versions, ...needed.outside]) as Record<string, string>,
    bundleDependencies: inside,
  };
  writeFileSync(join(target, "package.json"), `${JSON.stringify(packed, null, 2)}\n`);
  const file = join(
    out,
    `${manifest.name.replace(/^@/, "").replace("/", "-")}-${manifest.version}.tgz`,
  );
  const order = ["--sort=name", `--mtime=@${epoch}`, "--format=gnu"];
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mode=a+rX,u+w,go-w"];
  execFileSync("tar", ["-I", "gzip -n", "-cf", file, ...order, ...owner, "-C", work, "package"]);
  return { name: manifest.name, file, outside: [...needed.outside.keys()] };
}

/** Everything that a package reaches, from the lock file. Throws if workspaces reach two versions of one package. */
function neededBy(folder: string, packages: Readonly<Record<string, LockedPackage>>): Needed {
  const inside = new Map<string, string>();
  const outside = new Map<string, string>();
  const seen = new Set<string>();
  for (let open = [folder]; open.length > 0;) {
    const place = open.pop() ?? "";
    for (const [name, version] of Object.entries(packages[place]?.dependencies ?? {})) {
      const found = find(packages, place, name);
      if (found === undefined) throw new Error(`Expected ${name} in the lock file, got nothing`);
      if (seen.has(found)) continue;
      seen.add(found);
      if (packages[found]?.hasInstallScript === true) {
        outside.set(name, version);
        continue;
      }
      open.push(found);
      // What is in the folder of another package is copied with that.
      if (/^node_modules\/.+\/node_modules\//.test(found)) continue;
      const known = inside.get(name);
      if (known !== undefined) throw new Error(`Expected one ${name}, got ${known} and ${found}`);
      inside.set(name, found);
    }
  }
  return { inside, outside };
}

/** Where a package finds another: the folder of a workspace, or one under `node_modules`. */
function find(
  packages: Readonly<Record<string, LockedPackage>>,
  from: string,
  name: string,
): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const candidate = join(at === "." ? "" : at, "node_modules", name);
    const found = packages[candidate];
    if (found !== undefined) return found.link === true ? found.resolved : candidate;
    if (at === "." || at === "") return undefined;
  }
}

/** Copies what a workspace publishes. */
function copyWorkspace(clone: string, folder: string, target: string): void {
  const { files = [] } = manifestOf(join(clone, folder));
  const hidden = files.filter((each) => each.startsWith("!")).map((each) => each.slice(1));
  const shown = files.filter((each) => !each.startsWith("!"));
  for (const part of ["package.json", "LICENSE", "README.md", ...shown]) {
    const source = join(clone, folder, part);
    if (!existsSync(source)) continue;
    cpSync(source, join(target, part), {
      recursive: true,
      filter: (path) => !hidden.some((each) => path === join(clone, folder, each)),
    });
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}
