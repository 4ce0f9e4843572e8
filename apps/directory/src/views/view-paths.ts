/**
 * The paths under which requests are handed on: `/nodes/<id>/view` before the path of a region's request, and `/peers/<name>/view` before that
 * of a directory that is followed.
 */
import { decodeEscapes } from "@meridian/http";
import { PEER_PREFIX, VIEW_PREFIX } from "@meridian/protocol/http-api";

/** A request that is handed on. */
export interface ViewPath {
  /** Whether a node or a directory is asked. */
  readonly kind: "node" | "directory";
  /** The id of the node, or the name of the directory. */
  readonly id: string;
  /** The path there, percent-encoded anew: of a key, no part of it is left that a server might take for a path. */
  readonly target: string;
}

const PATH = /^\/(nodes|peers)\/([^/]+)\/view(\/.+)$/;
const KEY = "/cache/";
const QUARANTINE = /^\/quarantine\/([^/]+?)(\/replay)?$/;

/** The path in the API of a request that is handed on; undefined for any other. */
export function viewRouteOf(path: string): string | undefined {
  const [, parties, , rest] = PATH.exec(path) ?? [];
  if (rest === undefined) return undefined;
  return (parties === "peers" ? PEER_PREFIX : VIEW_PREFIX) + restRouteOf(rest);
}

/** The key in the path of a request that is handed on, still percent-encoded; of any other path, all of it. */
export function viewedKey(path: string): string {
  const [, , , rest = path] = PATH.exec(path) ?? [];
  return rest.startsWith(KEY) ? rest.slice(KEY.length) : rest;
}

/** Takes the path of a request that is handed on apart. Throws `INVALID_ARGUMENT` and `INVALID_KEY` for escapes that are none. */
export function viewPathOf(path: string): ViewPath {
  const [, parties, id = "", rest = "/"] = PATH.exec(path) ?? [];
  const kind = parties === "peers" ? "directory" : "node";
  return { kind, id: decodeEscapes(id), target: targetOf(rest) };
}

function restRouteOf(rest: string): string {
  if (rest.startsWith(KEY)) return `${KEY}{key}`;
  const [isEntry, , replay = ""] = QUARANTINE.exec(rest) ?? [];
  return isEntry === undefined ? rest : `/quarantine/{entry}${replay}`;
}

function targetOf(rest: string): string {
  if (rest.startsWith(KEY)) {
    return KEY + escaped(decodeEscapes(rest.slice(KEY.length), "INVALID_KEY"));
  }
  const [isEntry, entry = "", replay = ""] = QUARANTINE.exec(rest) ?? [];
  return isEntry === undefined ? rest : `/quarantine/${escaped(decodeEscapes(entry))}${replay}`;
}

/** Escapes dots, too: a server might take a segment of nothing else for a way up. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(".", "%2E");
}
