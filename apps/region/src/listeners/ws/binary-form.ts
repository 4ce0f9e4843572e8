/** The subprotocol `meridian.v1+binary`: values as their bytes, in binary messages. */
import { toProblem, type Entry } from "@meridian/protocol";
import {
  changesMessage,
  errorMessage,
  foundResult,
  jsonResult,
  manyPart,
  manyResult,
  pagePart,
  pageResult,
  positionMessage,
  readBinaryRequest,
  reloadMessage,
  resultMessage,
  unchangedResult,
  type BinaryChange,
  type BinaryEntry,
} from "@meridian/protocol/binary-socket-api";

import type { KeyNews } from "../../service/watches.ts";
import { faceOf, type EntryFace } from "../api/entry-face.ts";
import { walkPage } from "../api/key-pages.ts";
import type { SocketForm } from "./socket-form.ts";

/** A form for one connection, as it says a position only where that is another one than before. */
export function binaryForm(): SocketForm<Uint8Array> {
  let last = "";
  const changed = (position: string): string | undefined => {
    if (position === last) return undefined;
    last = position;
    return position;
  };
  return {
    isBinary: true,
    read: readBinaryRequest,
    plain: (result) => jsonResult(JSON.stringify(result)),
    found: (entry, face) => foundResult(entryOf(entry, face)),
    unchanged: ({ expiresAtMs }, { etag }) => unchangedResult(etag, expiresAtMs || null),
    oneOfMany: (_, entry, face) =>
      manyPart(entry === undefined || face === undefined ? undefined : entryOf(entry, face)),
    many: manyResult,
    page: async ({ reads }, page) => {
      const parts: Uint8Array[] = [];
      const next = await walkPage(reads, page, (entry) => {
        const face = faceOf(entry);
        parts.push(pagePart({ key: entry.key, ...entryOf(entry, face) }));
      });
      return pageResult(parts, next);
    },
    result: (id, result, position) => resultMessage(Number(id), changed(position), result),
    error: (id, error, position) => {
      const problem = JSON.stringify(toProblem(error));
      return errorMessage(id === null ? null : Number(id), changed(position), problem);
    },
    changes: (id, news, values, resume, position) => {
      const changes = news.map((each) => changeOf(each, values));
      return changesMessage(Number(id), changed(position), resume, changes);
    },
    reload: (id, resume, position) => reloadMessage(Number(id), changed(position), resume),
    position: (id, resume, position, times) =>
      positionMessage(Number(id), changed(position), resume, times),
  };
}

function entryOf({ value, expiresAtMs }: Entry, { etag, contentType }: EntryFace): BinaryEntry {
  return { etag, contentType, expiresAtMs: expiresAtMs || null, value };
}

function changeOf({ event, key, etag, entry }: KeyNews, values: boolean): BinaryChange {
  if (event !== "set" || entry === undefined) {
    return { event: event === "expire" ? "expire" : "delete", key, etag };
  }
  const { value, ...facts } = entryOf(entry, faceOf(entry));
  return { event, key, ...facts, ...(values && { value }) };
}
