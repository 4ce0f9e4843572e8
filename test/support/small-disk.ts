import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHUNK_BYTES = 64 * 1024;

/** A file system of its own, in memory and as small as it is told to be. */
export class SmallDisk {
  /** The folder that it is mounted on. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts a disk of so many bytes, or returns why that cannot be. */
  static mount(bytes: number): SmallDisk | string {
    const path = mkdtempSync(join(tmpdir(), "meridian-disk-"));
    try {
      const args = ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path];
      execFileSync("mount", args, { stdio: "pipe" });
      return new SmallDisk(path);
    } catch (cause) {
      rmSync(path, { recursive: true });
      return `a small file system cannot be mounted here, which takes root: ${String(cause)}`;
    }
  }

  /** Takes what room is left, to the last byte. */
  fill(): void {
    const file = openSync(join(this.path, "filler"), "a");
    try {
      for (let bytes = CHUNK_BYTES; bytes >= 1;) {
        try {
          writeSync(file, Buffer.alloc(bytes));
        } catch (cause) {
          if ((cause as NodeJS.ErrnoException).code !== "ENOSPC") throw cause;
          bytes = Math.floor(bytes / 2);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` has taken. */
  free(): void {
    rmSync(join(this.path, "filler"));
  }

  /** Takes the disk down, with everything on it. */
  unmount(): void {
    execFileSync("umount", ["--lazy", this.path], { stdio: "pipe" });
    rmSync(this.path, { recursive: true });
  }
}
