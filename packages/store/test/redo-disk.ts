import type { OnDone, RedoDisk } from "../src/redo/redo-disk.ts";

/** What the test does to a disk. */
export interface Fault {
  readonly call: keyof RedoDisk;
  /** The n-th such call fails, and all after it if `isLasting`. */
  readonly at: number;
  readonly isLasting?: boolean;
  /** How many bytes a write that fails has written. */
  readonly written?: number;
}

interface MemoryFile {
  bytes: Uint8Array;
  /** What would outlive a loss of power for sure. */
  synced: Uint8Array;
}

/** A disk in memory, with faults. Answers come in turns of their own. */
export class MemoryDisk implements RedoDisk {
  readonly files = new Map<string, MemoryFile>();
  readonly #fault: Fault | undefined;
  readonly #open: (string | undefined)[] = [];
  readonly #calls = new Map<keyof RedoDisk, number>();

  readonly syncsWrites: boolean;
  #isLasting = false;

  constructor(fault?: Fault, syncsWrites = false) {
    this.#fault = fault;
    this.syncsWrites = syncsWrites;
  }

  /** How often something was asked. */
  calls(call: keyof RedoDisk): number {
    return this.#calls.get(call) ?? 0;
  }

  open(
    path: string,
    isLasting: boolean,
    done: (failure: Error | null, file: number) => void,
  ): void {
    this.#isLasting = isLasting;
    this.#answer("open", (failure) => {
      if (failure !== null) return done(failure, -1);
      this.files.set(path, { bytes: new Uint8Array(0), synced: new Uint8Array(0) });
      done(null, this.#open.push(path) - 1);
    });
  }

  write(file: number, bytes: Uint8Array, at: number, done: OnDone): void {
    this.#answer("write", (failure) => {
      const written = failure === null ? bytes : bytes.subarray(0, this.#fault?.written ?? 0);
      const found = this.#of(file);
      const all = new Uint8Array(Math.max(found.bytes.byteLength, at + written.byteLength));
      all.set(found.bytes);
      all.set(written, at);
      found.bytes = all;
      if (failure === null && this.syncsWrites && this.#isLasting) found.synced = all.slice();
      done(failure);
    });
  }

  sync(file: number, done: OnDone): void {
    this.#answer("sync", (failure) => {
      const found = this.#of(file);
      if (failure === null) found.synced = found.bytes.slice();
      done(failure);
    });
  }

  truncate(file: number, bytes: number, done: OnDone): void {
    this.#answer("truncate", (failure) => {
      const found = this.#of(file);
      if (failure === null) found.bytes = found.bytes.slice(0, bytes);
      done(failure);
    });
  }

  close(file: number, done: OnDone): void {
    this.#answer("close", (failure) => {
      this.#of(file);
      this.#open[file] = undefined;
      done(failure);
    });
  }

  remove(path: string, done: OnDone): void {
    this.#answer("remove", (failure) => {
      if (failure === null) this.files.delete(path);
      done(failure);
    });
  }

  /** What the files hold, in the order of their names; after a loss of power, what was not synced is there by `isKept` of its blocks of 512 bytes. */
  contents(isKept?: () => boolean): Uint8Array[] {
    const paths = [...this.files.keys()].toSorted();
    return paths.map((path) => {
      const file = this.files.get(path) ?? { bytes: new Uint8Array(0), synced: new Uint8Array(0) };
      return isKept === undefined ? file.bytes : afterLoss(file, isKept);
    });
  }

  #of(file: number): MemoryFile {
    const found = this.files.get(this.#open[file] ?? "");
    if (found === undefined) throw new Error("Expected a file that is open");
    return found;
  }

  #answer(call: keyof RedoDisk, answer: (failure: Error | null) => void): void {
    const count = this.calls(call) + 1;
    this.#calls.set(call, count);
    const { at = 0, isLasting = false } = this.#fault?.call === call ? this.#fault : {};
    const fails = at > 0 && (isLasting ? count >= at : count === at);
    setImmediate(() => answer(fails ? new Error(`The disk refuses to ${call}`) : null));
  }
}

const BLOCK = 512;

function afterLoss({ bytes, synced }: MemoryFile, isKept: () => boolean): Uint8Array {
  const all = new Uint8Array(bytes.byteLength);
  all.set(synced.subarray(0, bytes.byteLength));
  for (let at = 0; at < bytes.byteLength; at += BLOCK) {
    const end = Math.min(at + BLOCK, bytes.byteLength);
    if (isKept()) all.set(bytes.subarray(at, end), at);
  }
  return all;
}
