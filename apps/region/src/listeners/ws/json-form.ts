/** The subprotocol `meridian.v1+json`: JSON in text messages. */
import { isUtf8 } from "node:buffer";

import { MeridianError, toProblem, type Entry } from "@meridian/protocol";
import {
  isDeeperThan,
  readSocketRequest,
  SOCKET_DEPTH_MAX,
  type ValueEncoding,
} from "@meridian/protocol/socket-api";

import type { EntryFace } from "../api/entry-face.ts";
import { describeFound, isShortAsJson } from "../api/found-entry.ts";
import { pageWithValues } from "../api/key-pages.ts";
import { newsJson } from "../api/watched.ts";
import type { SocketForm } from "./socket-form.ts";

export const jsonForm: SocketForm<string> = {
  isBinary: false,
  read: (message) => readSocketRequest(message.toString()),
  plain: (result) => JSON.stringify(result),
  found,
  unchanged: ({ key, expiresAtMs }, { etag }) =>
    JSON.stringify({
      key,
      found: true,
      unchanged: true,
      etag,
      expiresAtMs: expiresAtMs || null,
    }),
  oneOfMany: (key, entry, face, encoding) =>
    entry === undefined || face === undefined
      ? JSON.stringify({ key, found: false })
      : found(entry, face, encoding),
  many: (parts) => `{"entries":[${parts.join(",")}]}`,
  page: async (service, page) => Buffer.concat(await pageWithValues(service, page)).toString(),
  result: (id, result, position) =>
    `{"type":"result","id":${JSON.stringify(id)},"result":${result}${end(position)}`,
  error: (id, error, position) =>
    `{"type":"error","id":${JSON.stringify(id)},"error":${JSON.stringify(toProblem(error))}${end(position)}`,
  changes: (id, news, values, resume, position) => {
    const changes = news.map((each) => newsJson(each, values)).join(",");
    return `{"type":"changes","id":${JSON.stringify(id)},"changes":[${changes}],"resume":"${resume}"${end(position)}`;
  },
  reload: (id, resume, position) =>
    `{"type":"reload","id":${JSON.stringify(id)},"resume":"${resume}"${end(position)}`,
  position: (id, resume, position, { elapsedMs, nowMs }) =>
    `{"type":"position","id":${JSON.stringify(id)},"elapsedMs":${elapsedMs},"nowMs":${nowMs},"resume":"${resume}"${end(position)}`,
};

function end(position: string): string {
  return `,"position":${JSON.stringify(position)}}`;
}

/** The JSON of a live entry, its value in the encoding that was asked for, or in the shortest that can say it. Throws `INVALID_ARGUMENT`. */
function found(entry: Entry, face: EntryFace, encoding: ValueEncoding | undefined): string {
  if (encoding === undefined) return JSON.stringify(describeFound(entry, face));
  const { key, value, expiresAtMs } = entry;
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const { etag, contentType } = face;
  const told = { key, found: true, encoding, contentType, etag, expiresAtMs: expiresAtMs || null };
  if (encoding === "base64") return JSON.stringify({ ...told, value: bytes.toString("base64") });
  if (!isUtf8(value)) throw wrongEncoding(key, encoding);
  const text = bytes.toString();
  if (encoding === "utf8" && !isShortAsJson(value)) throw wrongEncoding(key, encoding);
  if (encoding === "utf8") return JSON.stringify({ ...told, value: text });
  if (!isJson(text)) throw wrongEncoding(key, encoding);
  return `${JSON.stringify(told).slice(0, -1)},"value":${text}}`;
}

function isJson(text: string): boolean {
  // A parser takes half a second for a mebibyte of brackets.
  if (isDeeperThan(text, SOCKET_DEPTH_MAX)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function wrongEncoding(key: string, encoding: ValueEncoding): MeridianError {
  const expected =
    encoding === "json"
      ? `JSON of at most ${SOCKET_DEPTH_MAX} levels`
      : "UTF-8 that JSON says in about twice its bytes";
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected the value of \`${key}\` to be ${expected}, as \`encoding\` asks for, got other bytes; \`base64\` takes any`,
  );
}
