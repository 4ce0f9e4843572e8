import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

import { buildLibrary } from "./preloaded-library.ts";

/** The errors that a disk may be made to fail with. */
export type DiskError = "ENOSPC" | "EDQUOT" | "EFBIG" | "EROFS" | "EIO";

/** A folder in which changes fail while a test says so, for programs that `launcher` starts. */
export class FaultyDisk {
  readonly #root = mkdtempSync(join(tmpdir(), "meridian-faults-"));
  /** The folder for the data of programs. */
  readonly folder: string = join(this.#root, "data");
  readonly #library = join(this.#root, "faulty-disk.so");
  readonly #control = join(this.#root, "fault");

  /** Builds the disk, or returns why it cannot be built here. */
  static build(): FaultyDisk | string {
    const disk = new FaultyDisk();
    const failure = buildLibrary("faulty-disk.c", disk.#library);
    if (failure === undefined) return disk;
    disk.remove();
    return failure;
  }

  /** The command that launches a program on this disk. */
  get launcher(): readonly string[] {
    return [
      "env",
      `LD_PRELOAD=${this.#library}`,
      `DISK_FAULT_FOLDER=${this.folder}`,
      `DISK_FAULT_FILE=${this.#control}`,
    ];
  }

  /** From now on, changes fail. */
  fail(error: DiskError): void {
    writeFileSync(this.#control, String(constants.errno[error]));
  }

  /** From now on, changes do not come to an end before `heal`. */
  hang(): void {
    writeFileSync(this.#control, "-1");
  }

  /** From now on, changes succeed. */
  heal(): void {
    rmSync(this.#control, { force: true });
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }
}
