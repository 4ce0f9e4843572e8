import { routesOf, type Access, type ApiTable } from "@meridian/protocol/http-api";
import { SOCKET_API, SOCKET_PATH } from "@meridian/protocol/socket-api";

import { tableOf, withPart } from "./options-tables.ts";

/** Returns SECURITY.md with the table of what each route demands, made from the API. */
export function withAccess(
  document: string,
  apis: Readonly<Record<"region" | "directory", ApiTable>>,
): string {
  const rows = Object.entries(apis).flatMap(([program, api]) =>
    routesOf(api).map(({ method, path, access }) => rowOf(program, `${method} ${path}`, access)),
  );
  const socketRows = Object.entries(SOCKET_API).map(([type, { access }]) =>
    rowOf("region", `${SOCKET_PATH}: ${type}`, access),
  );
  rows.push(...socketRows);
  return withPart(document, "access", tableOf([["program", "request", "token", "keys"], ...rows]));
}

function rowOf(program: string, asked: string, access: Access): readonly string[] {
  const keys = access.scope === "admin" ? "all" : access.keys;
  return [program, `\`${asked}\``, SCOPES[access.scope], keys === undefined ? "" : KEYS[keys]];
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
  watch: "that of `key`, or all with `prefix`",
  body: "each of the body",
  all: "all",
};
