import { routesOf, type Access, type ApiTable } from "@meridian/protocol/http-api";

import { tableOf, withPart } from "./options-tables.ts";

/** SECURITY.md with the table of what each route demands, as the API declares it. */
export function withAccess(
  document: string,
  apis: Readonly<Record<"region" | "directory", ApiTable>>,
): string {
  const rows = Object.entries(apis).flatMap(([program, api]) =>
    routesOf(api).map(({ method, path, access }) => [
      program,
      `\`${method} ${path}\``,
      SCOPES[access.scope],
      access.scope === "admin" ? KEYS.all : access.keys === undefined ? "" : KEYS[access.keys],
    ]),
  );
  return withPart(document, "access", tableOf([["program", "request", "token", "keys"], ...rows]));
}

const SCOPES: Readonly<Record<Access["scope"], string>> = {
  public: "none",
  any: "any",
  read: "`read`",
  write: "`write`",
  admin: "`admin`",
};

const KEYS: Readonly<Record<NonNullable<Access["keys"]>, string>> = {
  path: "that of the path",
  query: "that of `key`",
  prefix: "all with `prefix`",
  body: "each of the body",
  all: "all",
};
