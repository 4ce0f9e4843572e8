/** Answers as results: reading what a node says of entries, keys and acknowledgements. */
import { fromBase64 } from "./base64.ts";
import type { NodeAnswer } from "./caller.ts";
import type { Acknowledgement } from "@meridian/protocol";
import type { KeyInfo, RawEntry, Written } from "./meridian-client.ts";
import { membersOf, readJson } from "./problem.ts";

type Members = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();

/** The members of a JSON answer. Throws `INVALID_BODY` for other answers. */
export function jsonOf(reply: NodeAnswer): Members {
  return membersOf(readJson(reply.answer, `node ${reply.node.info.id}`));
}

/** The list in a member, or none. */
export function listOf(value: unknown): readonly Members[] {
  return Array.isArray(value) ? value.map(membersOf) : [];
}

/** The entry that an answer carries as its body. */
export function carriedEntryOf({ headers, body }: NodeAnswer["answer"]): RawEntry {
  return {
    value: body,
    contentType: headers.get("content-type") ?? "",
    etag: bareEtag(headers.get("etag")),
    expiresAtMs: instantOf(Number(headers.get("meridian-expires-at"))),
  };
}

/** An entry of a batch answer, or undefined if it was not found. */
export function rawEntryOf(entry: Members): RawEntry | undefined {
  if (entry["found"] !== true) return undefined;
  const value = textOf(entry["value"]);
  return {
    value: entry["encoding"] === "base64" ? fromBase64(value) : encoder.encode(value),
    contentType: textOf(entry["contentType"]),
    etag: bareEtag(entry["etag"]),
    expiresAtMs: instantOf(entry["expiresAtMs"]),
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
