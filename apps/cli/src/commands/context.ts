/** `meridian context`: names for clusters. The contents of token files are never printed. */
import { resolve } from "node:path";

import { checkIdentifier, MeridianError } from "@meridian/protocol";

import { contextNamed, contextPath, readContexts, writeContexts } from "../contexts.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls } from "../place.ts";
import { formatTable } from "../table.ts";
import { printJson } from "./entries.ts";

/** The options of these commands. */
export interface ContextFlags {
  readonly directory?: string;
  readonly ca?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly json?: boolean;
}

/** `meridian context add`: adds or replaces a context; the first one becomes the current one. */
export function add(name: string, flags: ContextFlags, io: CliIo): number {
  checkIdentifier("a context", name);
  if (flags.directory === undefined) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected `--directory <url>`, got nothing");
  }
  const directory = directoryUrls(flags, io).join(",");
  // Both have been read, to be used in this very run.
  const ca = flags.ca && resolve(flags.ca);
  const tokenFile = flags.tokenFile && resolve(flags.tokenFile);
  const path = contextPath(io.env);
  const { current, contexts } = readContexts(path);
  const made = { directory, ...(ca && { ca }), ...(tokenFile && { tokenFile }) };
  const used = current ?? name;
  writeContexts(path, { current: used, contexts: { ...contexts, [name]: made } });
  io.stdout.write(
    used === name
      ? `Commands go to ${name} now.\n`
      : `Commands go to ${used} still: \`meridian context use ${name}\` changes that.\n`,
  );
  return EXIT.ok;
}

/** `meridian context use`. */
export function use(name: string, io: CliIo): number {
  const path = contextPath(io.env);
  const file = readContexts(path);
  const { directory } = contextNamed(file, name);
  writeContexts(path, { ...file, current: name });
  io.stdout.write(`Commands go to ${name} now, at ${directory}.\n`);
  return EXIT.ok;
}

/** `meridian context remove`. */
export function remove(name: string, io: CliIo): number {
  const path = contextPath(io.env);
  const file = readContexts(path);
  contextNamed(file, name);
  const { [name]: _, ...contexts } = file.contexts;
  const current = file.current === name ? null : file.current;
  writeContexts(path, { current, contexts });
  io.stdout.write(`${name} is forgotten.\n`);
  return EXIT.ok;
}

/** `meridian context list`: prints all contexts, with a star at the current one. */
export function list(flags: ContextFlags, io: CliIo): number {
  const file = readContexts(contextPath(io.env));
  if (flags.json === true) {
    printJson(io, file);
    return EXIT.ok;
  }
  const rows = Object.entries(file.contexts).map(([name, { directory, ca, tokenFile }]) => [
    name === file.current ? "*" : "",
    name,
    directory,
    ca ?? "-",
    tokenFile ?? "-",
  ]);
  io.stdout.write(formatTable(["", "CONTEXT", "DIRECTORY", "CA", "TOKEN FILE"], rows));
  return EXIT.ok;
}
