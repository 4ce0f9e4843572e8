import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHUNK_BYTES = 64 * 1024;

/** A small file system in memory, for tests of full disks. */
export class SmallDisk {
  /** The folder on which the file system is mounted. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Mounts a file system of `bytes` bytes, or returns why it cannot be mounted here. */
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

  /** Fills the free room, to the last byte. */
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

  /** Frees the room that `fill` has taken. */
  free(): void {
    rmSync(join(this.path, "filler"));
  }

  /** Unmounts the file system, and so deletes everything on it. */
  unmount(): void {
    execFileSync("umount", ["--lazy", this.path], { stdio: "pipe" });
    rmSync(this.path, { recursive: true });
  }
}
