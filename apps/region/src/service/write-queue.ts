/**
 * The writes that wait for the disk, and about how long a new one would wait behind them.
 *
 * A write that waits for too long is answered with "may have been applied", whatever its size. So where a slow disk would need longer for what
 * waits than `WAIT_MS_MAX`, large writes are refused while small ones still get through. For example, a disk that takes 10 MiB a second gets at most
 * 50 MiB to do, and one that takes 100 MiB a second as much as the bound in bytes allows.
 */
import { SMALL_BYTES } from "@meridian/runtime";

/** Below this many bytes nothing is refused for the time it takes: so few say more of the disk's delay than of its rate. */
const SURGE_BYTES = 8 * 1024 * 1024;

/** How long large writes may make others wait, in milliseconds: half of what a write waits for the disk. */
const WAIT_MS_MAX = 5_000;

/** Counts the bytes of writes that are not durable yet. */
export class WriteQueue {
  #bytes = 0;
  /** What a byte took of late, when many waited. */
  #msPerByte = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** About how long all that waits will take, in milliseconds; 0 if it is little. */
  get waitMs(): number {
    return this.#bytes < SURGE_BYTES ? 0 : this.#bytes * this.#msPerByte;
  }

  /** Whether a write of so many bytes would make others wait for too long. */
  isTooLong(bytes: number): boolean {
    return bytes > SMALL_BYTES && this.waitMs > WAIT_MS_MAX;
  }

  /** Adds a write. Returns how many bytes wait now. */
  enter(bytes: number): number {
    this.#bytes += bytes;
    return this.#bytes;
  }

  /** Notes that a write is durable behind which, with itself, so many bytes waited when it came. */
  observe(bytesThen: number, tookMs: number): void {
    if (bytesThen >= SURGE_BYTES) this.#msPerByte = tookMs / bytesThen;
  }

  /** Removes a write. */
  leave(bytes: number): void {
    this.#bytes -= bytes;
  }
}
