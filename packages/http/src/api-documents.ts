import { createRequire } from "node:module";
import { dirname } from "node:path";

import type { Exchange } from "./exchange.ts";
import type { Route, RouteTable } from "./routed-app.ts";
import { StaticFiles } from "./static-files.ts";

/**
 * The routes of the API's documents: `/openapi.json`, and `/docs` for people. They are read from `@meridian/protocol` when
 * they are first asked for.
 */
export function apiDocumentRoutes(program: "region" | "directory"): RouteTable<Exchange> {
  let read: Promise<StaticFiles> | undefined;
  const file = (name: string): Readonly<Record<string, Route<Exchange>>> => ({
    GET: async (exchange) => {
      read ??= StaticFiles.read(folderOf(program));
      return (await read).answer(exchange, name);
    },
  });
  return {
    "/openapi.json": file("openapi.json"),
    "/docs": file("docs.html"),
    "/docs.css": file("docs.css"),
  };
}

function folderOf(program: string): string {
  const require = createRequire(import.meta.url);
  return dirname(require.resolve(`@meridian/protocol/openapi/${program}/openapi.json`));
}
