import { encodeTraces, NO_BYTES, type TraceContext } from "@meridian/protocol";

/** How many traced frames are remembered. If there are more, the oldest are sent without their traces. */
const FRAMES_MAX = 1_024;

/**
 * The traces of the writes in the outbox, while this process lives and the directory has not committed them. They are in memory only: a restart
 * forgets them, and the traces then lack these writes.
 */
export class OutboxTraces {
  readonly #extensions = new Map<number, Uint8Array>();
  /** Whether the directory takes traces. */
  areTaken = false;

  /** Remembers the traces of the frame at `position`, which is later than those before it. */
  note(position: number, traces: readonly TraceContext[]): void {
    if (traces.length === 0) return;
    this.#extensions.set(position, encodeTraces(traces));
    if (this.#extensions.size <= FRAMES_MAX) return;
    const [oldest] = this.#extensions.keys();
    if (oldest !== undefined) this.#extensions.delete(oldest);
  }

  /** The extension with which the frame at `position` is sent. */
  extensionOf(position: number): Uint8Array {
    return (this.areTaken ? this.#extensions.get(position) : undefined) ?? NO_BYTES;
  }

  /** Forgets the frames through `position`. */
  forget(position: number): void {
    for (const traced of this.#extensions.keys()) {
      if (traced > position) return;
      this.#extensions.delete(traced);
    }
  }
}
