/** A backup file while it is being written. It has another name until it is complete. */
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import { encodeBackupHead, openBackup, verifyBackup, type BackupFacts } from "@meridian/store";

/** The file `<name>.part`. */
export class PartFile {
  readonly #file: FileHandle;
  readonly #out: string;
  readonly #start: number;
  #written: number;

  private constructor(file: FileHandle, out: string, start: number, written: number) {
    this.#file = file;
    this.#out = out;
    this.#start = start;
    this.#written = written;
  }

  /** The id of the backup of which a part was written before; undefined where there is none. */
  static async idOf(out: string): Promise<string | undefined> {
    try {
      const { file, facts } = await openBackup(partOf(out));
      await file.close();
      return facts.id;
    } catch {
      return undefined;
    }
  }

  /** Opens the part of the same backup, or begins a new one. */
  static async open(out: string, facts: BackupFacts): Promise<PartFile> {
    const head = encodeBackupHead(facts);
    if ((await PartFile.idOf(out)) === facts.id) {
      const file = await written(out, () => open(partOf(out), "r+"));
      const { size } = await file.stat();
      return new PartFile(
        file,
        out,
        head.byteLength,
        Math.min(size - head.byteLength, facts.bytes),
      );
    }
    const file = await written(out, () => open(partOf(out), "w"));
    const part = new PartFile(file, out, head.byteLength, 0);
    await part.#write(head, 0);
    return part;
  }

  /** How many bytes of the database the file has. */
  get bytes(): number {
    return this.#written;
  }

  /** Adds the bytes that follow. */
  async add(bytes: Uint8Array): Promise<void> {
    await this.#write(bytes, this.#start + this.#written);
    this.#written += bytes.byteLength;
  }

  /** Closes the file and keeps it, to be continued later. */
  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Verifies the file and gives it its final name. If it is damaged, deletes it, so that the next attempt starts again. */
  async finish(): Promise<BackupFacts> {
    const part = partOf(this.#out);
    await this.#file.sync();
    try {
      const facts = await verifyBackup(part);
      await rename(part, this.#out);
      const folder = await open(dirname(this.#out));
      await folder.sync();
      await folder.close();
      return facts;
    } catch (cause) {
      await rm(part, { force: true });
      throw cause;
    }
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    await written(this.#out, async () => {
      for (let done = 0; done < bytes.byteLength;) {
        const left = bytes.byteLength - done;
        done += (await this.#file.write(bytes, done, left, at + done)).bytesWritten;
      }
    });
  }
}

function partOf(out: string): string {
  return `${out}.part`;
}

async function written<T>(out: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const { message } = asMeridianError(cause);
    throw new MeridianError("STORE_FAILED", `Could not write ${out}: ${message}`, { cause });
  }
}
