import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

type Module = Readonly<Record<string, unknown>>;

/** A folder of its own into which npm installs packages of other projects. */
export class NpmFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "meridian-npm-"));

  constructor() {
    writeFileSync(join(this.path, "package.json"), '{"private":true,"type":"module"}');
  }

  /** Installs `name@version`s with what they need, and runs none of their scripts. */
  install(...packages: readonly string[]): void {
    this.#npm("install", "--ignore-scripts", "--no-audit", "--no-fund", ...packages);
  }

  /** Unpacks the package itself, without what it needs, into `package`. */
  unpack(name: string): void {
    const archive = this.#npm("pack", name).trim().split("\n").at(-1) ?? "";
    execFileSync("tar", ["xzf", archive], { cwd: this.path });
  }

  /** Loads a file of the folder. */
  load(file: string): Promise<Module> {
    return import(/* @vite-ignore */ pathToFileURL(join(this.path, file)).href) as Promise<Module>;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #npm(...argv: readonly string[]): string {
    return execFileSync("npm", argv, {
      cwd: this.path,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  }
}
