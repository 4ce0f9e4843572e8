import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A copy of the working tree in a folder of its own. A bug that is planted in the copy does not change the working tree. */
export class Tree {
  readonly path: string;

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), "meridian-mutants-"));
    const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: ROOT });
    const names = listed.stdout
      .toString()
      .split("\0")
      .filter((name) => name !== "");
    for (const name of names) this.#copy(name);
    this.#linkModules();
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.path, file), text);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #copy(name: string): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    // git also lists a file whose removal is not committed.
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(this.path, name));
  }

  /** Links the installed modules of the working tree, and the workspaces of the copy. */
  #linkModules(): void {
    const own = join(this.path, "node_modules");
    mkdirSync(join(own, "@meridian"), { recursive: true });
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      if (name !== "@meridian" && !name.startsWith(".vite")) {
        symlinkSync(join(ROOT, "node_modules", name), join(own, name));
      }
    }
    for (const folder of ["packages", "apps"]) {
      for (const name of readdirSync(join(this.path, folder), { withFileTypes: true })) {
        if (!name.isDirectory()) continue;
        symlinkSync(join(this.path, folder, name.name), join(own, "@meridian", name.name));
      }
    }
  }
}
