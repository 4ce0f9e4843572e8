/**
 * The traces of the writes in a frame, as items of its extension. They are for people who look into what took long: nothing depends on
 * them, they are not kept with the entries, and one that cannot be read is passed over.
 */
import { NO_BYTES } from "./entry.ts";
import { readFrameHeader } from "./frame-header.ts";
import { assembleFrame, blockOf, extensionOf } from "./frame.ts";
import { joinBytes } from "./join-bytes.ts";
import { checkedTraceState, TRACE_STATE_LENGTH_MAX, type TraceContext } from "./trace-context.ts";

/** The most traces of one frame. */
export const FRAME_TRACES_MAX = 32;

/** What the item of a trace is, in an extension. */
const TRACE_ITEM = 1;

/** What an item is, and its length. */
const ITEM_HEADER_BYTES = 4;

/** Trace, parent and flags. */
const TRACE_BYTES = 25;
const TRACE_ID_BYTES = 16;
const PARENT_ID_BYTES = 8;
const SAMPLED = 1;

const NO_TRACES: readonly TraceContext[] = [];

/** The extension of a frame whose writes are parts of `traces`: of more than `FRAME_TRACES_MAX`, the first ones. */
export function encodeTraces(traces: readonly TraceContext[]): Uint8Array {
  if (traces.length === 0) return NO_BYTES;
  return joinBytes(traces.slice(0, FRAME_TRACES_MAX).map(itemOf));
}

/** The traces of the writes in a frame. */
export function tracesOf(frame: Uint8Array): readonly TraceContext[] {
  if (!hasExtension(frame)) return NO_TRACES;
  const traces: TraceContext[] = [];
  for (const item of itemsOf(extensionOf(frame))) {
    const trace = item.what === TRACE_ITEM ? traceOf(item.bytes) : undefined;
    if (trace !== undefined && traces.length < FRAME_TRACES_MAX) traces.push(trace);
  }
  return traces;
}

/** The frame without traces, for a party that is to get none: the same bytes where it has none. */
export function withoutTraces(frame: Uint8Array): Uint8Array {
  if (!hasExtension(frame)) return frame;
  const items = [...itemsOf(extensionOf(frame))];
  const kept = items.filter(({ what }) => what !== TRACE_ITEM).map(({ whole }) => whole);
  if (kept.length === items.length) return frame;
  return assembleFrame(readFrameHeader(frame), blockOf(frame), joinBytes(kept));
}

function hasExtension(frame: Uint8Array): boolean {
  return frame[2] !== 0 || frame[3] !== 0;
}

interface Item {
  readonly what: number;
  readonly bytes: Uint8Array;
  /** With its header. */
  readonly whole: Uint8Array;
}

/** The items of an extension, up to the first one that is cut short. */
function* itemsOf(extension: Uint8Array): Generator<Item> {
  const view = new DataView(extension.buffer, extension.byteOffset, extension.byteLength);
  let offset = 0;
  while (offset + ITEM_HEADER_BYTES <= extension.byteLength) {
    const start = offset + ITEM_HEADER_BYTES;
    const end = start + view.getUint16(offset + 2, true);
    if (end > extension.byteLength) return;
    const what = view.getUint16(offset, true);
    const whole = extension.subarray(offset, end);
    yield { what, bytes: extension.subarray(start, end), whole };
    offset = end;
  }
}

function itemOf({ traceId, parentId, sampled, state }: TraceContext): Uint8Array {
  const item = new Uint8Array(ITEM_HEADER_BYTES + TRACE_BYTES + state.length);
  const view = new DataView(item.buffer);
  view.setUint16(0, TRACE_ITEM, true);
  view.setUint16(2, TRACE_BYTES + state.length, true);
  const ids = traceId + parentId;
  let offset = ITEM_HEADER_BYTES;
  for (let index = 0; index < ids.length; index += 2, offset += 1) {
    item[offset] = Number.parseInt(ids.slice(index, index + 2), 16);
  }
  item[offset] = sampled ? SAMPLED : 0;
  for (let index = 0; index < state.length; index += 1) {
    item[offset + 1 + index] = state.charCodeAt(index);
  }
  return item;
}

function traceOf(item: Uint8Array): TraceContext | undefined {
  if (item.byteLength < TRACE_BYTES || item.byteLength > TRACE_BYTES + TRACE_STATE_LENGTH_MAX) {
    return undefined;
  }
  const flagsAt = TRACE_ID_BYTES + PARENT_ID_BYTES;
  const traceId = hexOf(item.subarray(0, TRACE_ID_BYTES));
  const parentId = hexOf(item.subarray(TRACE_ID_BYTES, flagsAt));
  if (isZero(traceId) || isZero(parentId)) return undefined;
  const sampled = ((item[flagsAt] ?? 0) & SAMPLED) !== 0;
  const state = checkedTraceState(String.fromCharCode(...item.subarray(TRACE_BYTES)));
  return { traceId, parentId, sampled, state };
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isZero(digits: string): boolean {
  return /^0*$/.test(digits);
}
