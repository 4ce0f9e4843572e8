import type { Slots } from "../src/slots.ts";

/** Puts a key and its value into a free slot, which is the answer. */
export function place(slots: Slots, key: unknown, value: unknown): number {
  const slot = slots.take();
  slots.put(slot, key, value);
  return slot;
}
