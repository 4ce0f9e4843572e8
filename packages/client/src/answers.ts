/** Answers as results: reading what a node says of entries, keys and acknowledgements. */
import { fromBase64 } from "./base64.ts";
import type { NodeAnswer } from "./caller.ts";
import type { Acknowledgement } from "@meridian/protocol";
import type { KeyInfo, RawEntry, Written } from "./meridian-client.ts";
import { membersOf, readJson } from "./problem.ts";
import { bytesOf, type ReceivedValue } from "./values.ts";

type Members = Readonly<Record<string, unknown>>;

/** The members of a JSON answer. Throws `INVALID_BODY` for other answers. */
export function jsonOf(reply: NodeAnswer): Members {
  return membersOf(readJson(reply.answer, `node ${reply.node.info.id}`));
}

/** The list in a member, or none. */
export function listOf(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.map(membersOf) : [];
}

/** An entry as it came in an answer: of most, only the value is wanted. */
export interface ReceivedEntry extends ReceivedValue {
  readonly etag: unknown;
  readonly expiresAtMs: unknown;
}

/** The entry that an answer carries as its body. */
export function carriedEntryOf({ headers, body }: NodeAnswer["answer"]): ReceivedEntry {
  return {
    contentType: headers.get("content-type") ?? "",
    bytes: body,
    etag: headers.get("etag"),
    expiresAtMs: Number(headers.get("meridian-expires-at")),
  };
}

/** The entries of a batch answer that were found, by their keys. */
export function batchEntriesOf(reply: NodeAnswer): ReadonlyMap<string, ReceivedEntry> {
  const { entries } = jsonOf(reply);
  const found = new Map<string, ReceivedEntry>();
  if (!Array.isArray(entries)) return found;
  for (const entry of entries as readonly (Members | null)[]) {
    if (entry?.["found"] !== true) continue;
    const value = textOf(entry["value"]);
    const base64 = entry["encoding"] === "base64";
    found.set(textOf(entry["key"]), {
      contentType: textOf(entry["contentType"]),
      bytes: base64 ? fromBase64(value) : undefined,
      text: base64 ? undefined : value,
      etag: entry["etag"],
      expiresAtMs: entry["expiresAtMs"],
    });
  }
  return found;
}

/** A received entry as callers get it. */
export function rawEntryOf(entry: ReceivedEntry): RawEntry {
  return {
    value: bytesOf(entry),
    contentType: entry.contentType,
    etag: bareEtag(entry.etag),
    expiresAtMs: instantOf(entry.expiresAtMs),
  };
}

/** A key of a listing. */
export function keyInfoOf(key: Members): KeyInfo {
  return {
    key: textOf(key["key"]),
    bytes: Number(key["bytes"]),
    contentType: textOf(key["contentType"]),
    etag: bareEtag(key["etag"]),
    expiresAtMs: instantOf(key["expiresAtMs"]),
  };
}

/** What was written. */
export function writtenOf(written: Members): Written {
  return {
    key: textOf(written["key"]),
    etag: bareEtag(written["etag"]),
    expiresAtMs: instantOf(written["expiresAtMs"]),
  };
}

/** How far a write had got. */
export function acknowledgementOf(value: unknown): Acknowledgement {
  const { level, reached, directory, nodes, ready } = membersOf(value);
  return {
    level:
      typeof level === "number"
        ? level
        : level === "directory" || level === "all"
          ? level
          : "local",
    reached: reached === true,
    local: true,
    directory: directory === true,
    nodes: Array.isArray(nodes) ? nodes.map(String) : [],
    ready: Array.isArray(ready) ? ready.map(String) : [],
  };
}

function instantOf(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}

/** Etags are quoted in headers; callers get and give them bare. */
function bareEtag(value: unknown): string {
  return textOf(value).replace(/^(W\/)?"(.*)"$/, "$2");
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
