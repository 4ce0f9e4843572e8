/**
 * Files that a program serves as they are. All of them are read when the program starts, and a request only looks its
 * path up among their names: no path can lead anywhere else, and no request touches the disk.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, posix, sep } from "node:path";

import { MeridianError } from "@meridian/protocol";

import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { decodeEscapes } from "./target.ts";

/** Content types by the ends of names. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** What a path that ends with a slash stands for. */
const INDEX = "index.html";

const BYTES_MAX = 16 * 1024 * 1024;

interface StaticFile {
  readonly content: Uint8Array;
  readonly headers: readonly string[];
  readonly etag: string;
}

/** The files of a folder. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, StaticFile>;

  private constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files;
  }

  /**
   * Reads the files of a folder and of those in it, but for links. Rejects with `INVALID_CONFIG` for a folder that cannot
   * be read, or has more than `bytesMax` (default: 16 MiB).
   */
  static async read(folder: string, bytesMax: number = BYTES_MAX): Promise<StaticFiles> {
    const files = new Map<string, StaticFile>();
    try {
      let bytes = 0;
      const found = await readdir(folder, { recursive: true, withFileTypes: true });
      for (const each of found) {
        if (!each.isFile()) continue;
        const path = join(each.parentPath, each.name);
        bytes += (await stat(path)).size;
        if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`);
        const name = path.slice(join(folder, sep).length).replaceAll(sep, posix.sep);
        files.set(name, fileOf(name, await readFile(path)));
      }
    } catch (cause) {
      throw new MeridianError(
        "INVALID_CONFIG",
        `Expected a folder of files to serve at \`${folder}\`, got ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
    return new StaticFiles(files);
  }

  /** Answers with the file of a name: the rest of a path, still percent-encoded. Throws `ROUTE_NOT_FOUND`. */
  answer(exchange: Exchange, name: string): Answer {
    exchange.query();
    const decoded = decodeEscapes(name);
    const file = this.#files.get(/(^|\/)$/.test(decoded) ? decoded + INDEX : decoded);
    if (file === undefined) {
      throw new MeridianError(
        "ROUTE_NOT_FOUND",
        `Expected the name of a file, got \`${name.slice(0, 200)}\``,
      );
    }
    const held = exchange.header("if-none-match")?.split(",") ?? [];
    const isHeld = held.some((tag) => tag.trim().replace(/^W\//, "") === file.etag);
    if (isHeld) return exchange.plain(304, null, ["ETag", file.etag, "Cache-Control", "no-cache"]);
    return exchange.plain(200, file.content, file.headers);
  }
}

function fileOf(name: string, content: Uint8Array): StaticFile {
  const etag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
  const type = CONTENT_TYPES[extname(name).toLowerCase()] ?? "application/octet-stream";
  // oxfmt-ignore
  const headers = [
    "Content-Type", type,
    "Content-Length", String(content.byteLength),
    "ETag", etag,
    "Cache-Control", "no-cache",
    "X-Content-Type-Options", "nosniff",
    "Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'",
  ];
  return { content, headers, etag };
}
