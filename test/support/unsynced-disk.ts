import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { buildLibrary } from "./preloaded-library.ts";

/** A folder whose files a test can set back to what was synced, as a loss of power does, for programs that `launcher` starts. */
export class UnsyncedDisk {
  readonly #root = mkdtempSync(join(tmpdir(), "meridian-unsynced-"));
  /** The folder for the data of programs. */
  readonly folder: string = join(this.#root, "data");
  readonly #image = join(this.#root, "image");
  readonly #library = join(this.#root, "unsynced-disk.so");

  /** Builds the disk, or returns why it cannot be built here. */
  static build(): UnsyncedDisk | string {
    const disk = new UnsyncedDisk();
    mkdirSync(disk.#image);
    const failure = buildLibrary("unsynced-disk.c", disk.#library);
    if (failure === undefined) return disk;
    disk.remove();
    return failure;
  }

  /** The command that launches a program on this disk. */
  get launcher(): readonly string[] {
    return [
      "env",
      `LD_PRELOAD=${this.#library}`,
      `UNSYNCED_FOLDER=${this.folder}`,
      `UNSYNCED_IMAGE=${this.#image}`,
      // Else libuv may hand writes to the kernel without calling the library.
      "UV_USE_IO_URING=0",
    ];
  }

  /** What was not synced is lost. The programs must have been killed. */
  lose(): void {
    rmSync(this.folder, { recursive: true, force: true });
    cpSync(this.#image, this.folder, { recursive: true });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
