/**
 * Files that a program serves as they are. All files are read once, and a request only looks its path up among their names. So no path leads to
 * another file, and no request touches the disk.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, posix, sep } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

import { MeridianError } from "@meridian/protocol";

import type { Answer, HeaderList } from "./answer.ts";
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

const compress = promisify(gzip);

/** Content that gzip makes smaller: text. */
const COMPRESSIBLE = /^text\/|json|svg/;

/** How the files of a folder are read and served. */
export interface StaticFilesOptions {
  /** The most bytes of all files together. Default: 16 MiB. */
  readonly bytesMax?: number;
  /** What their pages may load. Default: what comes from their own origin. */
  readonly policy?: string;
  /** Files that never change under their names, which browsers keep for a year. Default: none. */
  readonly isLasting?: (name: string) => boolean;
  /** What is served instead of a file's text. Default: the text. */
  readonly rewrite?: (name: string, content: Uint8Array) => Uint8Array;
}

interface StaticFile {
  readonly plain: Representation;
  /** The same for those who take gzip, if that is smaller. */
  readonly compressed: Representation | undefined;
}

interface Representation {
  readonly content: Uint8Array;
  readonly headers: HeaderList;
  readonly etag: string;
  readonly caching: string;
}

/** The files of a folder. */
export class StaticFiles {
  readonly #files: ReadonlyMap<string, StaticFile>;

  private constructor(files: ReadonlyMap<string, StaticFile>) {
    this.#files = files;
  }

  /**
   * Reads the files of a folder and of those in it, but for links. Rejects with `INVALID_CONFIG` for a folder that cannot
   * be read, or has too many bytes.
   */
  static async read(folder: string, options: StaticFilesOptions = {}): Promise<StaticFiles> {
    const { bytesMax = BYTES_MAX, rewrite = (_, content) => content } = options;
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
        files.set(name, await fileOf(name, rewrite(name, await readFile(path)), options));
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

  /** Whether there is a file of a name. */
  has(name: string): boolean {
    return this.#files.has(name);
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
    const served = takesGzip(exchange) ? (file.compressed ?? file.plain) : file.plain;
    const { content, headers, etag, caching } = served;
    const held = exchange.header("if-none-match")?.split(",") ?? [];
    const isHeld = held.some((tag) => tag.trim().replace(/^W\//, "") === etag);
    const kept = ["ETag", etag, "Cache-Control", caching];
    return withOneCaching(
      isHeld ? exchange.plain(304, null, kept) : exchange.plain(200, content, headers),
    );
  }
}

/** Whether a client says that it takes gzip: browsers name it without a weight. */
function takesGzip(exchange: Exchange): boolean {
  const accepted = exchange.header("accept-encoding")?.split(",") ?? [];
  return accepted.some((each) => each.trim().toLowerCase() === "gzip");
}

/** Removes the caching header that all answers of the program share, because the file has its own. */
function withOneCaching(answer: Answer): Answer {
  const isCaching = (index: number): boolean => answer.headers[index] === "Cache-Control";
  const names = answer.headers.flatMap((_, index) => (index % 2 === 0 ? [index] : []));
  const first = names.find(isCaching);
  const kept = names.filter((index) => index === first || !isCaching(index));
  return {
    ...answer,
    headers: kept.flatMap((index) => answer.headers.slice(index, index + 2)),
  };
}

async function fileOf(
  name: string,
  content: Uint8Array,
  options: StaticFilesOptions,
): Promise<StaticFile> {
  const type = CONTENT_TYPES[extname(name).toLowerCase()] ?? "application/octet-stream";
  const { policy = "default-src 'self'; frame-ancestors 'self'", isLasting } = options;
  const caching = isLasting?.(name) === true ? "public, max-age=31536000, immutable" : "no-cache";
  const plain = represent({ content, type, policy, caching });
  if (!COMPRESSIBLE.test(type)) return { plain, compressed: undefined };
  const packed = await compress(content, { level: 9 });
  if (packed.byteLength >= content.byteLength) return { plain, compressed: undefined };
  const compressed = represent({ content: packed, type, policy, caching, encoding: "gzip" });
  return { plain, compressed };
}

function represent({
  content,
  type,
  policy,
  caching,
  encoding,
}: {
  readonly content: Uint8Array;
  readonly type: string;
  readonly policy: string;
  readonly caching: string;
  readonly encoding?: string;
}): Representation {
  const etag = `"${createHash("sha256").update(content).digest("base64url").slice(0, 22)}"`;
  // oxfmt-ignore
  const headers = [
    "Content-Type", type,
    "Content-Length", String(content.byteLength),
    ...(encoding === undefined ? [] : ["Content-Encoding", encoding]),
    ...(COMPRESSIBLE.test(type) ? ["Vary", "Accept-Encoding"] : []),
    "ETag", etag,
    "Cache-Control", caching,
    "X-Content-Type-Options", "nosniff",
    "Referrer-Policy", "no-referrer",
    "Content-Security-Policy", policy,
  ];
  return { content, headers, etag, caching };
}
