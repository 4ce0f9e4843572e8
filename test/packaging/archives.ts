/** Packs a tree as a tarball and as a Debian package. The same tree gives the same bytes. */
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

/** Writes the package, and returns its path. `work` is a folder that is not there yet. */
export function makeDebianPackage(options: ArchiveOptions, work: string): string {
  const { tree, version, epoch, out, level } = options;
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`Expected x64 or arm64, got ${process.arch}`);
  const home = `/opt/meridian/${basename(tree)}`;
  const at = (path: string): string => {
    mkdirSync(dirname(join(work, path)), { recursive: true });
    return join(work, path);
  };
  // Hard links instead of copies, because nothing changes these files.
  execFileSync("cp", ["-al", tree, at(home)]);
  for (const [path, source] of [
    ["usr/share/man", "share/man"],
    ["usr/share/bash-completion", "share/bash-completion"],
    ["usr/share/zsh", "share/zsh"],
    ["usr/share/fish", "share/fish"],
    ["usr/share/doc/meridian", "share/doc"],
    ["usr/lib/systemd/system", "apps/directory/systemd"],
    ["usr/lib/systemd/system", "apps/region/systemd"],
  ] as const) {
    cpSync(join(tree, source), at(path), { recursive: true });
  }
  mkdirSync(at("etc/meridian"));
  mkdirSync(at("usr/bin"));
  for (const name of ["meridian", "meridian-directory", "meridian-region"]) {
    symlinkSync(`/opt/meridian/current/bin/${name}`, join(work, "usr/bin", name));
  }
  const scripts = {
    control: controlOf(version, architecture, sizeOf(work)),
    postinst: POSTINST.replaceAll("@HOME@", basename(tree)),
    prerm: PRERM,
    postrm: POSTRM,
  };
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(at(`DEBIAN/${name}`), text, { mode: name === "control" ? 0o644 : 0o755 });
  }
  execFileSync("chmod", ["-R", "a+rX,u+w,go-w", work]);
  const file = join(out, `meridian_${version}_${architecture}.deb`);
  const argv = ["--root-owner-group", "-Zgzip", `-z${level}`, "--build", work, file];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  execFileSync("dpkg-deb", argv, { env, stdio: ["ignore", "ignore", "inherit"] });
  return file;
}

function controlOf(version: string, architecture: string, bytes: number): string {
  return `Package: meridian
Version: ${version}
Architecture: ${architecture}
Maintainer: Meridian maintainers <meridian@localhost>
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: libc6 (>= 2.28), libstdc++6
Section: database
Priority: optional
Description: geo-distributed cache
 A directory, regional nodes near the users, and the command that looks after them.
 Node.js and all modules are inside.
`;
}

/** Running services keep the old version until the operator restarts them, one after the other. */
const POSTINST = `#!/bin/sh
set -e
ln -sfn @HOME@ /opt/meridian/current
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;

const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop 'meridian-region@*.service' meridian-directory.service || true
fi
`;

/** The options under /etc/meridian and the data under /var/lib/meridian stay. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = remove ]; then rm -f /opt/meridian/current; fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
