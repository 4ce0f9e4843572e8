import type { JournalWrite } from "./writer-messages.ts";

/** The bytes of the blocks of a record. */
export function bytesOf(write: JournalWrite): number {
  if (!("block" in write)) return 0;
  const quarantined = write.kind === "entries" ? write.quarantined : null;
  return write.block.byteLength + (quarantined?.block.byteLength ?? 0);
}

/** The same record with blocks that nobody else has, and what these lie in. */
export function withOwnBlocks(write: JournalWrite): {
  readonly write: JournalWrite;
  readonly buffers: ArrayBuffer[];
} {
  if (!("block" in write)) return { write, buffers: [] };
  const block = new Uint8Array(write.block);
  const quarantined = write.kind === "entries" ? write.quarantined : null;
  if (write.kind !== "entries" || quarantined === null) {
    return { write: { ...write, block }, buffers: [block.buffer] };
  }
  const held = new Uint8Array(quarantined.block);
  const owned = { ...write, block, quarantined: { ...quarantined, block: held } };
  return { write: owned, buffers: [block.buffer, held.buffer] };
}
