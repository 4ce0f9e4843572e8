/**
 * The mark of entries that the order of the log has decided about: an item without bytes among the attributes of the entry. A condition across
 * regions is decided only against versions that have it.
 */
import { joinBytes } from "./join-bytes.ts";

/** What an item is, and its length. */
const ITEM_HEADER_BYTES = 4;

/** What the item is, in attributes. */
const SCOPED_ITEM = 1;

/** The attributes of an entry that has nothing but the mark. */
export const SCOPED_ATTRIBUTES: Uint8Array = new Uint8Array([SCOPED_ITEM, 0, 0, 0]);

/** Whether an entry with these attributes was decided about. */
export function isScoped(attributes: Uint8Array | undefined): boolean {
  if (attributes === undefined) return false;
  for (const { what } of itemsOf(attributes)) if (what === SCOPED_ITEM) return true;
  return false;
}

/** The attributes without the mark, for a version that is written without a decision; undefined where nothing is left. */
export function withoutScope(attributes: Uint8Array | undefined): Uint8Array | undefined {
  if (attributes === undefined || !isScoped(attributes)) return attributes;
  const kept = [...itemsOf(attributes)].filter(({ what }) => what !== SCOPED_ITEM);
  return kept.length === 0 ? undefined : joinBytes(kept.map(({ whole }) => whole));
}

/** The items of attributes, up to the first one that is cut short. */
function* itemsOf(
  attributes: Uint8Array,
): Generator<{ readonly what: number; readonly whole: Uint8Array }> {
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  let offset = 0;
  while (offset + ITEM_HEADER_BYTES <= attributes.byteLength) {
    const end = offset + ITEM_HEADER_BYTES + view.getUint16(offset + 2, true);
    if (end > attributes.byteLength) return;
    yield { what: view.getUint16(offset, true), whole: attributes.subarray(offset, end) };
    offset = end;
  }
}
