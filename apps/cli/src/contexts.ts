/**
 * Contexts: names for clusters, so that their directories, authorities and tokens need not be said again. They are kept in
 * `meridian/contexts.json` in the user's configuration folder, which only the user reads. Of secrets only the paths are kept.
 */
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import * as v from "valibot";

/** How the command reaches a cluster. */
export interface Context {
  /** The URLs of the directories, with commas between them. */
  readonly directory: string;
  /** The paths of the files of `--ca` and `--token-file`. */
  readonly ca?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** All contexts, and the name of the current one. Invariant: `current` is null or the name of one of `contexts`. */
export interface ContextFile {
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

const context: v.GenericSchema<Context> = v.strictObject({
  directory: v.string(),
  ca: v.optional(v.string()),
  tokenFile: v.optional(v.string()),
});

const contextFile: v.GenericSchema<ContextFile> = v.strictObject({
  current: v.nullable(v.string()),
  contexts: v.record(v.string(), context),
});

/** The mode of the file: only its owner may read and write it. */
const SECRET = 0o600;
const FOLDER = 0o700;

/** The path of the file of contexts; undefined if no variable says where the user's files are. */
export function contextPath(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CONFIG_HOME = "", HOME = "" } = env;
  const folder = XDG_CONFIG_HOME || (HOME && join(HOME, ".config"));
  return folder === "" ? undefined : join(folder, "meridian", "contexts.json");
}

/** Reads the contexts of a file; returns none if there is no file. Throws `INVALID_CONFIG`. */
export function readContexts(path: string | undefined): ContextFile {
  const none: ContextFile = { current: null, contexts: {} };
  if (path === undefined) return none;
  try {
    return v.parse(contextFile, JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return none;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_CONFIG", `Expected contexts in \`${path}\`: ${why}`, {
      cause,
    });
  }
}

/** Replaces the file of contexts as a whole. Throws `INVALID_CONFIG`. */
export function writeContexts(path: string | undefined, file: ContextFile): void {
  if (path === undefined) {
    const said = "Expected HOME or XDG_CONFIG_HOME to say where contexts are kept, got neither";
    throw new MeridianError("INVALID_CONFIG", said);
  }
  const fresh = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: FOLDER });
    writeFileSync(fresh, `${JSON.stringify(file, null, 2)}\n`, { mode: SECRET });
    // A file that an earlier attempt has left would keep its mode.
    chmodSync(fresh, SECRET);
    renameSync(fresh, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_CONFIG", `Expected to write contexts to \`${path}\`: ${why}`, {
      cause,
    });
  }
}

/** The context `name`. Throws `INVALID_ARGUMENT`, whose message lists the existing names. */
export function contextNamed({ contexts }: ContextFile, name: string): Context {
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(contexts).join(", ") || "none";
  throw new MeridianError("INVALID_ARGUMENT", `Expected a context (${names}), got \`${name}\``);
}

/** The flags that choose a cluster. */
export interface ContextChoice {
  /** The flags `--context` and `--directory`. */
  readonly context?: string | undefined;
  readonly directory?: string | undefined;
}

/**
 * The context of a command: the one of `--context`, otherwise the current one. Returns none if `--directory` names a cluster, because another
 * cluster must not get a token of the current context. Throws `INVALID_ARGUMENT` and `INVALID_CONFIG`.
 */
export function chosenContext(
  { context: named, directory }: ContextChoice,
  env: Readonly<Record<string, string | undefined>>,
): Context | undefined {
  if (named !== undefined && directory !== undefined) {
    const said = "Expected `--context` or `--directory`, got both";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  if (directory !== undefined) return undefined;
  const fromEnv = named ?? (env["MERIDIAN_CONTEXT"] || undefined);
  if (fromEnv === undefined && (env["MERIDIAN_DIRECTORY"] ?? "") !== "") return undefined;
  const file = readContexts(contextPath(env));
  const name = fromEnv ?? file.current;
  return name === null ? undefined : contextNamed(file, name);
}
