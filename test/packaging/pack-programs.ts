/** Packs a release for machines without Node.js: a tarball, Debian packages, a bill of materials and checksums. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { makeDebianPackages, makeTarball, type DebianPackages } from "./archives.ts";
import { makeTree } from "./package-tree.ts";

/** The options of `packPrograms`. */
export interface PackOptions {
  /** A built clone. */
  readonly clone: string;
  readonly out: string;
  /** How hard to compress, 1 to 9. Default: 6. */
  readonly level?: number;
}

/** What was packed. */
export interface PackedPrograms {
  /** The folder that the tarball unpacks to. */
  readonly name: string;
  /** The paths of what was packed. */
  readonly tarball: string;
  readonly debian: DebianPackages;
  /** The bill of materials. */
  readonly bill: string;
  /** The checksums of all these. */
  readonly sums: string;
}

/** Packs the programs. The same sources, modules and Node.js give the same bytes. */
export function packPrograms({ clone, out, level = 6 }: PackOptions): PackedPrograms {
  const { version } = JSON.parse(readFileSync(join(clone, "apps/cli/package.json"), "utf8")) as {
    readonly version: string;
  };
  const name = `meridian-${version}-${process.platform}-${process.arch}`;
  const work = mkdtempSync(join(tmpdir(), "meridian-package-"));
  try {
    const tree = join(work, name);
    const epoch = epochOf(clone);
    mkdirSync(out, { recursive: true });
    makeTree({ clone, target: tree, version, epoch });
    const archive = { tree, version, epoch, out, level };
    const tarball = makeTarball(archive);
    const debian = makeDebianPackages(archive, join(work, "debian"));
    const bill = join(out, `${name}.cdx.json`);
    cpSync(join(tree, "share/doc/sbom.cdx.json"), bill);
    const sums = join(out, "SHA256SUMS");
    writeFileSync(sums, [tarball, debian.tree, debian.command, bill].map(sumOf).join(""));
    return { name, tarball, debian, bill, sums };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The time of the sources, in seconds since the Unix epoch: SOURCE_DATE_EPOCH if it is set, otherwise the time of the commit. */
export function epochOf(clone: string): number {
  const given = process.env["SOURCE_DATE_EPOCH"];
  const text =
    given ?? execFileSync("git", ["log", "-1", "--format=%ct"], { cwd: clone, encoding: "utf8" });
  const epoch = Number(text);
  if (Number.isSafeInteger(epoch) && epoch >= 0) return epoch;
  throw new Error(`Expected SOURCE_DATE_EPOCH in seconds, got \`${text}\``);
}

function sumOf(file: string): string {
  const sum = createHash("sha256").update(readFileSync(file)).digest("hex");
  return `${sum}  ${basename(file)}\n`;
}
