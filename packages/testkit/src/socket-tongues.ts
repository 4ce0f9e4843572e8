/** The two subprotocols of a region's WebSocket, for tests: requests go in, and messages come out, as objects, whichever is spoken. */
import { decodeUtf8 } from "@meridian/protocol";
import { BINARY_SOCKET_PROTOCOL, SOCKET_PROTOCOL } from "@meridian/protocol/socket-api";
import {
  encodeBinaryRequest,
  readBinaryMessage,
  type BinaryMessage,
  type BinaryRequest,
  type BinaryResult,
} from "@meridian/protocol/binary-socket-api";

/** A request or a message, as in the JSON subprotocol. */
export type SocketWords = Readonly<Record<string, unknown>>;

/** One connection's way to write and to read. */
export interface SocketTongue {
  readonly protocol: string;
  write(request: SocketWords): string | Uint8Array;
  read(message: Uint8Array): SocketWords;
}

/** Makes what speaks a subprotocol, for one connection each. In the binary one, ids are numbers. */
export const SOCKET_TONGUES: Readonly<Record<"json" | "binary", () => SocketTongue>> = {
  json: () => ({
    protocol: SOCKET_PROTOCOL,
    write: (request) => JSON.stringify(request),
    read: (message) => JSON.parse(new TextDecoder().decode(message)) as SocketWords,
  }),
  binary: () => {
    let position = "";
    /** By id: the keys that were asked for. */
    const keys = new Map<unknown, readonly string[]>();
    return {
      protocol: BINARY_SOCKET_PROTOCOL,
      write: (request) => {
        const { id, key, keys: many } = request;
        keys.set(id, (many as readonly string[] | undefined) ?? [String(key)]);
        return encodeBinaryRequest(binaryOf(request));
      },
      read: (message) => {
        const told = readBinaryMessage(message);
        position = told.position ?? position;
        return { ...toldOf(told, keys), position };
      },
    };
  },
};

function binaryOf(request: SocketWords): BinaryRequest {
  const { entries } = request as { readonly entries?: readonly SocketWords[] };
  return {
    ...bytesOf(request),
    ...(entries !== undefined && { entries: entries.map(bytesOf) }),
  } as object as BinaryRequest;
}

function bytesOf({ encoding, ...given }: SocketWords): SocketWords {
  const { ttl, value } = given;
  const timed = { ...given, ...(ttl !== undefined && { ttl: `${ttl as string | number}` }) };
  if (value === undefined) return timed;
  const types = { json: "application/json", base64: "application/octet-stream" };
  const contentType = encoding === "json" || encoding === "base64" ? types[encoding] : TEXT;
  return { contentType, ...timed, value: rawOf(value, encoding) };
}

const TEXT = "text/plain; charset=utf-8";

function rawOf(value: unknown, encoding: unknown): Uint8Array {
  if (encoding === "json") return Buffer.from(JSON.stringify(value));
  return Buffer.from(String(value), encoding === "base64" ? "base64" : "utf8");
}

function toldOf(
  message: BinaryMessage,
  keys: ReadonlyMap<unknown, readonly string[]>,
): SocketWords {
  const { id } = message;
  switch (message.kind) {
    case "error":
      return { type: "error", id, error: JSON.parse(message.problem) as unknown };
    case "result":
      return { type: "result", id, result: resultOf(message.result, keys.get(id) ?? []) };
    case "changes": {
      const changes = message.changes.map((change) =>
        "value" in change ? { ...change, ...valueOf(change.value) } : change,
      );
      return { type: "changes", id, changes, resume: message.resume };
    }
    case "reload":
    case "position":
      return { type: message.kind, id, resume: message.resume };
  }
}

function resultOf(result: BinaryResult, keys: readonly string[]): unknown {
  switch (result.form) {
    case "json":
      return JSON.parse(result.json);
    case "found":
      return { key: keys[0], found: true, ...result.entry, ...valueOf(result.entry.value) };
    case "unchanged": {
      const { etag, expiresAtMs } = result;
      return { key: keys[0], found: true, unchanged: true, etag, expiresAtMs };
    }
    case "many": {
      const entries = result.entries.map((entry, index) => {
        const key = keys[index];
        if (entry === undefined) return { key, found: false };
        return { key, found: true, ...entry, ...valueOf(entry.value) };
      });
      return { entries };
    }
    case "page": {
      const listed = result.entries.map((entry) => {
        const bytes = entry.value.byteLength;
        return { ...entry, bytes, ...valueOf(entry.value) };
      });
      return { keys: listed, next: result.next };
    }
  }
}

function valueOf(bytes: Uint8Array = new Uint8Array(0)): {
  readonly value: string;
  readonly encoding: string;
} {
  try {
    return { value: decodeUtf8(bytes), encoding: "utf8" };
  } catch {
    return { value: Buffer.from(bytes).toString("base64"), encoding: "base64" };
  }
}
