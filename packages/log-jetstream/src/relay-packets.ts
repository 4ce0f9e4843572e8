/**
 * What directories send each other about the links of nodes that are passed on. A packet is 21 bytes, and its data behind them; all numbers are
 * big-endian.
 *
 * | offset | bytes | meaning                                                                                         |
 * | ------ | ----- | ----------------------------------------------------------------------------------------------- |
 * | 0      | 1     | the kind                                                                                        |
 * | 1      | 4     | the link, which the directory that opens it counts from 1; 0 for what belongs to no link        |
 * | 5      | 4     | the number of the packet among those that its sender sends on the link, from 1                  |
 * | 9      | 4     | the number of the last packet of the other end that its sender has taken from the link          |
 * | 13     | 8     | the last sequence that its sender knows to be committed                                         |
 *
 * This file checks every number and text. What is not as it says is dropped; the gap in the numbers then ends the link.
 */
import type { FeedStart } from "@meridian/ports";
import { isAddress } from "@meridian/protocol";

/** What a packet is. */
export const PACKET = {
  /** Opens the link of a node, whose address is the data. */
  open: 1,
  /** The last part, or all, of a text message. */
  text: 2,
  /** The same of a binary one. */
  binary: 3,
  /** A part of a message before its last one. */
  part: 4,
  /** Closes the link: the code in two bytes, and the reason. */
  close: 5,
  /** Says only how much was taken. It has no number of its own. */
  taken: 6,
  /** Where the feed of the node starts: the sequence and the incarnation in eight bytes each, and 1 if it takes traces. */
  feed: 7,
  /** The node is there. */
  alive: 8,
  /** Asks for a ping in return, or is one. Belongs to no link. */
  ping: 9,
  /** The last part, or all, of the registry. Belongs to no link; its parts are counted from 1. */
  registry: 10,
  /** Asks something of the directory that writes, as text. Belongs to no link; its number is that of the question. */
  ask: 11,
  /** The answer to the question of that number, as text. Belongs to no link. */
  answer: 12,
} as const;

/** One packet. */
export interface RelayPacket {
  readonly kind: (typeof PACKET)[keyof typeof PACKET];
  readonly link: number;
  readonly number: number;
  readonly taken: number;
  readonly committedThrough: number;
  readonly data: Uint8Array;
}

/** The most bytes of data in a packet. NATS takes 1 MiB by default, and delivers other packets between two. */
export const RELAY_PART_BYTES: number = 128 * 1024;

const HEAD_BYTES = 21;
const KINDS: readonly number[] = Object.values(PACKET);
const ADDRESS_BYTES_MAX = 45;
const REASON_BYTES_MAX = 123;
const INCARNATION_END = 2 ** 48;

/** Encodes a packet. */
export function encodePacket(packet: RelayPacket): Uint8Array {
  const { kind, link, number, taken, committedThrough, data } = packet;
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + data.byteLength);
  bytes.writeUInt8(kind, 0);
  bytes.writeUInt32BE(link, 1);
  bytes.writeUInt32BE(number, 5);
  bytes.writeUInt32BE(taken, 9);
  bytes.writeBigUInt64BE(BigInt(committedThrough), 13);
  bytes.set(data, HEAD_BYTES);
  return bytes;
}

/** Decodes a packet; undefined for bytes that are none. */
export function decodePacket(bytes: Uint8Array): RelayPacket | undefined {
  const dataBytes = bytes.byteLength - HEAD_BYTES;
  if (dataBytes < 0 || dataBytes > RELAY_PART_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = view.getUint8(0);
  const committedThrough = Number(view.getBigUint64(13));
  if (!isKind(kind) || !Number.isSafeInteger(committedThrough)) return undefined;
  return {
    kind,
    link: view.getUint32(1),
    number: view.getUint32(5),
    taken: view.getUint32(9),
    committedThrough,
    data: bytes.subarray(HEAD_BYTES),
  };
}

function isKind(kind: number): kind is RelayPacket["kind"] {
  return KINDS.includes(kind);
}

/** The data of `open`. */
export function encodeAddress(address: string): Uint8Array {
  return Buffer.from(address);
}

/** The address in the data of `open`; undefined if it is none. */
export function decodeAddress(data: Uint8Array): string | undefined {
  if (data.byteLength > ADDRESS_BYTES_MAX) return undefined;
  const address = Buffer.from(data).toString();
  return isAddress(address) ? address : undefined;
}

/** The data of `close`. A reason that is too long is cut. */
export function encodeClose(code: number, reason: string): Uint8Array {
  const text = Buffer.from(reason).subarray(0, REASON_BYTES_MAX);
  const data = Buffer.allocUnsafe(2 + text.byteLength);
  data.writeUInt16BE(code, 0);
  data.set(text, 2);
  return data;
}

/** The data of `close`; undefined if it is none. */
export function decodeClose(
  data: Uint8Array,
): { readonly code: number; readonly reason: string } | undefined {
  const read = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (read.byteLength < 2 || read.byteLength > 2 + REASON_BYTES_MAX) return undefined;
  const code = read.readUInt16BE(0);
  if (code < 1000 || code > 4999) return undefined;
  return { code, reason: read.toString("utf8", 2) };
}

/** The data of `feed`. */
export function encodeFeed({ after, incarnation, takesTraces }: FeedStart): Uint8Array {
  const data = Buffer.allocUnsafe(17);
  data.writeBigUInt64BE(BigInt(after), 0);
  data.writeBigUInt64BE(BigInt(incarnation), 8);
  data.writeUInt8(takesTraces ? 1 : 0, 16);
  return data;
}

/** The data of `feed`; undefined if it is none. */
export function decodeFeed(data: Uint8Array): FeedStart | undefined {
  if (data.byteLength !== 17) return undefined;
  const read = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const [after, incarnation] = [Number(read.readBigUInt64BE(0)), Number(read.readBigUInt64BE(8))];
  const traces = read.readUInt8(16);
  if (!Number.isSafeInteger(after) || incarnation >= INCARNATION_END || traces > 1)
    return undefined;
  return { after, incarnation, takesTraces: traces === 1 };
}
