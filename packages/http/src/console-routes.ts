/**
 * The routes of the console: a page for browsers under `/`, and what it loads under `/console/`. Everybody may load the files. The page asks for what
 * it shows with the token of the person who uses it.
 */
import { MeridianError } from "@meridian/protocol";

import type { Answer } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import type { RouteTable } from "./routed-app.ts";
import { StaticFiles } from "./static-files.ts";

/** The path before the names of what the page loads. */
const CONSOLE_PREFIX = "/console/";

/** The path of the route of all these. */
const CONSOLE_PATH = "/console/{file}";

/** What the page may load and do: nothing but what this program serves, and no code or styles within the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "frame-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** How the page says of which program it is, and how the file says that it does not know. */
const UNKNOWN_PROGRAM = 'name="meridian-program" content="unknown"';

const INDEX = "index.html";

const NOT_BUILT = "the console has not been built here (`npm run build` builds it)";

/** Which console is served. */
export interface ConsoleOptions {
  readonly program: "region" | "directory";
  /** The folder of the built files; undefined to serve no console. */
  readonly folder: string | undefined;
}

/** The route of a path of the console; undefined for a path that is none. */
export function consoleRouteOf(path: string): string | undefined {
  return path.startsWith(CONSOLE_PREFIX) ? CONSOLE_PATH : undefined;
}

/** The routes of the console. Its files are read when they are first asked for, so that a console that is built meanwhile is there, too. */
export function consoleRoutes({ program, folder }: ConsoleOptions): RouteTable<Exchange> {
  let files: Promise<StaticFiles> | undefined;
  const file = async (exchange: Exchange): Promise<Answer> => {
    if (folder === undefined) throw missing("the console is switched off (`--no-console`)");
    // All requests share one reading. One that failed is forgotten, so that the next request reads anew.
    files ??= readConsole(folder, program).catch((cause: unknown) => {
      files = undefined;
      throw cause;
    });
    return (await files).answer(exchange, exchange.path.slice(1));
  };
  return {
    "/": {
      GET: (exchange) => {
        if (exchange.header("accept")?.includes("text/html") === true) return file(exchange);
        throw missing("the console is for browsers, which accept `text/html`; `/docs` has the API");
      },
    },
    [CONSOLE_PATH]: { GET: file },
  };
}

/** Reads the files of a console. Rejects with `ROUTE_NOT_FOUND` if there is none, or not yet a whole one. */
async function readConsole(folder: string, program: string): Promise<StaticFiles> {
  let files: StaticFiles;
  try {
    files = await StaticFiles.read(folder, {
      policy: POLICY,
      isLasting: (name) => name.startsWith(CONSOLE_PREFIX.slice(1)),
      rewrite: (name, content) => (name === INDEX ? withProgram(content, program) : content),
    });
  } catch (cause) {
    if (isAbsence(cause)) throw missing(NOT_BUILT);
    throw missing(`the console cannot be served: ${String(cause)}`);
  }
  if (!files.has(INDEX)) throw missing(NOT_BUILT);
  return files;
}

/** Whether a reading failed because there is no folder, or a file in it went away meanwhile. */
function isAbsence(cause: unknown): boolean {
  const reason = cause instanceof Error ? cause.cause : undefined;
  return reason instanceof Error && "code" in reason && reason.code === "ENOENT";
}

function withProgram(page: Uint8Array, program: string): Uint8Array {
  const text = Buffer.from(page).toString();
  return Buffer.from(text.replace(UNKNOWN_PROGRAM, UNKNOWN_PROGRAM.replace("unknown", program)));
}

function missing(why: string): MeridianError {
  return new MeridianError("ROUTE_NOT_FOUND", `Expected another path: ${why}`);
}
