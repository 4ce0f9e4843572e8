/**
 * Writes the bodies of answers, in pieces that are small enough to see whether the client reads them. Before an answer is written, room for it is
 * asked for.
 */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

import { SMALL_BYTES } from "@meridian/runtime";

/** A body that goes on: it is written as long as there is something to tell. */
interface OpenBody {
  /** Begins to write, once the head has been written. */
  readonly begin: (outgoing: ServerResponse) => void;
}

/** The body of an answer; a list is one body in pieces. */
export type AnswerBody = string | Uint8Array | readonly Uint8Array[] | OpenBody | null;

function isOpen(body: AnswerBody): body is OpenBody {
  return typeof body === "object" && body !== null && "begin" in body;
}

/** The largest piece that is written at once, in bytes. */
const PIECE_BYTES = 256 * 1024;

/** What has not been written yet of the body that a connection is carrying. */
const unwritten = new WeakMap<Duplex, number>();

/** Bytes that wait to be written to a connection, beside those that wait in it. */
export function unwrittenBytes(socket: Duplex): number {
  return unwritten.get(socket) ?? 0;
}

/** The room for the answers of a connection. */
interface AnswerRoom {
  /** Takes room for what is going to be written. Throws `OVERLOADED`. */
  readonly admit: (bytes: number) => void;
  /** Counts what has been written and waits. The connection may be cut for it, or another. */
  readonly take: (bytes: number) => void;
}

const rooms = new WeakMap<Duplex, AnswerRoom>();

/** Makes all answers on a connection, except small ones, ask `room` before they are written. */
export function guardAnswers(socket: Duplex, room: AnswerRoom): void {
  rooms.set(socket, room);
}

/** Asks for room for an answer of so many bytes. Throws `OVERLOADED`. */
export function admitAnswer({ socket }: ServerResponse, bytes: number): void {
  if (bytes > SMALL_BYTES && socket !== null) rooms.get(socket)?.admit(bytes);
}

/** Writes a part of an answer that goes on. What does not leave at once counts as held for the client. */
export function writePart(outgoing: ServerResponse, text: string): void {
  const before = outgoing.writableLength;
  outgoing.write(text);
  const heldBytes = outgoing.writableLength - before;
  const { socket } = outgoing;
  if (heldBytes > 0 && socket !== null) rooms.get(socket)?.take(heldBytes);
}

/** How many bytes a body has. */
export function bodyBytes(body: AnswerBody): number {
  if (body === null) return 0;
  if (typeof body === "string") return Buffer.byteLength(body);
  if (body instanceof Uint8Array) return body.byteLength;
  if (isOpen(body)) return 0;
  return body.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** A body in one piece, for a caller that cannot take several; empty for a body that goes on. */
export function wholeBody(body: AnswerBody): string | Uint8Array | null {
  if (isOpen(body)) return null;
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return body;
  return Buffer.concat(body);
}

/** Writes a body of so many bytes, and ends the answer with it. */
export function writeBody(outgoing: ServerResponse, body: AnswerBody, bytes: number): void {
  if (body === null) outgoing.end();
  else if (isOpen(body)) beginBody(outgoing, body);
  else if (bytes <= PIECE_BYTES) outgoing.end(wholeBody(body));
  else writePieces(outgoing, piecesOf(body), bytes);
}

function beginBody(outgoing: ServerResponse, body: OpenBody): void {
  // The head of the answer is all that `HEAD` asks for.
  if (outgoing.req.method === "HEAD") return void outgoing.end();
  try {
    body.begin(outgoing);
  } catch {
    // The head has left: the end is all that the client can still be told.
    outgoing.end();
  }
}

function writePieces(outgoing: ServerResponse, pieces: Iterator<Uint8Array>, bytes: number): void {
  const { socket } = outgoing;
  let left = bytes;
  const goOn = (): void => {
    for (let next = pieces.next(); next.done !== true; next = pieces.next()) {
      left -= next.value.byteLength;
      if (socket !== null) unwritten.set(socket, left);
      if (!outgoing.write(next.value) && left > 0) {
        outgoing.once("drain", goOn);
        return;
      }
    }
    if (socket !== null) unwritten.delete(socket);
    outgoing.end();
  };
  goOn();
}

function* piecesOf(body: string | Uint8Array | readonly Uint8Array[]): Generator<Uint8Array> {
  const parts = typeof body === "string" ? [Buffer.from(body)] : listOf(body);
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += PIECE_BYTES) {
      yield part.subarray(at, at + PIECE_BYTES);
    }
  }
}

function listOf(body: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  return body instanceof Uint8Array ? [body] : body;
}
