/** Packs a tree as a tarball and as Debian packages. The same tree gives the same bytes. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** The options of both archives. */
export interface ArchiveOptions {
  /** The folder to pack. The tarball unpacks to a folder of the same name. */
  readonly tree: string;
  readonly version: string;
  /** In seconds since the Unix epoch: the time of every file. */
  readonly epoch: number;
  /** The folder for the archive. */
  readonly out: string;
  /** How hard to compress, 1 to 9. */
  readonly level: number;
}

/** Debian's name of the processors that Node.js runs on. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** Writes the tarball, and returns its path. */
export function makeTarball({ tree, epoch, out, level }: ArchiveOptions): string {
  const file = join(out, `${basename(tree)}.tar.gz`);
  const order = ["--sort=name", `--mtime=@${epoch}`, "--format=gnu"];
  const owner = ["--owner=0", "--group=0", "--numeric-owner", "--mode=a+rX,u+w,go-w"];
  const from = ["-C", dirname(tree), basename(tree)];
  execFileSync("tar", ["-I", `gzip -n -${level}`, "-cf", file, ...order, ...owner, ...from]);
  return file;
}

/** The two packages of a version. */
export interface DebianPackages {
  /** The version's tree, `meridian-<version>`: packages of other versions are installed beside it. */
  readonly tree: string;
  /** `meridian`: the commands, units and manual pages. It needs the tree of its version, and makes that the current one. */
  readonly command: string;
}

/** Writes the packages, and returns their paths. `work` is a folder that is not there yet. */
export function makeDebianPackages(options: ArchiveOptions, work: string): DebianPackages {
  const { tree, version } = options;
  const name = basename(tree);
  const treePackage = `meridian-${version}`;
  const [ofTree, ofCommand] = [join(work, "tree"), join(work, "command")];
  // Hard links instead of copies, because nothing changes these files.
  mkdirSync(join(ofTree, "opt/meridian"), { recursive: true });
  execFileSync("cp", ["-al", tree, join(ofTree, "opt/meridian", name)]);
  putCommand(tree, ofCommand);
  const scripts = (...texts: readonly (readonly [name: string, text: string])[]) =>
    texts.map(([script, text]) => [script, text.replaceAll("@TREE@", name)] as const);
  return {
    tree: build(ofTree, options, {
      name: treePackage,
      depends: "libc6 (>= 2.28), libstdc++6",
      summary: `geo-distributed cache, version ${version}`,
      text: "Node.js, all modules and the programs of this version. Other versions can be installed beside it.",
      scripts: scripts(["prerm", TREE_PRERM]),
    }),
    command: build(ofCommand, options, {
      name: "meridian",
      depends: `${treePackage} (= ${version})`,
      summary: "geo-distributed cache",
      text: "A directory, regional nodes near the users, and the command that looks after them.",
      scripts: scripts(["postinst", POSTINST], ["prerm", PRERM], ["postrm", POSTRM]),
    }),
  };
}

/** Puts the files of the package `meridian` where Debian expects them. */
function putCommand(tree: string, work: string): void {
  for (const [path, source] of [
    ["usr/share/man", "share/man"],
    ["usr/share/bash-completion", "share/bash-completion"],
    ["usr/share/zsh", "share/zsh"],
    ["usr/share/fish", "share/fish"],
    ["usr/share/doc/meridian", "share/doc"],
    ["usr/lib/systemd/system", "apps/directory/systemd"],
    ["usr/lib/systemd/system", "apps/region/systemd"],
  ] as const) {
    mkdirSync(join(work, dirname(path)), { recursive: true });
    cpSync(join(tree, source), join(work, path), { recursive: true });
  }
  mkdirSync(join(work, "etc/meridian"), { recursive: true });
  mkdirSync(join(work, "usr/bin"));
  for (const name of ["meridian", "meridian-directory", "meridian-region"]) {
    symlinkSync(`/opt/meridian/current/bin/${name}`, join(work, "usr/bin", name));
  }
}

interface Package {
  readonly name: string;
  readonly depends: string;
  readonly summary: string;
  readonly text: string;
  readonly scripts: readonly (readonly [name: string, text: string])[];
}

/** Builds one package from the files in `work`, and returns its path. */
function build(work: string, options: ArchiveOptions, { scripts, ...about }: Package): string {
  const { version, epoch, out, level } = options;
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`Expected x64 or arm64, got ${process.arch}`);
  const control = `Package: ${about.name}
Version: ${version}
Architecture: ${architecture}
Maintainer: Meridian maintainers <meridian@localhost>
Installed-Size: ${Math.ceil(sizeOf(work) / 1024)}
Depends: ${about.depends}
Section: database
Priority: optional
Description: ${about.summary}
 ${about.text}
`;
  mkdirSync(join(work, "DEBIAN"));
  writeFileSync(join(work, "DEBIAN/control"), control, { mode: 0o644 });
  for (const [name, text] of scripts) {
    writeFileSync(join(work, "DEBIAN", name), text, { mode: 0o755 });
  }
  execFileSync("chmod", ["-R", "a+rX,u+w,go-w", work]);
  const file = join(out, `${about.name}_${version}_${architecture}.deb`);
  const argv = ["--root-owner-group", "-Zgzip", `-z${level}`, "--build", work, file];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  execFileSync("dpkg-deb", argv, { env, stdio: ["ignore", "ignore", "inherit"] });
  return file;
}

/** Running services keep the old version until the operator restarts them, one after the other. */
const POSTINST = `#!/bin/sh
set -e
ln -sfn @TREE@ "$DPKG_ROOT/opt/meridian/current"
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;

const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
  systemctl stop 'meridian-region@*.service' meridian-directory.service || true
fi
`;

/** The options under /etc/meridian and the data under /var/lib/meridian stay. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = remove ]; then rm -f "$DPKG_ROOT/opt/meridian/current"; fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;

/** A tree stays while something needs it. */
const TREE_PRERM = `#!/bin/sh
set -e
[ "$1" = remove ] || exit 0
home=$DPKG_ROOT/opt/meridian
if [ "$(readlink "$home/current")" = @TREE@ ]; then
  echo "$home/current leads to @TREE@: point it to another version first, or remove meridian" >&2
  exit 1
fi
exe=$(find /proc/[0-9]*/exe -lname "$home/@TREE@/*" 2>/dev/null | head -n 1)
if [ -n "$exe" ]; then
  process=\${exe#/proc/}
  echo "Process \${process%/exe} runs from $home/@TREE@: restart it first" >&2
  exit 1
fi
`;

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
